"""Engines without a model: what they say is written down in the test."""

from collections.abc import Callable, Sequence

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.packing.format import StepFormat
from prmkit.score import Scores
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.tree import Finish, Problem, StepTree


class CharEncoder:
    """One token a character; a step a line."""

    format = StepFormat()

    def problem_ids(self, problem: Problem) -> list[int]:
        return [ord(character) for character in problem.prompt + "\n"]

    def step_ids(self, text: str) -> list[int]:
        return [ord(character) for character in text + "\n"]

    def path_ids(self, problem: Problem, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        text, ends = problem.prompt + "\n", []
        for step in steps:
            text += step + "\n"
            ends.append(len(text) - 1)
        return [ord(character) for character in text], ends

    def steps_of(self, ids: Sequence[int]) -> list[str]:
        return [line for line in "".join(map(chr, ids)).split("\n") if line.strip()]


class ScriptedGenerator:
    """Writes what ``script(prompt text, sample index)`` says: a text and why it ended."""

    def __init__(self, script: Callable[[str, int], tuple[str, Finish]]) -> None:
        self.script = script
        self.requests: list[tuple[str, int]] = []

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        prompt = "".join(map(chr, prompt_ids))
        self.requests.append((prompt, n))
        written = [self.script(prompt, sample) for sample in range(n)]
        return Generation(
            continuations=tuple(Continuation(ids=tuple(map(ord, text)), finish=finish) for text, finish in written),
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=sum(len(text) for text, _ in written),
            flops=0.0,
        )


class TableScorer:
    """Scores a step by its text."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores
        self.asked: list[str] = []

    def fits(self, tree: StepTree, node: int) -> bool:
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        texts = [tree.nodes[node].text for node in nodes]
        self.asked += texts
        return Scores(values=tuple(self.scores[text] for text in texts), cached_tokens=0, tokens=len(texts), flops=0.0)


class LastStepGrader:
    """The answer is the last step; it is right if it equals the problem's."""

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        return [solution.rsplit("\n", 1)[-1] or None for solution in solutions]

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        known = list(dict.fromkeys(answer for answer in answers if answer is not None))
        return [None if answer is None else known.index(answer) for answer in answers]

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        return [answer == problem.answer for answer in answers]

    def close(self) -> None: ...


def make_session(
    generator: ScriptedGenerator,
    *,
    scorer: TableScorer | None = None,
    tree: StepTree | None = None,
    journal: Journal | None = None,
    seed: int = 0,
) -> Session:
    engines = Engines(
        generator=generator,
        encoder=CharEncoder(),  # type: ignore[arg-type]
        sampling=Sampling(),
        grader_for=lambda domain, grading: LastStepGrader(),
        scorer=scorer,
        seed=seed,
        journal=journal or Journal(),
    )
    # A tree without steps is false, and still the tree that was given.
    return Session(StepTree(Problem(id="p", prompt="?", answer="4")) if tree is None else tree, engines)
