"""A model's chat template: a program in Jinja that comes with the model, run in transformers' sandbox for a while.

The sandbox keeps it from the interpreter and from files. A loop without end is stopped; memory is not limited.
"""

import ctypes
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError
from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError

SECONDS = 30.0
"""What a template may take for one prompt; those of published models take less than a millisecond."""


class ChatTemplate:
    """Puts turns into a model's chat template.

    Args:
        tokenizer: the model's, which knows the special tokens that a template names.
        source: the template.
        arguments: what it is told besides.
        day: what it takes for today; None for the day on which it is first asked.
        where: what errors name.

    Raises:
        InputError: no argument of that name is in the template.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        source: str,
        *,
        arguments: Mapping[str, bool | int | float | str],
        day: date | None,
        where: str,
    ) -> None:
        self.source = source
        self.told_date = False
        self.day = day or date.today()
        self._tokenizer, self._where = tokenizer, where
        unread = [name for name in arguments if not re.search(rf"\b{re.escape(name)}\b", source)]
        if unread:
            raise InputError(
                "the chat template reads no such argument", where=where, got=unread[0], cure="Check its spelling."
            )
        self._arguments: dict[str, Any] = dict(arguments)

    def render(self, turns: Sequence[Mapping[str, str]], *, opens: bool = True) -> str:
        """The text of the turns and, where it ``opens`` one, of what begins the model's next turn.

        Raises:
            InputError: the template refuses them, fails, or does not come to an end.
        """
        try:
            return within(SECONDS, lambda: self._render(turns, opens))
        except TemplateSyntaxError as error:
            raise InputError(
                f"the chat template is no Jinja (line {error.lineno}: {error.message})", where=self._where
            ) from None
        except TimeoutError:
            raise InputError("the chat template does not come to an end", where=self._where) from None
        except Exception as error:  # it is somebody else's program, which may fail in any way
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"the chat template refuses the {' and '.join(turn['role'] for turn in turns)} turn ({reason})",
                where=self._where,
                cure="Leave out format.system." if turns[0]["role"] == "system" else "Check format.template_arguments.",
            ) from None

    def _render(self, turns: Sequence[Mapping[str, str]], opens: bool) -> str:
        text = self._tokenizer.apply_chat_template(
            [dict(turn) for turn in turns],
            chat_template=self.source,
            tokenize=False,
            add_generation_prompt=opens,
            strftime_now=self._strftime,
            **self._arguments,
        )
        return str(text)

    def _strftime(self, form: str) -> str:
        """What transformers offers templates, but the same all day long and, where a day is named, for good."""
        self.told_date = True
        return self.day.strftime(form)


def chat_template_of(tokenizer: PreTrainedTokenizerBase, file: str | None) -> str | None:
    """The chat template of a file, or else of a tokenizer, if it has one: of several, the default.

    Raises:
        InputError: the file cannot be read or is blank, or the tokenizer has several and no default.
    """
    if file is not None:
        return _read(file)
    if not tokenizer.chat_template:
        return None
    try:
        return str(tokenizer.get_chat_template())
    except ValueError:
        raise InputError(
            "the model has several chat templates, none of which is the default",
            where=tokenizer.name_or_path or "tokenizer",
            got=", ".join(sorted(tokenizer.chat_template)),
            cure="Give one as a Jinja file (format.template_file).",
        ) from None


class _Stopped(BaseException):
    """Raised in a thread that took too long."""


def within(seconds: float, work: Callable[[], str]) -> str:
    """What ``work`` returns, in a thread of its own, which is stopped after so many seconds.

    It is stopped between two steps of Python: a single operation, such as a huge power, is not.

    Raises:
        TimeoutError: it took longer.
    """
    found: list[str] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            failed.append(error)
        except _Stopped:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
        raise TimeoutError
    if failed:
        raise failed[0]
    return found[0]


def _read(file: str) -> str:
    try:
        source = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the chat template ({error})", where=file) from None
    if not source.strip():
        raise InputError("the chat template is blank", where=file)
    return source
