"""What a recipe may say about a model. No torch, so that recipes bind in milliseconds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Weighting = Literal["once", "rows"]
"""What a label weighs: 1, or the number of labelled root-to-leaf paths through its step."""

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

TEMPLATES = {
    "plain": "{problem}\n",
    # As TRL's PRMTrainer trains: the first step follows the problem at once.
    "bare": "{problem}",
    # Qwen2.5-Math's own chat turns and system prompt, as its released PRMs were trained.
    "qwen-math": (
        "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{{}}.<|im_end|>\n"
        "<|im_start|>user\n{problem}<|im_end|>\n<|im_start|>assistant\n"
    ),
    # The chat turns of Qwen2.5-Coder and QwQ; what to answer stands in the problem (benchmarks/prompts).
    "chatml": (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n{problem}<|im_end|>\n<|im_start|>assistant\n"
    ),
}


class StepFormat(BaseModel):
    """How a problem and its steps become text: stored in the checkpoint, so that training and inference agree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Literal["plain", "bare", "qwen-math", "chatml"] = Field(
        "plain", description="the text around the problem"
    )
    step_end: str = Field(
        "\n", min_length=1, description="ends every step; its last token is where a PRM reads a score"
    )


class ModelConfig(BaseModel):
    """The backbone of a PRM, its head and its text format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="hub id or local folder of a pretrained causal LM")
    format: StepFormat = Field(StepFormat(), description="text around problem and steps")
    head_dropout: float = Field(0.1, ge=0.0, lt=1.0, description="dropout before the scalar head, while training")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")
    max_length: int = Field(
        4096, ge=8, description="longest sequence in tokens; longer solutions are cut at a step end"
    )
