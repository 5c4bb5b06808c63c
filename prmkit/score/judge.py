"""A language model as the judge of steps."""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from prmkit.errors import RunError
from prmkit.generate import Generation, Generator, Sampling, load_generator, together
from prmkit.models.backbone import load_config
from prmkit.score import PrmConfig, Scores
from prmkit.score.config import JudgeEngine
from prmkit.score.paths import check_length, path_seed
from prmkit.tree import StepTree

_QUESTION = """\
Here is a problem and the beginning of a solution, step by step.

Problem: {problem}

{steps}

Is step {last} correct, given the steps before it? Think it over, then end with \\boxed{{yes}} or \\boxed{{no}}."""

_VERDICT = re.compile(r"\\boxed\{\s*(yes|no)\s*\}", re.IGNORECASE)

_TRIES = 3
"""How often a judge that gives no verdict at all is asked."""


class JudgeScorer:
    """Asks a language model for a verdict on each step; the score is the share of yes among its verdicts.

    An answer without a verdict does not count; a judge that gives none, however often it is asked, ends the run.

    Args:
        generator: the judge.
        tokenizer: its tokenizer; the question is put in its chat format, if it has one.
        context: its longest sequence in tokens.
        sampling: how it answers.
        verdicts: how often it is asked about a step.
        seed: of its sampling.
    """

    def __init__(
        self,
        generator: Generator,
        tokenizer: PreTrainedTokenizerBase,
        *,
        context: int,
        sampling: Sampling,
        verdicts: int = 1,
        seed: int = 0,
    ) -> None:
        self._generator = generator
        self._tokenizer = tokenizer
        self._context = context
        self._sampling = sampling
        self._verdicts = verdicts
        self._seed = seed

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return len(self._prompt_ids(tree, node)) < self._context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score. The tokens that the judge writes are among those computed."""
        judged = await together(self._judge(tree, node) for node in nodes)
        generations = [generation for _, asked in judged for generation in asked]
        return Scores(
            values=tuple(score for score, _ in judged),
            cached_tokens=sum(one.cached_tokens for one in generations),
            tokens=sum(one.prefill_tokens + one.decode_tokens for one in generations),
            flops=sum(one.flops for one in generations),
        )

    async def _judge(self, tree: StepTree, node: int) -> tuple[float, list[Generation]]:
        prompt_ids, asked = self._prompt_ids(tree, node), []
        check_length(tree, node, len(prompt_ids), self._context - 1)
        for attempt in range(_TRIES):
            seed = path_seed(self._seed + attempt, tree, node)
            asked.append(await self._generator.generate(prompt_ids, self._verdicts, sampling=self._sampling, seed=seed))
            texts = [str(self._tokenizer.decode(list(one.ids))) for one in asked[-1].continuations]
            verdicts = [found[-1].lower() == "yes" for text in texts if (found := _VERDICT.findall(text))]
            if verdicts:
                return sum(verdicts) / len(verdicts), asked
        raise RunError(
            f"{tree.problem.id}, step {node}: the judge gave no verdict, however often it was asked. "
            "Choose another one, or give it more max_tokens."
        )

    def _prompt_ids(self, tree: StepTree, node: int) -> list[int]:
        steps = tree.steps(node)
        shown = "\n\n".join(f"Step {number}: {text}" for number, text in enumerate(steps, start=1))
        question = _QUESTION.format(problem=tree.problem.prompt, steps=shown, last=len(steps))
        if self._tokenizer.chat_template is None:
            return list(self._tokenizer(question + "\n", split_special_tokens=True)["input_ids"])
        # Steps may spell a special token, which must not become one: the template is filled in after it is tokenised.
        turns = [{"role": "user", "content": "{question}"}]
        text = str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        before, _, after = text.partition("{question}")
        plain = self._tokenizer(question, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        around = [list(self._tokenizer(part, add_special_tokens=False)["input_ids"]) for part in (before, after)]
        return [*around[0], *plain, *around[1]]


def load_scorer(config: PrmConfig) -> tuple[JudgeScorer, str]:
    """The judge of a recipe.

    Raises:
        InputError: its model, engine or options are wrong.
        RunError: its engine did not start.
    """
    assert isinstance(config.engine, JudgeEngine)
    policy = config.engine.generator
    generator, encoder = load_generator(policy)
    scorer = JudgeScorer(
        generator,
        encoder.tokenizer,
        context=load_config(policy.name).max_position_embeddings,
        sampling=policy.sampling,
        verdicts=config.engine.verdicts,
        seed=config.engine.seed,
    )
    return scorer, "judge"
