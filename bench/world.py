"""Annotators in the synthetic world, where the truth of every step is known: writers and judges of a chosen quality.

They are engines as any other, behind the Generator protocol, and cost no time: what is measured with them is what the
algorithms ask and find, not how fast a model answers.
"""

import random
import re
from collections.abc import Mapping, Sequence

from prmkit.benchmarks import synthetic_math
from prmkit.benchmarks.synthetic_world import Slips, instructions_of
from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.format import PolicyFormat
from prmkit.generate.stop import StepStop
from prmkit.generate.text import PolicyText
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.tree import Problem, StepTree

_STEP = re.compile(r"([a-h]) = .* = (\d) # .*")
_JUDGED = re.compile(r"\[Problem\]\n(.*?)\n\n\[Solution\]\n(.*?)\n\nRead the solution", re.DOTALL)


class WordTokenizer:
    """One token a word or line end; the vocabulary grows as it reads."""

    name_or_path = "words"
    chat_template = None
    bos_token = None
    bos_token_id = None
    all_special_tokens: Sequence[str] = ()
    added_tokens_decoder: Mapping[int, object] = {}

    def __init__(self) -> None:
        self.words = ["\n"]
        self.ids = {"\n": 0}

    def __call__(self, text: str, **options: object) -> Mapping[str, list[int]]:
        return {"input_ids": self.encode(text)}

    def __len__(self) -> int:
        return len(self.words)

    def get_vocab(self) -> Mapping[str, int]:
        return {"\n": 0}

    def encode(self, text: str) -> list[int]:
        found = []
        for word in re.findall(r"\n|[^\s]+", text):
            if word not in self.ids:
                self.ids[word] = len(self.words)
                self.words.append(word)
            found.append(self.ids[word])
        return found

    def decode(self, ids: Sequence[int], **options: object) -> str:
        return "\n".join(line.strip() for line in " ".join(self.words[id] for id in ids).split("\n"))

    def batch_decode(self, rows: Sequence[Sequence[int]], **options: object) -> list[str]:
        return [self.decode(ids) for ids in rows]


class WriterGenerator:
    """A policy that goes on as the world's writer does, slips included, from whatever value it finds."""

    def __init__(self, tokenizer: WordTokenizer, slips: Slips) -> None:
        self.tokenizer, self.slips = tokenizer, slips

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        lines = self.tokenizer.decode(prompt_ids).strip("\n")
        written = [self.tokenizer.encode(self.reply(lines, random.Random(f"{seed}:{sample}"))) for sample in range(n)]
        return Generation(
            continuations=tuple(Continuation(ids=tuple(ids), finish="eos") for ids in written),
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=sum(map(len, written)),
            flops=0.0,
        )

    def reply(self, text: str, rng: random.Random) -> str:
        problem, *steps = text.split("\n")
        return "\n".join(continued(problem, steps, rng, self.slips)) + "\n"


class JudgeGenerator(WriterGenerator):
    """A judge that names the true first wrong step, but for a share of errors: it names none, or a neighbour."""

    def __init__(self, tokenizer: WordTokenizer, errors: float) -> None:
        super().__init__(tokenizer, Slips())
        self.errors = errors

    def reply(self, text: str, rng: random.Random) -> str:
        match = _JUDGED.search(text)
        assert match is not None
        steps = [line for line in match[2].split("\n") if not line.startswith("[Step ")]
        first = true_first_error(Problem(id="", prompt=match[1], answer=answer_of(match[1])), steps)
        # The same judge errs on the same solution, however often it is asked.
        own = random.Random(f"{self.errors}:{text}")
        if own.random() < self.errors:
            others = [-1, first - 1, first + 1] if first >= 0 else list(range(len(steps)))
            first = own.choice([other for other in others if -1 <= other < len(steps) and other != first])
        return f"First wrong step: {'none' if first < 0 else first + 1}\n"


def continued(problem: str, steps: Sequence[str], rng: random.Random, slips: Slips) -> list[str]:
    """The rest of a solution, from the value of its last step."""
    done = [match for step in steps if (match := _STEP.fullmatch(step))]
    if not done:
        return synthetic_math.write(problem, rng, slips)
    letter, value = done[-1][1], done[-1][2]
    left = [each for each in instructions_of(problem) if each.letter > letter]
    rest = " ".join([f"x = {value} .", *(each.text for each in left)])
    written = synthetic_math.write(rest, rng, slips)
    before = left[0].letter if left else ""
    return [re.sub(r"\bx\b", letter, step) if step.startswith(before + " ") and left else step for step in written]


def answer_of(prompt: str) -> str:
    """What the problem's instructions lead to."""
    return synthetic_math.write(prompt, random.Random(0), Slips(misread=0, miscalculate=0))[-1].removeprefix("#### ")


def true_first_error(problem: Problem, steps: Sequence[str]) -> int:
    """The 0-based first wrong step, -1 for none."""
    verdicts = synthetic_math.correct_steps(problem, list(steps))
    return verdicts.index(False) if False in verdicts else -1


def solutions(problems: Sequence[Problem], each: int, slips: Slips, seed: int) -> list[StepTree]:
    """``each`` solutions of every problem as one tree; a step that two begin with is one node."""
    trees = []
    for number, problem in enumerate(problems):
        tree = StepTree(problem)
        for sample in range(each):
            rng, node = random.Random(f"{seed}:{number}:{sample}"), -1
            steps = synthetic_math.write(problem.prompt, rng, slips)
            for place, text in enumerate(steps, start=1):
                same = [child for child in tree.children(node) if tree.nodes[child].text == text]
                finish = "eos" if place == len(steps) else "stop"
                node = same[0] if same else tree.add(node, text, finish=finish)
        trees.append(tree)
    return trees


def engines(kind: type[WriterGenerator], quality: object, journal: Journal, seed: int) -> Engines:
    """Engines of an annotator: a writer with its slips, or a judge with its share of errors."""
    tokenizer = WordTokenizer()
    generator = kind(tokenizer, quality)  # type: ignore[arg-type]
    text = PolicyText(tokenizer, PolicyFormat())  # type: ignore[arg-type]
    return Engines(generator=generator, text=text, sampling=Sampling(), journal=journal, seed=seed)
