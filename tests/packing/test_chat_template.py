"""A chat template is a program that somebody else wrote: it can refuse, fail, and try to do harm."""

import threading
import time
from datetime import date
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.packing import chat_template
from prmkit.packing.chat_template import ChatTemplate, chat_template_of, within
from tests.tiny import tiny_bpe_tokenizer

TURN = [{"role": "user", "content": "2+2?"}]


def made(source: str, **arguments: bool | int | float | str) -> ChatTemplate:
    return ChatTemplate(tiny_bpe_tokenizer(), source, arguments=arguments, day=date(2026, 11, 29), where="model")


def test_it_knows_turns_special_tokens_arguments_and_the_day() -> None:
    template = made("{{ eos_token }}{{ messages[0].content }} {{ tone }} {{ strftime_now('%d %b %Y') }}", tone="dry")
    assert not template.told_date
    assert template.render(TURN) == "<|im_end|>2+2? dry 29 Nov 2026"
    assert template.told_date


def test_the_day_does_not_change_while_a_template_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    template = ChatTemplate(tiny_bpe_tokenizer(), "{{ strftime_now('%Y') }}", arguments={}, day=None, where="model")
    year = str(date.today().year)

    class Later(date):
        @classmethod
        def today(cls) -> date:
            return date(2100, 1, 1)

    monkeypatch.setattr(chat_template, "date", Later)
    assert template.render(TURN) in (year, str(int(year) + 1))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% if %}", r"model: the chat template is no Jinja \(line 1: Expected an expression"),
        ("a\n{% for m in messages %}", r"no Jinja \(line 2: Unexpected end of template"),
        ("{{ messages[0].content.strip().nothing.more }}", r"refuses the user turn \(.*has no attribute 'nothing'\)"),
        ("{{ tools.first.last }}", r"refuses the user turn \('None' has no attribute 'first'\)"),
        ("{{ who.name }}", r"refuses the user turn \('who' is undefined\)"),
        (
            "{{ raise_exception('give me tone') }}",
            r"refuses the user turn \(give me tone\)\. Check format.template_arg",
        ),
        ("{{ 1 / 0 }}", r"refuses the user turn \(division by zero\)"),
        ("{{ messages[7].content[3] }}", "refuses the user turn"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", r"refuses the user turn \(maximum recursion depth"),
        ("{{ 'x' * 10 ** 18 }}", r"refuses the user turn"),
    ],
)
def test_what_it_cannot_do_is_one_error_in_our_words(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        made(source).render(TURN)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__func__.__globals__ }}",
        "{{ strftime_now.__self__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ ''|attr('__class__') }}{{ (''|attr('__class__')).__mro__ }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
    ],
)
def test_it_reaches_neither_the_interpreter_nor_files(source: str) -> None:
    try:
        text = made(source).render(TURN)
    except InputError:
        return
    assert text == ""  # what does not exist is nothing


def test_a_loop_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.2)
    tens = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(InputError, match="model: the chat template does not come to an end"):
        made(tens).render(TURN)


def test_work_that_takes_too_long_ends() -> None:
    counted = [0]

    def count() -> str:
        while True:
            counted[0] += 1

    threads = set(threading.enumerate())
    with pytest.raises(TimeoutError):
        within(0.1, count)
    until = time.monotonic() + 30
    while set(threading.enumerate()) - threads and time.monotonic() < until:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads
    assert counted[0] > 0


def test_work_that_ends_gives_what_it_gives() -> None:
    assert within(30, lambda: "so") == "so"
    with pytest.raises(ValueError, match="no"):
        within(30, lambda: str(int("no")))


def test_an_argument_that_the_template_does_not_read_is_refused() -> None:
    with pytest.raises(InputError, match="model: the chat template reads no such argument, got 'tone'"):
        made("{{ messages[0].content }} {{ tones }}", tone="dry")


def test_a_file_is_read_and_a_bad_one_refused(tmp_path: Path) -> None:
    tokenizer = tiny_bpe_tokenizer()
    assert chat_template_of(tokenizer, None) is None
    tokenizer.chat_template = "of the model"
    assert chat_template_of(tokenizer, None) == "of the model"
    (tmp_path / "t.jinja").write_text("{{ messages[0].content }} é", encoding="utf-8")
    assert chat_template_of(tokenizer, str(tmp_path / "t.jinja")) == "{{ messages[0].content }} é"
    (tmp_path / "latin.jinja").write_bytes("é".encode("latin-1"))
    (tmp_path / "blank.jinja").write_text(" \n")
    for file, message in [("none", "No such file"), ("latin", "can't decode"), ("blank", "is blank")]:
        with pytest.raises(InputError, match=rf"{file}\.jinja: .*chat template.*{message}"):
            chat_template_of(tokenizer, str(tmp_path / f"{file}.jinja"))
    with pytest.raises(InputError, match="cannot read the chat template"):
        chat_template_of(tokenizer, str(tmp_path))


def test_of_several_templates_the_default_is_taken() -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = {"default": "one", "tool_use": "two"}
    assert chat_template_of(tokenizer, None) == "one"
    tokenizer.chat_template = {"rag": "one", "tool_use": "two"}
    with pytest.raises(InputError, match="several chat templates, none of which is the default, got 'rag, tool_use'"):
        chat_template_of(tokenizer, None)
