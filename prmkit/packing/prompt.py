"""The text around a problem: a fixed one, or the model's own chat template."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import count, cycle

from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.chat_template import ChatTemplate, chat_template_of
from prmkit.packing.format import TEMPLATES, PromptFormat, Template

_PLACE = "the-problem-stands-here-6f1d"
"""What a chat template is rendered with, to see what it puts around a problem."""

_ANCHORS = ("\n", ".", "x")


class Prompter:
    """Puts problems into a template.

    A problem may spell one of the tokenizer's special tokens, such as the end of a turn. It stays text: no token of a
    prompt is special but those of the template.

    Args:
        tokenizer: the model's.
        format: the template, and what it is told.

    Raises:
        InputError: the model has no chat template and none is given, or it refuses or ignores what it is told.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, format: PromptFormat) -> None:
        self._tokenizer = tokenizer
        self._where = format.template_file or tokenizer.name_or_path or "tokenizer"
        self._added = {str(token.content): token for token in tokenizer.added_tokens_decoder.values()}
        marked = {text for text, token in self._added.items() if token.special}
        self._special = sorted({*map(str, tokenizer.all_special_tokens), *marked} - {""})
        longest_first = sorted(self._special, key=len, reverse=True)
        self._spelled = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")" if self._special else "(?!)()")
        self.chat_template = chat_template_of(tokenizer, format.template_file)
        speaks_chat = format.speaks_chat if format.speaks_chat is not None else self.chat_template is not None
        self.template: Template = "chat" if speaks_chat else format.template or "plain"
        self._chat = self._told(format) if speaks_chat else None
        self._system = [{"role": "system", "content": format.system}] if format.system is not None else []
        self._begins = self._bos()
        self.around = self._around(format)

    @property
    def before(self) -> str:
        """The text in front of a problem."""
        return self.around[0]

    @property
    def after(self) -> str:
        """The text behind a problem, up to where the solution begins."""
        return self.around[-1]

    @property
    def date(self) -> str | None:
        """The day that the chat template tells, YYYY-MM-DD; None for one that does not."""
        return self._chat.day.isoformat() if self._chat is not None and self._chat.told_date else None

    def text(self, problem: str) -> str:
        """A problem in its template, special tokens spelled out."""
        if self._chat is not None:
            return self._chat.render([*self._system, {"role": "user", "content": problem}])
        return self.before + problem + self.after

    def dialogue(self, contents: Sequence[str]) -> str:
        """The text of what a user and the model say in turns, in the chat template, with what ends the last turn.

        Raises:
            InputError: the chat template refuses them, or there is none.
        """
        if self._chat is None:
            raise InputError("a fixed template has no turns", where=self._where, got=self.template)
        roles = cycle(("user", "assistant"))
        turns = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
        return self._chat.render([*self._system, *turns], opens=False)

    def ids(self, problem: str) -> list[int]:
        """The token ids of that text, tokenised as one."""
        if self.spells_special(problem):
            return self._with_spelled(problem)
        return self.tokenised(self.text(problem))

    def tokenised(self, text: str) -> list[int]:
        """The token ids of a text that begins as a prompt of this template does.

        Behind the token that begins a text, a fixed template is tokenised as the beginning that it is, for which some
        vocabularies have tokens of their own.
        """
        return [*self._ids(self._begins), *self._ids(text.removeprefix(self._begins))]

    def spells_special(self, text: str) -> bool:
        """Whether a text holds what the tokenizer would take for a special token."""
        return self._spelled.search(text) is not None

    @property
    def special(self) -> Sequence[str]:
        """The special tokens, as they are spelled."""
        return self._special

    def _bos(self) -> str:
        return str(self._tokenizer.bos_token or "") if self.template in ("plain", "bare") else ""

    def _told(self, format: PromptFormat) -> ChatTemplate:
        if self.chat_template is None:
            raise InputError(
                "the model has no chat template",
                where=self._where,
                cure="Name a fixed one (format.template: plain), or give a Jinja file (format.template_file).",
            )
        return ChatTemplate(
            self._tokenizer,
            self.chat_template,
            arguments=format.template_arguments,
            day=date.fromisoformat(format.date) if format.date is not None else None,
            where=self._where,
        )

    def _around(self, format: PromptFormat) -> list[str]:
        if self._chat is None:
            before, after = TEMPLATES[self.template].replace("{{", "{").replace("}}", "}").split("{problem}")
            return [self._begins + before, after]
        text = self.text(_PLACE)
        around = text.split(_PLACE)
        if len(around) < 2:
            raise InputError("the chat template leaves the problem out", where=self._where)
        system = format.system
        if system and system.strip() not in text and text == self._chat.render([{"role": "user", "content": _PLACE}]):
            raise InputError(
                "the chat template leaves the system turn out", where=self._where, cure="Leave out format.system."
            )
        if format.date is not None and not self._chat.told_date:
            raise InputError(
                "the chat template does not tell the date", where=self._where, cure="Leave out format.date."
            )
        return around

    def _with_spelled(self, problem: str) -> list[int]:
        """The ids of a problem that spells special tokens, as if these were no tokens of the tokenizer."""
        hidden: dict[str, str] = {}
        stem = next(stem for stem in (f"{_PLACE}-{number}" for number in count()) if stem not in problem)

        def hide(found: re.Match[str]) -> str:
            name = f"{stem}-{len(hidden)}-"
            hidden[name] = found[0]
            return name

        text = self.text(self._spelled.sub(hide, problem)).removeprefix(self._begins)
        names = re.compile("|".join(map(re.escape, hidden)))
        ids, run = self._ids(self._begins), ""
        for left, plain, right in self._pieces(text):
            if not names.search(plain):
                run += left + plain
                continue
            ids += self._ids(run + left)
            ids += self._between(left, names.sub(lambda found: hidden[found[0]], plain), right)
            run = ""
        return [*ids, *self._ids(run)]

    def _pieces(self, text: str) -> Iterator[tuple[str, str, str]]:
        """The text without special tokens, piece by piece, each with the special tokens before and behind it."""
        parts = ["", *self._spelled.split(text), ""]
        for place in range(1, len(parts), 2):
            yield parts[place - 1], parts[place], parts[place + 1]

    def _between(self, left: str, text: str, right: str) -> list[int]:
        """The ids of a text between two special tokens (or none), whatever it spells."""
        if left in self._added and self._added[left].rstrip:
            text = text.lstrip()
        if right in self._added and self._added[right].lstrip:
            text = text.rstrip()
        alone = self._ids(text, split_special_tokens=True)
        if not left or self._ids(left + "x") == self._ids(left) + self._ids("x"):
            return alone
        # This tokenizer marks the beginning of a text, and nothing else; a character in front keeps it from that.
        for anchor in _ANCHORS:
            start, joined = self._ids(anchor), self._ids(anchor + text, split_special_tokens=True)
            if joined[: len(start)] == start:
                return joined[len(start) :]
        return alone

    def _ids(self, text: str, **options: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, **options)["input_ids"]) if text else []
