"""What servers say of a request that does not fit their context, each in words of its own.

The words are those of OpenAI, vLLM, SGLang, TGI, llama.cpp, Ollama, Mistral, DeepSeek, Anthropic, Gemini and xAI.
"""

import re
from typing import NamedTuple

_STATUSES = {400, 413, 422, 500}
"""Answers that may say so; 500 is that of a llama.cpp of 2025."""

_SAID = re.compile(
    r"context[_ ](?:length|window|size|limit)|n_ctx|max_model_len|maximum (?:model|prompt|input) length"
    r"|`inputs` (?:tokens \+ `max_new_tokens` must be|must have less than)"
    r"|prompt(?: is)? too long|(?:input|prompt) is too long|too large for model"
    r"|maximum number of tokens allowed|reduce the length of",
    re.IGNORECASE,
)

_CONTEXT = re.compile(
    r"(?:maximum )?context length (?:is|of)(?: only)? (\d+)"
    r"|context (?:length|size) \((\d+) tokens"
    r"|with (\d+) maximum context length"
    r"|maximum model length of (\d+)"
    r"|must be <= (\d+)"
    r"|tokens > (\d+) maximum"
    r'|"n_ctx": ?(\d+)'
)

_PROMPT = re.compile(
    r"\((\d+) in (?:the messages|your prompt)"
    r"|(?:your request has|passed) (\d+) input tokens"
    r"|messages resulted in (\d+) tokens"
    r"|(\d+) tokens from the input"
    r"|(?:input|request) \((\d+) tokens\)"
    r"|Given: (\d+) `inputs`"
    r"|prompt \(length (\d+)\)"
    r"|Prompt contains (\d+) tokens"
    r"|too long: (\d+) tokens"
    r'|"n_prompt_tokens": ?(\d+)'
)


class Sizes(NamedTuple):
    """The context of a server in tokens, and how many of them a prompt took, as far as it tells."""

    context: int | None
    prompt: int | None

    def fewer_than(self, limit: int) -> int:
        """How many tokens to ask for where ``limit`` were too many; less than 1 where the prompt leaves no room.

        What does not tell its numbers is asked for half as many. One that refuses what it has room for by its own
        numbers counts a token more, as SGLang does.
        """
        if self.context is None or self.prompt is None:
            return limit // 2
        room = self.context - self.prompt
        return room if room < limit else limit - 1 if room == limit else limit // 2


def sizes_told(status: int, said: str) -> Sizes | None:
    """What an answer says of the context; None where it is about something else."""
    if status not in _STATUSES or not _SAID.search(said):
        return None
    return Sizes(_number(_CONTEXT, said), _number(_PROMPT, said))


def _number(pattern: re.Pattern[str], said: str) -> int | None:
    found = pattern.search(said)
    return None if found is None else int(next(filter(None, found.groups())))
