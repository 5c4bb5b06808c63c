"""The embedded policy: a tiny Qwen2 that learns from imperfect solutions, and so is imperfect in their way.

Two models come out of one training run. The **policy** has read text whose mistakes mostly stand uncorrected; its
error rates are those of its text. The **backbone** is the same run, gone on with text whose mistakes are usually
noticed ("wait"): it knows more than the policy, as the paper's 72B PRM does over its 7B generator.

Shapes: B rows, T tokens.
"""

import copy
import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.utils.data import DataLoader, IterableDataset
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from prmkit.benchmarks import synthetic_code, synthetic_math
from prmkit.benchmarks.synthetic_world import LETTERS, OPERATIONS, Slips, draw_prompts
from prmkit.models.flops import parameters
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.run.files import write_json
from prmkit.tree import Problem
from prmkit.world import COST
from prmkit.world.config import PolicyConfig

LOSSES = "losses.json"
"""The training losses of both models, means of 20 steps; with the shipped models lie those of the first 100 steps."""

_MEAN = 20
_IGNORED = -100
_WORDS = [".", "x", "=", "def", "f", "(", ")", "+", "-", "min", "max", ",", "#", "return", "####", "wait"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; a line break is a word of its own and ends a step."""
    digits = map(str, range(10))
    words = dict.fromkeys(["<pad>", "<eos>", "<unk>", "\n", *_WORDS, *LETTERS, *OPERATIONS, *digits])
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=256
    )


class SolutionStream(IterableDataset[tuple[list[int], list[int]]]):
    """An endless stream of (ids, labels) of imperfect solutions, math and code in turn, training side only."""

    def __init__(self, encoder: StepEncoder, slips: Slips, seed: int) -> None:
        self.encoder, self.slips, self.seed = encoder, slips, seed

    def __iter__(self) -> Iterator[tuple[list[int], list[int]]]:
        rng = random.Random(self.seed)
        worlds = (synthetic_math, synthetic_code)
        streams = [
            draw_prompts(world.draw, seed=rng.getrandbits(32), min_steps=2, max_steps=5, test=False) for world in worlds
        ]
        while True:
            for world, prompts in zip(worlds, streams, strict=True):
                prompt = next(prompts)
                problem = Problem(id="", prompt=prompt)
                start = len(self.encoder.problem_ids(problem))
                ids, _ = self.encoder.path_ids(problem, world.write(prompt, rng, self.slips))
                ids.append(self.encoder.tokenizer.eos_token_id)
                yield ids, [_IGNORED] * start + ids[start:]


def collate(rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids_BT and labels_BT."""
    longest = max(len(ids) for ids, _ in rows)
    ids_BT = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows])
    labels_BT = torch.tensor([labels + [_IGNORED] * (longest - len(labels)) for _, labels in rows])
    return ids_BT, labels_BT


class PolicyModule(L.LightningModule):
    """Next-token training on the tokens of the steps."""

    def __init__(self, model: Qwen2ForCausalLM, *, lr: float, steps: int) -> None:
        super().__init__()
        self.model, self.lr, self.steps = model, lr, steps
        self.losses: list[float] = []
        self.tokens = 0

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        """Mean cross-entropy of the step tokens; the LM head runs on them alone."""
        ids_BT, labels_BT = batch
        self.tokens += int((ids_BT != 0).sum())
        hidden_BTH = self.model.model(input_ids=ids_BT).last_hidden_state[:, :-1]
        wanted_BT = labels_BT[:, 1:] != _IGNORED
        logits = self.model.lm_head(hidden_BTH[wanted_BT])
        loss = torch.nn.functional.cross_entropy(logits, labels_BT[:, 1:][wanted_BT])
        self.log("loss", loss, prog_bar=True)
        self.losses.append(float(loss.detach()))
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; the rate rises for 30 steps, stays, and falls linearly over the second half."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, betas=(0.9, 0.98), weight_decay=0.01)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / 30, max(0.02, 2 * (1 - step / self.steps)))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def train_policy(out: Path, config: PolicyConfig, *, seed: int = 1) -> None:
    """Train both models and write them as Hugging Face folders, ``policy`` and ``backbone``, beside losses.json.

    Weights are stored in half precision. cost.json holds for each model its ``parameters`` N, and the ``tokens`` D that
    it has read until then, those of the policy included, and ``flops``, 6 N D (Kaplan et al. 2020, arXiv 2001.08361).

    Args:
        out: the folder; it is made.
        config: size and training.
        seed: of weights and text.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=3 * config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            initializer_range=config.initializer_range,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    stages = (
        ("policy", config.policy_steps, config.policy_slips),
        ("backbone", config.backbone_steps, config.backbone_slips),
    )
    losses, cost, tokens = {}, {}, 0
    for stage, (name, steps, slips) in enumerate(stages):
        found, new = _fit(model, StepEncoder(tokenizer, StepFormat()), steps, slips, config, seed=seed + stage)
        tokens += new
        size = parameters(model.config)
        cost[name] = {"parameters": size, "tokens": tokens, "flops": 6 * size * tokens}
        losses[name] = [sum(found[start : start + _MEAN]) / _MEAN for start in range(0, steps - _MEAN + 1, _MEAN)]
        copy.deepcopy(model).half().save_pretrained(out / name)
        tokenizer.save_pretrained(out / name)
    write_json(out / LOSSES, losses)
    write_json(out / COST, cost)


def _fit(
    model: Qwen2ForCausalLM, encoder: StepEncoder, steps: int, slips: Slips, config: PolicyConfig, *, seed: int
) -> tuple[list[float], int]:
    rows = DataLoader(SolutionStream(encoder, slips, seed), batch_size=config.batch_size, collate_fn=collate)
    trainer = L.Trainer(
        max_steps=steps,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),  # the bar stands in the way of what --json prints
        log_every_n_steps=10,
    )
    module = PolicyModule(model.train(), lr=config.lr, steps=steps)
    trainer.fit(module, rows)
    model.eval()
    return module.losses, module.tokens
