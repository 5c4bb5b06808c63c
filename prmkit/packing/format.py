"""How a problem and its steps become text, and what a label weighs. No torch, so that recipes bind in milliseconds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Weighting = Literal["once", "rows"]
"""What a label weighs: 1, or the number of labelled root-to-leaf paths through its step."""

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
