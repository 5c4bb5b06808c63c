"""Samples in the forms that other tools write, as rows of our own form: a line in the table for each.

A form is told by its columns. Its reader gives the row with our names (``responses``, and where they differ ``id``,
``problem`` and ``answer``); the names that columns have anyway (prmkit/columns.py) need no reader.
``verdicts`` are those of the other tool: they stand in only where there is nothing to judge by.

Source: lm-evaluation-harness 0.4 (``evaluator.py``), inspect_ai (``EvalSample``), LiveCodeBench
(``insert_output_evaluation``), Qwen2.5-Math (``math_eval.py``), evalplus (``load_solutions``), verl (its validation
dumps).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prmkit.columns import ANSWER, first, id_of, said, spoken
from prmkit.errors import InputError
from prmkit.json_io import number_text
from prmkit.row_files import RawRow, local_rows
from prmkit.rows_io import Fields

RESPONSES = (
    "responses", "response", "completions", "completion", "generations", "generation", "outputs", "output",
    "code_list", "output_list", "model_outputs", "model_output", "model_response", "generated_text",
    "generated_solution", "generated_responses", "model_answer", "raw_output", "candidates", "samples",
    "predictions", "prediction", "preds", "pred",
)  # fmt: skip
"""What the column of the responses is called; the first that a row has is read."""

EXTRACTED = frozenset(("predictions", "prediction", "preds", "pred"))
"""Columns that may hold bare answers, which no rule of finding would find."""

_LETTERS = ("A", "B", "C", "D", "E")
_VERDICTS = ("verdicts", "is_correct", "passed", "graded_list")


@dataclass(frozen=True, slots=True)
class Form:
    """A foreign form.

    Attributes:
        name: of the tool that writes it.
        columns: that tell it.
        read: its row as one of ours.
        once_by: a column under each value of which the same samples stand again.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[Fields, str], Fields]
    once_by: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A row of samples, whatever form it had.

    Attributes:
        row: its other columns.
        columns: the names of the columns in the file.
        responses: what a model wrote.
        extracted: whether bare answers may be among them.
        verdicts: of the tool that wrote the row, as it wrote them.
        again: under which value of ``once_by`` they stand; empty for any other form.
    """

    row: Fields
    columns: list[str]
    responses: list[str]
    extracted: bool = False
    verdicts: Any = None
    again: str = ""


def given_in(row: Fields, where: str) -> Given:
    """What a row gives.

    Raises:
        InputError: the row has no responses (its columns are listed), or no texts in them.
    """
    columns = sorted(map(str, row))
    again = ""
    form = next((form for form in FORMS if row.keys() >= set(form.columns)), None)
    if form is not None and "responses" not in row:
        again = str(row.get(form.once_by) or "")
        row = form.read(row, where)
    name, given = first(row, RESPONSES)
    if not name and (blank := [column for column in RESPONSES if isinstance(row.get(column), str)]):
        name, given = blank[0], row[blank[0]]  # a model that said nothing
    if not name:
        expected = "responses, response, completion, output or the like"
        raise InputError("the row has no responses", where=where, got=columns, expected=expected)
    return Given(
        row=row,
        columns=columns,
        responses=texts_of(given, where),
        extracted=name in EXTRACTED,
        verdicts=first(row, _VERDICTS)[1],
        again=again,
    )


def texts_of(given: Any, where: str) -> list[str]:
    """The responses in a value: texts, chats (the last thing that the assistant said), or replies of a server.

    Raises:
        InputError: there is something else in it, or nothing.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, int | float) and not isinstance(given, bool):
        return [rf"\boxed{{{number_text(given)}}}"]
    if isinstance(given, Mapping):
        inner = next((given[name] for name in _REPLY if given.get(name) is not None), None)
        if inner is not None:
            return texts_of(inner, where)
    elif isinstance(given, list) and given:
        objects = [each for each in given if isinstance(each, Mapping)]
        if any("role" in each for each in objects):
            answer = said(given, "assistant")
            given = [] if answer is None else [answer]
        elif len(objects) == len(given) and all("type" in part for part in objects):
            return [spoken(given)]
        if given:
            return [text for each in given for text in texts_of(each, where)]
    raise InputError("illegal responses", where=where, got=given, expected="a list of texts")


_REPLY = ("choices", "outputs", "body", "message", "content", "text", "generated_text", "completion", "response")
"""Where the reply of a server, or a record of it, holds what was said."""


def sample_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file or folder of samples.

    Of a folder with a folder of programs for each task (``HumanEval_0/0.py``, as evalplus reads it) a row a program.

    Raises:
        InputError: as ``local_rows``.
    """
    programs = sorted(path.glob("*_*/*.py"), key=lambda file: (len(file.parent.name), file.parent.name, file.name))
    if not programs:
        yield from local_rows(path)
    for file in programs:
        text = file.read_bytes().decode(errors="replace")
        yield RawRow(str(file), {"task_id": file.parent.name.replace("_", "/"), "solution": text})


def holds_samples(folder: Path) -> bool:
    """Whether ``sample_rows`` finds any in a folder."""
    try:
        return next(sample_rows(folder), None) is not None
    except InputError:
        return False


def _harness(row: Fields, where: str) -> Fields:
    """The samples of lm-evaluation-harness: ``resps`` holds a list for each request."""
    doc = row["doc"] if isinstance(row["doc"], Mapping) else {}
    given = row["resps"] if isinstance(row["resps"], list) else []
    if any(isinstance(part, list) for request in given if isinstance(request, list) for part in request):
        raise InputError("log-likelihoods are no responses", where=where, got=given, expected="generated texts")
    target = _one_of(row.get("target"), where)
    judged = {"answer": target} if target not in (None, "") else {}
    return {**doc, "id": id_of(doc) or row.get("doc_id"), **judged, "responses": given}


def _inspect(row: Fields, where: str) -> Fields:
    """A sample of inspect: every epoch is one more sample of its problem."""
    output = row["output"] if isinstance(row["output"], Mapping) else {}
    if not output.get("choices"):
        raise InputError("the sample has no output", where=where, got=row.get("error") or output)
    attached = row.get("attachments")
    known: Mapping[str, Any] = attached if isinstance(attached, Mapping) else {}

    def whole(text: str) -> str:
        scheme, _, key = text.partition("://")
        return str(known.get(key, text)) if scheme in ("attachment", "tc") else text

    texts = [whole(text) for text in texts_of(output, where)]
    asked = row["input"]
    return {
        "id": row.get("id"),
        "problem": whole(asked) if isinstance(asked, str) else asked,
        "answer": _one_of(row.get("target"), where),
        "metadata": row.get("metadata"),
        "responses": texts,
        "verdicts": _inspect_verdicts(row.get("scores"), len(texts)),
    }


def _inspect_verdicts(scores: Any, count: int) -> list[bool] | None:
    """What the first scorer said, where it is a verdict."""
    score = next(iter(scores.values()), None) if isinstance(scores, Mapping) else None
    value = score.get("value") if isinstance(score, Mapping) else None
    known = {"C": True, "I": False, "1": True, "0": False, "True": True, "False": False}
    return [known[str(value)]] * count if str(value) in known else None


def _one_of(target: Any, where: str) -> Any:
    """A target; a list of them means any of these, and only one can be judged by."""
    if not isinstance(target, list):
        return target
    if len(set(map(str, target))) > 1:
        raise InputError("several targets, of which any is right", where=where, got=target, expected="one answer")
    return target[0] if target else None


def _livecodebench(row: Fields, where: str) -> Fields:
    return {**row, "responses": row["code_list"], "verdicts": row.get("graded_list")}


def _qwen(row: Fields, where: str) -> Fields:
    """``score`` holds verdicts. ``gt`` is ``answer`` without its units, and of a choice the letter."""
    kept = {name: value for name, value in row.items() if name != "score"}
    gold = first(row, ("gt", "answer") if str(row["gt"]) in _LETTERS else ("answer", "gt"))[1]
    return {**kept, "answer": gold, "responses": row["code"], "verdicts": row.get("score")}


def _verl(row: Fields, where: str) -> Fields:
    """``score`` is the reward, which a PRM did not give."""
    kept = {name: value for name, value in row.items() if name != "score"}
    return {**kept, "problem": row["input"], "answer": row["gts"], "responses": row["output"]}


def _program(row: Fields, where: str) -> Fields:
    """Beside an answer the solution is the worked one of a data set, and no response."""
    return row if first(row, (*RESPONSES, *ANSWER))[0] else {**row, "responses": row["solution"]}


def _chat(row: Fields, where: str) -> Fields:
    """A whole conversation: the last question is the problem, and what the assistant said last the response."""
    if first(row, RESPONSES)[0]:
        return row
    return {"problem": row["messages"], **row, "responses": row["messages"]}


FORMS = (
    Form("lm-evaluation-harness", ("doc", "resps"), _harness, once_by="filter"),
    Form("inspect", ("epoch", "input", "output"), _inspect),
    Form("LiveCodeBench", ("question_id", "code_list"), _livecodebench),
    Form("Qwen2.5-Math", ("code", "gt"), _qwen),
    Form("verl", ("input", "output", "gts"), _verl),
    Form("evalplus", ("task_id", "solution"), _program),
    Form("chat", ("messages",), _chat),
)
"""Tried in this order; a row that fits none has the columns of our own form, perhaps under other names."""
