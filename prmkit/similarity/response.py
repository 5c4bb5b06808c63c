"""What is compared: responses to problems, as token ids."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prmkit.errors import InputError
from prmkit.row_files import local_rows
from prmkit.tree import Problem, StepTree

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.packing.encode import StepEncoder

Selection = Literal["finished", "chosen"]
"""Every finished solution of a problem, or the one that the search chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response in its context.

    ``ids`` are the prompt and the response; the first ``prompt_length`` of them are the prompt. ``text`` is the
    response as a person reads it. ``ends`` are the positions of the last tokens of its steps, ``correct`` is whether it
    is right, where these are known.

    Raises:
        InputError: the prompt or the response is empty.
    """

    problem_id: str
    ids: tuple[int, ...]
    prompt_length: int
    text: str
    ends: tuple[int, ...] = ()
    correct: bool | None = None

    def __post_init__(self) -> None:
        if self.prompt_length < 1:
            raise InputError("empty prompt", where=self.problem_id, got=self.prompt_length, expected="a token or more")
        if len(self.ids) <= self.prompt_length:
            raise InputError(
                "empty response",
                where=self.problem_id,
                got=self.text,
                expected="a response token or more after the prompt",
                cure="Leave the response out of its set.",
            )


def responses_of(
    trees: Iterable[StepTree],
    encoder: "StepEncoder",
    select: Selection,
    *,
    per_problem: int | None = None,
    last_end: bool = False,
    verdicts: Mapping[str, Sequence[bool]] | None = None,
) -> Iterator[Response]:
    """The selected solutions of each tree as responses, at most ``per_problem`` of them; a problem may have none.

    Args:
        trees: of one run.
        encoder: of the reference model.
        select: every finished solution, or the one that the search chose.
        per_problem: the first so many.
        last_end: keep the end of the last step, where a PRM reads its score. A causal LM's next token after it would
            say how responses end, not what they hold.
        verdicts: whether each leaf of a problem's tree is right, by problem (``correct`` of an evaluation).

    Raises:
        InputError: the chosen solutions are asked for, and a tree does not come from a search.
    """
    for tree in trees:
        correct = dict(zip(tree.leaves(), (verdicts or {}).get(tree.problem.id, ()), strict=False))
        for leaf in _selected(tree, select)[:per_problem]:
            yield encoded(tree.problem, tree.steps(leaf), encoder, last_end=last_end, correct=correct.get(leaf))


def encoded(
    problem: Problem, steps: Sequence[str], encoder: "StepEncoder", *, last_end: bool, correct: bool | None
) -> Response:
    """The response with these steps, in the ids of the encoder.

    Raises:
        InputError: there is no step.
    """
    ids, ends = encoder.path_ids(problem, steps)
    return Response(
        problem_id=problem.id,
        ids=tuple(ids if last_end else ids[: len(ids) - len(encoder.step_end_ids)]),
        prompt_length=len(encoder.problem_ids(problem)),
        text="\n".join(steps),
        ends=tuple(ends if last_end else ends[:-1]),
        correct=correct,
    )


def read_responses(path: Path, encoder: "StepEncoder", *, last_end: bool = False) -> list[Response]:
    """The responses of a file of rows ``{"prompt": ..., "response": ...}``.

    ``response`` is a text or a list of steps. ``problem_id`` groups the responses to one problem, by default those with
    the same prompt; ``correct`` says whether a response is right.

    Raises:
        InputError: with ``file:line``, for a row of another form; the file is missing, or holds no row.
    """
    found = []
    for raw in local_rows(path):
        row = raw.parse()
        prompt, response, correct = row.get("prompt"), row.get("response"), row.get("correct")
        steps = [response] if isinstance(response, str) else response
        texts = isinstance(steps, list) and all(isinstance(step, str) and step.strip() for step in steps)
        if not isinstance(prompt, str) or not texts or not steps or not isinstance(correct, bool | None):
            raise InputError(
                "not a response",
                where=raw.where,
                got=dict(row),
                expected="prompt: text, response: text or a list of steps, correct: true or false or nothing",
            )
        problem = Problem(id=str(row.get("problem_id", prompt)), prompt=prompt)
        found.append(encoded(problem, steps, encoder, last_end=last_end, correct=correct))
    if not found:
        raise InputError("the file holds no response", where=path, expected="one response a line (JSON lines)")
    return found


def _selected(tree: StepTree, select: Selection) -> list[int]:
    if select == "finished":
        return [leaf for leaf in tree.leaves() if tree.finished(leaf)]
    if "chosen" not in tree.meta:
        raise InputError(
            "no solution was chosen", where=tree.problem.id, expected="trees of a search", cure="Select finished."
        )
    chosen = tree.chosen
    return [chosen] if tree.finished(chosen) else []
