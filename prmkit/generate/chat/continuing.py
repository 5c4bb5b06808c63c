"""How chat servers go on with an answer that was begun, and whether one does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from prmkit.errors import InputError
from prmkit.generate.chat.text import ChatPrompt, Part, Turn
from prmkit.generate.thoughts import Tags

Way = Literal["vllm", "deepseek", "mistral"]

_OF_OWNER: dict[str, Way] = {"deepseek": "deepseek", "mistralai": "mistral"}
"""The ways of owners as servers name them; whoever is not named here is asked in vLLM's, as SGLang and TGI are."""


class Asked(NamedTuple):
    """What of a request says how it goes on: the end of its path, the messages, and further keys."""

    path: str
    messages: list[dict[str, Any]]
    keys: Mapping[str, Any]


def way_of(continues: str, owner: Any) -> Way | None:
    """The way that a recipe names or that goes with a server; None for a server that is not to be asked."""
    if continues == "none":
        return None
    if continues == "auto":
        return _OF_OWNER.get(str(owner), "vllm")
    return continues  # type: ignore[return-value]


def asked(prompt: ChatPrompt, way: Way | None, tags: Tags | None) -> Asked:
    """The messages of a request; behind an answer that was begun, what makes the server go on with it.

    DeepSeek takes the thought of such an answer apart from its words.
    """
    messages: list[dict[str, Any]] = [turn._asdict() for turn in prompt.turns]
    if not prompt.answer or way is None:
        return Asked("/chat/completions", messages, {})
    last: dict[str, Any] = {"role": "assistant", "content": prompt.answer}
    if way == "vllm":
        keys = {"continue_final_message": True, "add_generation_prompt": False}
        return Asked("/chat/completions", [*messages, last], keys)
    if way == "deepseek":
        last |= _in_fields(prompt.answer, tags)
    path = "/beta/chat/completions" if way == "deepseek" else "/chat/completions"
    return Asked(path, [*messages, last | {"prefix": True}], {})


def _in_fields(answer: str, tags: Tags | None) -> dict[str, str]:
    if tags is None or tags.open not in answer:
        return {"content": answer}
    thought, _, words = answer.partition(tags.open)[2].partition(tags.close)
    return {"content": words, "reasoning_content": thought}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server goes on: whether it repeats what was begun, and eats white space at its end."""

    repeats: bool = False
    trims: bool = False

    def repeated(self, answer: str) -> str:
        """What may stand in front of the rest of an answer, though the answer holds it already."""
        if self.repeats:
            return answer
        return answer[len(answer.rstrip()) :] if self.trims else ""


_CODE = "K7QX-93LM-TZ41-VB88"
_BEGUN, _REST = "As you wish, the code is K7QX-93LM-T", "Z41"
_QUESTION = f"Write this code once more, and nothing else: {_CODE}"
_NEW_TURN = 4
"""Tokens that a turn's end and the next one's beginning take in most templates, at least."""


class Tried(NamedTuple):
    """What a server answered, and how many tokens it read, if it tells."""

    text: str
    prompt: int


Try = Callable[[ChatPrompt, int], Awaitable[Tried]]
"""Asks for so many tokens at temperature 0."""


async def manner_of(ask: Try, where: str) -> Manner:
    """How a server goes on with an answer that was begun.

    It is given the beginning of a code to copy. One that goes on writes the rest of the code, where one that begins a
    new turn, as many do that do not know the keys of the request, writes all of it. A strong model may write the rest
    in a new turn as well; but the server then reads the tokens between two turns besides those of the beginning.

    Raises:
        InputError: it does not go on.
    """
    question = (Turn("user", _QUESTION),)
    begun = await ask(ChatPrompt(question, (Part(_BEGUN),)), 16)
    repeats = begun.text.startswith(_BEGUN)
    rest = begun.text.removeprefix(_BEGUN).lstrip()
    if not rest.startswith(_REST):
        raise _refusal(where, f"it was to go on with {_BEGUN!r}, and wrote {begun.text[:60]!r}")
    both = await ask(ChatPrompt((Turn("user", f"{_QUESTION} {_BEGUN}"),)), 1)
    between = begun.prompt - both.prompt
    if both.prompt and between >= _NEW_TURN:
        raise _refusal(where, f"it reads {between} tokens more than the answer that was begun: it begins a new turn")
    blank = await ask(ChatPrompt(question, (Part(f"{_BEGUN}\n\n"),)), 1)
    return Manner(repeats=repeats, trims=0 < blank.prompt <= begun.prompt)


def _refusal(where: str, reason: str) -> InputError:
    return InputError(
        f"the server does not go on with an answer that was begun, as single steps need: {reason}",
        where=where,
        cure="Choose a strategy that draws whole solutions, such as best-of-n, or serve the model by vLLM or SGLang.",
    )
