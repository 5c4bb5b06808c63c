"""How trees become the rows of a training: by which tokens, and in which shape. Without torch."""

from prmkit.models.config import ModelConfig
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import RowShape
from prmkit.train.config import TrainConfig


def encoder_of(model: ModelConfig) -> StepEncoder:
    """The tokenisation of a PRM that is to be trained.

    Raises:
        InputError: the backbone has no tokenizer, or it does not go with the text format.
    """
    return StepEncoder(load_tokenizer(model.name), model.format)


def shape_of(config: TrainConfig, max_length: int) -> RowShape:
    """How trees become the rows of a training."""
    budget = (config.pack_tokens or max_length) if config.packing == "tree" else None
    return RowShape(max_length=max_length, weighting=config.weighting, budget=budget)
