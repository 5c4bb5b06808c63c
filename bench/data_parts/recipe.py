"""What is trained in bench/data.py: a recipe, the tiny model that it names, and the data of a rank."""

from pathlib import Path

import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerBase

from prmkit.models.tokenizer import load_tokenizer
from prmkit.recipe.bind import bind_stage
from prmkit.recipe.compose import compose
from prmkit.recipe.stages.train import TrainRecipe
from prmkit.train.datamodule import StepDataModule
from prmkit.train.fit import prepared_training_rows

RECIPES = Path(__file__).parents[2] / "recipes"


def write_model(folder: Path, tokenizer: Path) -> None:
    """A random Qwen2 of width 16 with the vocabulary and the tokenizer of a folder, or else with the tests' bytes."""
    known = load_tokenizer(str(tokenizer)) if tokenizer.is_dir() else _bytes_tokenizer()
    config = AutoConfig.for_model(
        "qwen2",
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        vocab_size=len(known),
        bos_token_id=known.bos_token_id,
        eos_token_id=known.eos_token_id,
        pad_token_id=known.pad_token_id,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    known.save_pretrained(folder)


def write_recipe(out: Path, corpus: Path, model: Path, **train: object) -> Path:
    """The cell math-shepherd/0.5b with this corpus and model, in TRL's layout of tokens, and with keys of ``train``."""
    cell = yaml.safe_load((RECIPES / "math-shepherd" / "0.5b.yaml").read_text())
    fragments = [str((RECIPES / "math-shepherd" / fragment).resolve()) for fragment in cell.pop("extends")]
    own = {
        "extends": fragments,
        "data": {"path": str(corpus)},
        "model": {"name": str(model), "format": {"template": "bare", "step_end": "\n"}},
        "train": train,
    }
    out.write_text(yaml.safe_dump(own, sort_keys=False))
    return out


def data_of(recipe: Path) -> StepDataModule:
    """The data of a rank, as ``prmkit train`` has it."""
    bound = bind_stage(compose(recipe), "train")
    assert isinstance(bound, TrainRecipe)
    return prepared_training_rows(bound.data.corpus(), bound.model, bound.train, seed=bound.seed)


def _bytes_tokenizer() -> PreTrainedTokenizerBase:
    from tests.tiny import tiny_bpe_tokenizer

    return tiny_bpe_tokenizer()
