"""How a problem and its steps become text, and what a label weighs. No torch, so that recipes bind in milliseconds."""

from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Weighting = Literal["once", "rows"]
"""What a label weighs: 1, or the number of labelled root-to-leaf paths through its step."""

Template = Literal["plain", "bare", "qwen-math", "chatml", "chat"]

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
"""The fixed texts. Under ``chat`` the model's own chat template surrounds the problem instead."""

TURN_MARKS: dict[Template, tuple[str, ...]] = dict.fromkeys(
    ("qwen-math", "chatml"), ("<|im_end|>", "<|im_start|>user", "<|im_start|>assistant")
)
"""What ends a turn of the fixed texts that have turns, and what opens another."""

_CHAT_KEYS = ("system", "template_file", "template_arguments", "date")

_OURS = frozenset(
    [
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "conversations",
        "documents",
        "max_length",
        "messages",
        "padding",
        "return_assistant_tokens_mask",
        "return_dict",
        "return_tensors",
        "self",
        "strftime_now",
        "tokenize",
        "tokenizer_kwargs",
        "tools",
        "truncation",
    ]
)
"""What is not for the template, but for the function that fills it in."""


class PromptFormat(BaseModel):
    """The text around a problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Template | None = Field(
        None, description="chat is the model's own chat template; default: chat where the model has one, else plain"
    )
    system: str | None = Field(None, description="system turn of the chat template; default: what the template says")
    template_file: str | None = Field(
        None, min_length=1, description="Jinja file, in place of the model's own chat template"
    )
    template_arguments: dict[str, bool | int | float | str] = Field(
        {}, description="what the chat template takes besides, such as enable_thinking"
    )
    date: str | None = Field(
        None, description="YYYY-MM-DD, for a chat template that tells the date; default: the day of the run"
    )

    @field_validator("template_arguments")
    @classmethod
    def _not_ours(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(_OURS & arguments.keys()):
            raise ValueError(f"{taken[0]} is set by prmkit")
        return arguments

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, day: str | None) -> str | None:
        if day is not None and date.fromisoformat(day).isoformat() != day:
            raise ValueError("a date is YYYY-MM-DD")
        return day

    @model_validator(mode="after")
    def _chat_keys_go_with_chat(self) -> Self:
        given = [key for key in _CHAT_KEYS if getattr(self, key) not in (None, {})]
        if given and self.template not in (None, "chat"):
            raise ValueError(f"{given[0]} goes with template: chat")
        return self

    @property
    def speaks_chat(self) -> bool | None:
        """Whether the chat template is used; None where that is up to the model."""
        if self.template is not None:
            return self.template == "chat"
        return True if any(getattr(self, key) not in (None, {}) for key in _CHAT_KEYS) else None


class StepFormat(PromptFormat):
    """How a problem and its steps become text: stored in the checkpoint, so that training and inference agree."""

    template: Template = Field(
        "plain", description="the text around the problem; chat is the model's own chat template"
    )
    step_end: str = Field(
        "\n", min_length=1, description="ends every step; its last token is where a PRM reads a score"
    )
