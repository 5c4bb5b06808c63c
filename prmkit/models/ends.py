"""What ends a solution: tokens that are declared to, and what a chat template writes behind an answer."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.format import TURN_MARKS
from prmkit.packing.prompt import Prompter
from prmkit.thoughts import TAGS

_ASKED, _REPLY, _NEXT = (f"the-{what}-stands-here-6f1d" for what in ("problem", "answer", "next-problem"))
"""What a chat template is rendered with, to see what it puts around an answer."""

_MARKS = frozenset("<[{|#")
"""What a mark has in it that is no mere word."""


class TurnEnds(NamedTuple):
    """What ends an answer besides the declared ends.

    ``ids`` are single tokens, and ``texts`` those that the tokenizer spells in several; ``marks`` are all of them as
    texts, for a server that takes no ids.
    """

    ids: frozenset[int] = frozenset()
    texts: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


NO_ENDS = TurnEnds()


def declared_ends(
    config: GenerationConfig | PretrainedConfig | None, tokenizer: PreTrainedTokenizerBase
) -> tuple[int, ...]:
    """Every id that is said to end a sequence, each once: the config's (chat models list several), the tokenizer's.

    Args:
        config: the model's generation config, or else its own, if there is one.
        tokenizer: the model's.
    """
    declared = config.eos_token_id if config is not None else None
    listed = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys(token for token in [*listed, tokenizer.eos_token_id] if token is not None))


def turn_ends(tokenizer: PreTrainedTokenizerBase, prompter: Prompter, tags: Sequence[str] = ()) -> TurnEnds:
    """What a template writes where an answer ends: the end of its turn, and what opens another.

    A model's own list of end tokens may lack all of it: that of a base model whose tokenizer has a chat template, that
    of a converted file. What begins with a special token is known by that token, for no answer holds it; a tokenizer
    that has no token for a mark spells it.

    Args:
        tokenizer: the model's.
        prompter: the template around problems.
        tags: what opens and closes a thought, which ends no answer.
    """
    template = prompter.chat_template or ""
    # Also where the recipe says that nothing is a thought: gpt-oss still writes its channels.
    inside = [*tags, *(tag for known in TAGS.values() if known[0] in template for tag in known)]
    marks = [mark for mark in dict.fromkeys(_marks(prompter, tags)) if not any(mark in text for text in inside)]
    ids, texts = set[int](), list[str]()
    for mark in marks:
        first = list(tokenizer(mark, add_special_tokens=False)["input_ids"])[:1]
        spelled = str(tokenizer.decode(first)).strip()
        whole = spelled == mark or spelled in prompter.special
        if whole and not any(spelled in text for text in inside):
            ids.update(first)
        else:
            texts.append(mark)
    return TurnEnds(frozenset(ids), tuple(texts), tuple(marks))


def _marks(prompter: Prompter, tags: Sequence[str]) -> Iterator[str]:
    """The marks of a template, each without the white space around it.

    Of a turn's opening only the first line counts. A mere word may open the user's turn (``USER:``), where it is no
    part of an answer; one that opens the model's own, such as ``Answer:``, may well be.
    """
    yield from TURN_MARKS.get(prompter.template, ())
    if prompter.template != "chat":
        return
    end = _first_line(_behind(prompter, _ASKED, _REPLY))
    opened = _behind(prompter, _ASKED, _REPLY, _NEXT).partition(_NEXT)[0]
    again = prompter.after
    for tag in tags:
        again = again.partition(tag)[0]
    if end:
        yield end
    if user := _first_line(opened.lstrip().removeprefix(end)):
        yield user
    if (model := _first_line(again.lstrip().removeprefix(end))) and _MARKS.intersection(model):
        yield model


def _behind(prompter: Prompter, *contents: str) -> str:
    """What the template writes behind the answer; nothing, where it refuses these turns."""
    try:
        return prompter.dialogue(contents).partition(_REPLY)[2]
    except InputError:
        return ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()
