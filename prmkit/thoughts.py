"""Thoughts of reasoning models as text: what opens and closes them, and the answer behind them."""

TAGS: dict[str, tuple[str, str]] = {
    # DeepSeek-R1 and its distillations, QwQ, Qwen3, SmolLM3, Phi-4-reasoning, Magistral 2506.
    "think": ("<think>", "</think>"),
    "magistral": ("[THINK]", "[/THINK]"),
    # Only the final channel is the answer; the turn ends with <|return|>.
    "gpt-oss": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
}
"""What opens and what closes a thought, by family of models."""


def answer_of(text: str) -> str | None:
    """What stands behind the thought of a response; all of it where there is no thought, None where it never closed.

    The opening may be missing, for some templates write it themselves.
    """
    for opening, closing in TAGS.values():
        _, closed, answer = text.rpartition(closing)
        if closed:
            return None if answer.lstrip().startswith(opening) else answer
        if text.lstrip().startswith(opening):
            return None
    return text
