"""Engines without a model: what they say is written down in the test."""

from collections.abc import Callable, Mapping, Sequence

from prmkit.generate import Continuation, Generation, Sampling, TooLong
from prmkit.generate.format import PolicyFormat
from prmkit.generate.stop import StepStop
from prmkit.generate.text import PolicyText
from prmkit.generate.thoughts import Closing
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.score import Scores
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.tree import Finish, Problem, StepTree


def at(string: str | None) -> StepStop | None:
    """Ends a continuation where it holds the string."""
    return None if string is None else StepStop(Closing(string))


class CharTokenizer:
    """One token a character."""

    name_or_path = "characters"
    chat_template = None
    bos_token = None
    bos_token_id = None
    unk_token_id = None
    all_special_tokens: Sequence[str] = ()
    added_tokens_decoder: Mapping[int, object] = {}

    def __call__(self, text: str, **options: object) -> Mapping[str, list[int]]:
        return {"input_ids": list(map(ord, text))}

    def __len__(self) -> int:
        return 512

    def decode(self, ids: Sequence[int], **options: object) -> str:
        return "".join(map(chr, ids))

    def batch_decode(self, rows: Sequence[Sequence[int]], **options: object) -> list[str]:
        return list(map(self.decode, rows))

    def get_vocab(self) -> dict[str, int]:
        return {chr(token): token for token in range(512)}


def char_encoder() -> StepEncoder:
    """A PRM's text with one token a character, a step a line."""
    return StepEncoder(CharTokenizer(), StepFormat())  # type: ignore[arg-type]


def char_text(format: PolicyFormat | None = None) -> PolicyText:
    """A policy's text with one token a character; without a format a step a line."""
    return PolicyText(CharTokenizer(), format or PolicyFormat())  # type: ignore[arg-type]


class ScriptedGenerator:
    """Writes what ``script(prompt text, sample index)`` says: a text and why it ended."""

    def __init__(self, script: Callable[[str, int], tuple[str, Finish]]) -> None:
        self.script = script
        self.requests: list[tuple[str, int]] = []

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
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


class Typewriter:
    """Writes on, a token a character, what ``rest(text so far)`` says is left of its solution; stops where it is told.

    Text that it finds behind its own, such as a closing by force, is a part of what it reads like any other.
    """

    def __init__(self, rest: Callable[[str], str]) -> None:
        self.rest = rest
        self.requests: list[tuple[str, int]] = []

    async def generate(
        self,
        prompt_ids: Sequence[int],
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        prompt = "".join(map(chr, prompt_ids))
        self.requests.append((prompt, sampling.max_tokens))
        text, finish = self._written(self.rest(prompt), sampling.max_tokens, stop)
        return Generation(
            continuations=(Continuation(ids=tuple(map(ord, text)), finish=finish),) * n,
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=n * (len(text) + (finish == "eos")),
            flops=0.0,
        )

    def _written(self, rest: str, limit: int, stop: StepStop | None) -> tuple[str, Finish]:
        for length in range(1, len(rest) + 1):
            if stop is not None and (length == stop.tokens or stop.cut(rest[:length], length - 1) is not None):
                return rest[:length], "stop"
            if length == limit:
                return rest[:length], "length"
        return rest, "eos"


class NarrowPolicy(Typewriter):
    """A typewriter with a context, by default one that writes steps "ab" without end.

    Args:
        context: its tokens, of prompt and continuation together.
        rest: see Typewriter.
        told: whether it tells its context. One that does not refuses a prompt that leaves no room, as a server does.
        says: whether the refusal says how large the context is.
    """

    def __init__(
        self,
        context: int,
        rest: Callable[[str], str] = lambda prompt: "ab\n" * 50,
        *,
        told: bool = True,
        says: bool = True,
    ) -> None:
        super().__init__(rest)
        if told:
            self.context = context
        self._limit, self._says = context, says

    async def generate(
        self,
        prompt_ids: Sequence[int],
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        room = self._limit - len(prompt_ids)
        if room < 1:
            self.requests.append(("refused", len(prompt_ids)))
            raise TooLong(context=self._limit if self._says else None)
        fitting = sampling.model_copy(update={"max_tokens": min(room, sampling.max_tokens)})
        return await super().generate(prompt_ids, n, sampling=fitting, seed=seed, stop=stop, drawn=drawn)


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
        text=char_text(),
        sampling=Sampling(),
        grader_for=lambda domain, grading: LastStepGrader(),
        scorer=scorer,
        seed=seed,
        journal=journal or Journal(),
    )
    # A tree without steps is false, and still the tree that was given.
    return Session(StepTree(Problem(id="p", prompt="?", answer="4")) if tree is None else tree, engines)
