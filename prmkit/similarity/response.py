"""What is compared: responses to problems, as token ids."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prmkit.errors import InputError
from prmkit.tree import StepTree

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.models.encode import StepEncoder

Selection = Literal["finished", "chosen"]
"""Every finished solution of a problem, or the one that the search chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response in its context.

    ``ids`` are the prompt and the response; the first ``prompt_length`` of them are the prompt. ``text`` is the
    response as a person reads it.

    Raises:
        InputError: the prompt or the response is empty.
    """

    problem_id: str
    ids: tuple[int, ...]
    prompt_length: int
    text: str

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
    trees: Iterable[StepTree], encoder: "StepEncoder", select: Selection, *, per_problem: int | None = None
) -> Iterator[Response]:
    """The selected solutions of each tree as responses, at most ``per_problem`` of them; a problem may have none.

    Raises:
        InputError: the chosen solutions are asked for, and a tree does not come from a search.
    """
    for tree in trees:
        prompt_length = len(encoder.problem_ids(tree.problem))
        for leaf in _selected(tree, select)[:per_problem]:
            steps = tree.steps(leaf)
            ids, _ = encoder.path_ids(tree.problem, steps)
            yield Response(
                problem_id=tree.problem.id, ids=tuple(ids), prompt_length=prompt_length, text="\n".join(steps)
            )


def _selected(tree: StepTree, select: Selection) -> list[int]:
    if select == "finished":
        return [leaf for leaf in tree.leaves() if tree.finished(leaf)]
    if "chosen" not in tree.meta:
        raise InputError(
            "no solution was chosen", where=tree.problem.id, expected="trees of a search", cure="Select finished."
        )
    chosen = int(tree.meta["chosen"])
    return [chosen] if tree.finished(chosen) else []
