"""A language model as the judge of steps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from prmkit.errors import InputError, RunError
from prmkit.generate import (
    Continuation,
    Generation,
    Generator,
    GeneratorConfig,
    Sampling,
    TooLong,
    context_of,
    load_generator,
    together,
)
from prmkit.generate.config import ChatEngine
from prmkit.generate.likely import NextTokens, TellsNextTokens
from prmkit.generate.meter import meter_of
from prmkit.generate.speaker import Before, Speaker
from prmkit.models.backbone import load_text_config
from prmkit.models.context import readable
from prmkit.score import PrmConfig, Scores
from prmkit.score.config import JudgeEngine, Verdict
from prmkit.score.paths import check_length, path_seed
from prmkit.score.verdicts import place_of_verdict, probability_of_yes, verdict_in
from prmkit.tree import Problem, StepTree

_QUESTION = """\
Here is a problem and the beginning of a solution, step by step.

Problem: {problem}

{steps}

Is step {last} correct, given the steps before it? Think it over, then end with \\boxed{{yes}} or \\boxed{{no}}."""

_TRIES = 3
"""How often a judge that gives no verdict at all is asked."""

_TOP = 20
"""Likely tokens that are asked for: as many as servers tell."""


class _Weighed(NamedTuple):
    """The worth of a verdict, and what it cost to ask for more than the verdict."""

    value: float
    cost: NextTokens | None = None


class JudgeScorer:
    """Asks a language model for a verdict on each step.

    The score is the share of yes among its verdicts; or, by probability, the mean over its verdicts of the probability
    of yes against no, at the place where it gave the verdict. An answer without a verdict does not count; a judge that
    gives none, however often it is asked, ends the run. What it thinks before it answers is no answer.

    A question that its engine refuses as too long, or to which the context leaves no room for a verdict, is one that
    does not fit, from then on.

    Source of the probability: generative verifiers, arXiv 2408.15240; GenPRM, arXiv 2504.00891.

    Args:
        generator: the judge.
        text: speaks to it; the question goes into its own template.
        context: its longest sequence in tokens; None where only a server knows.
        sampling: how it answers.
        verdicts: how often it is asked about a step.
        seed: of its sampling.
        verdict: what a verdict is worth.
    """

    def __init__(
        self,
        generator: Generator,
        text: Speaker,
        *,
        context: int | None,
        sampling: Sampling,
        verdicts: int = 1,
        seed: int = 0,
        verdict: Verdict = "share",
    ) -> None:
        self.meter = meter_of(generator)
        self._generator = generator
        self._text = text
        self._context = context
        self._sampling = sampling
        self._verdicts = verdicts
        self._seed = seed
        self._by_probability = verdict == "probability"
        self._refused: set[str] = set()  # questions that turned out to be too long

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        begun = self._begin(tree, node)
        return (self._context is None or begun.tokens < self._context) and begun.text not in self._refused

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score. The tokens that the judge writes are among those computed.

        Raises:
            InputError: a path is too long for the judge, or its server tells no log-probabilities, and they are asked
                for.
        """
        judged = await together(self._judge(tree, node) for node in nodes)
        generations = [generation for _, asked, _ in judged for generation in asked]
        looks = [cost for _, _, weighed in judged for one in weighed if (cost := one.cost) is not None]
        return Scores(
            values=tuple(score for score, _, _ in judged),
            cached_tokens=sum(one.cached_tokens for one in generations) + sum(look.cached_tokens for look in looks),
            tokens=sum(one.prefill_tokens + one.decode_tokens for one in generations)
            + sum(look.prefill_tokens for look in looks),
            flops=sum(one.flops for one in generations) + sum(look.flops for look in looks),
        )

    async def _judge(self, tree: StepTree, node: int) -> tuple[float, list[Generation], list[_Weighed]]:
        context = self._begin(tree, node)
        if self._context is not None:
            check_length(tree, node, context.tokens, self._context - 1)
        asked: list[Generation] = []
        for attempt in range(_TRIES):
            seed = path_seed(self._seed + attempt, tree, node)
            try:
                found = await self._generator.generate(
                    context.prompt, self._verdicts, sampling=self._sampling, seed=seed
                )
            except TooLong:
                self._refused.add(context.text)
                raise
            asked.append(found)
            said = [(one, verdict_in(self._text.answer(context, one))) for one in asked[-1].continuations]
            weighed = await together(self._weigh(context, one, yes) for one, yes in said if yes is not None)
            if weighed:
                return sum(one.value for one in weighed) / len(weighed), asked, weighed
        if any(self._cut_by_context(context, one) for one in found.continuations):
            self._refused.add(context.text)
            raise TooLong("the judge's context leaves no room for a verdict", where=f"{tree.problem.id}, step {node}")
        raise RunError(
            f"{tree.problem.id}, step {node}: the judge gave no verdict, however often it was asked. "
            "Choose another one, or give it more max_tokens."
        )

    def _cut_by_context(self, context: Before, one: Continuation) -> bool:
        """Whether an answer ended before its limit, for the context did."""
        room = one.tokens if self._context is None else self._context - context.tokens
        return one.finish == "length" and room < self._sampling.max_tokens

    async def _weigh(self, context: Before, one: Continuation, yes: bool) -> _Weighed:
        """What a verdict is worth: 1 or 0, or its probability in the place where it stands."""
        if not self._by_probability:
            return _Weighed(float(yes))
        told = getattr(one, "likely", None)  # a chat tells the likeliest tokens with its answer
        place = place_of_verdict([text for text, _ in told] if told else self._text.pieces(context, one))
        cost = None
        if told and place is not None:
            tokens: Any = told[place.token][1]
        elif isinstance(self._generator, TellsNextTokens) and place is not None:
            cost = await self._generator.next_tokens([*context.prompt, *one.ids[: place.token]], _TOP)
            tokens = cost.tokens
        else:
            raise _tells_none("an answer without log-probabilities")
        found = probability_of_yes(tokens, place.lead)
        return _Weighed(float(yes) if found is None else found, cost)

    def _begin(self, tree: StepTree, node: int) -> Before:
        steps = tree.steps(node)
        shown = "\n\n".join(f"Step {number}: {text}" for number, text in enumerate(steps, start=1))
        question = _QUESTION.format(problem=tree.problem.prompt, steps=shown, last=len(steps))
        return self._text.begin(Problem(id=f"{tree.problem.id}/judge", prompt=question))


def load_scorer(config: PrmConfig) -> tuple[JudgeScorer, str]:
    """The judge of a recipe.

    Raises:
        InputError: its model, engine or options are wrong, or a probability is asked of an engine that tells none.
        RunError: its engine did not start.
    """
    assert isinstance(config.engine, JudgeEngine)
    policy, verdict = config.engine.generator, config.engine.verdict
    generator, text, context = _loaded(policy, likely=_TOP if verdict == "probability" else 0)
    scorer = JudgeScorer(
        generator,
        text,
        context=context,
        sampling=policy.sampling,
        verdicts=config.engine.verdicts,
        seed=config.engine.seed,
        verdict=verdict,
    )
    return scorer, "judge"


def _loaded(policy: GeneratorConfig, *, likely: int) -> tuple[Any, Speaker, int | None]:
    """The judge's engine, what speaks to it, and its context."""
    if isinstance(policy.engine, ChatEngine):
        from prmkit.generate.chat import load_generator as load_chat

        chat, chat_text = load_chat(policy, likely=likely)
        return chat, chat_text, chat.longest
    generator, text = load_generator(policy)
    if likely and not isinstance(generator, TellsNextTokens):
        raise _tells_none(policy.engine.name)
    context = context_of(generator)
    return generator, text, readable(load_text_config(policy.name)) if context is None else context


def _tells_none(got: str) -> InputError:
    return InputError(
        "the judge's engine tells no log-probabilities", where="engine.verdict", got=got, cure="Say verdict: share."
    )
