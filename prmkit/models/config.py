"""What a recipe may say about a model. No torch, so that recipes bind in milliseconds."""

from typing import Annotated, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from prmkit.packing.format import StepFormat

Adapter = Literal["prmkit", "qwen-math-prm", "skywork-o1", "math-shepherd", "rlhflow", "trl"]
"""Whose PRM a folder holds: how its weights are laid out, and how it reads a solution."""

Device = Annotated[str | None, Field(description="such as cuda:1 or cpu; default: the first GPU, or the CPU")]

Memory = Annotated[
    float | None,
    Field(
        gt=0.0,
        le=1.0,
        description="share of the device's memory for weights and key-values; default: 0.45 of a GPU",
    ),
]


class NamedModel(NamedTuple):
    """A model that a recipe names.

    Attributes:
        role: what it is to the run, in words.
        name: folder or org/name[@revision].
        weights: whether its weights are read here, or the config and the tokenizer alone.
        key: of the name.
    """

    role: str
    name: str
    weights: bool = True
    key: str = "name"


@runtime_checkable
class NamesModel(Protocol):
    """A part of a recipe that names a model."""

    @property
    def named_model(self) -> NamedModel | None:
        """The model; None where the part names one that is not read here."""
        ...


class ModelConfig(BaseModel):
    """The backbone of a PRM, its head and its text format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="folder or org/name[@revision] of a pretrained causal LM")
    format: StepFormat = Field(StepFormat(), description="text around problem and steps")
    head_dropout: float = Field(0.1, ge=0.0, lt=1.0, description="dropout before the scalar head, while training")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")
    max_length: int = Field(
        4096, ge=8, description="longest sequence in tokens; longer solutions are cut at a step end"
    )

    @property
    def named_model(self) -> NamedModel:
        """The backbone."""
        return NamedModel("backbone", self.name)
