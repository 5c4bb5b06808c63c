"""A real language model draws step by step the very text that it writes in one go."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from prmkit.generate import GeneratorConfig, Sampling, load_generator
from prmkit.generate.config import VllmEngine
from prmkit.session import Engines, Session
from prmkit.tree import ROOT, Problem, StepTree
from tests.served import EAGER, VLLM, run
from tests.smollm2 import SMOLLM2, needs_smollm2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), needs_smollm2]

_THINGS = ["apples", "pens", "books", "eggs", "coins", "shells", "cards", "stamps", "marbles", "tickets"]
PROMPTS = [
    f"Tom has {3 * number + 2} {thing} and buys {number + 4} more. He then gives away {number + 1} of them. "
    f"How many {thing} does Tom have? Explain each step."
    for number, thing in enumerate(_THINGS)
] + [f"Write a Python function that {what}, and show how to call it." for what in (
    "adds two numbers", "reverses a string", "counts vowels", "finds the largest number in a list", "checks for primes",
    "sorts a list of words", "computes a factorial", "removes duplicates", "joins words by commas", "sums even numbers",
)]  # fmt: skip

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module", params=["transformers", pytest.param("vllm", marks=VLLM)])
def policy(request: pytest.FixtureRequest) -> Iterator[tuple[Engines, Run]]:
    here = asyncio.new_event_loop()
    config = GeneratorConfig(name=str(SMOLLM2), sampling=Sampling(temperature=0, max_tokens=56))
    if request.param == "vllm":
        request.getfixturevalue("vllm_cpu")
        config = config.model_copy(update={"engine": VllmEngine(**EAGER, max_model_len=1024)})
    generator, text = load_generator(config)
    engines = Engines(generator=generator, text=text, sampling=config.sampling)
    yield engines, run if request.param == "vllm" else here.run_until_complete
    here.close()


async def in_one_go(session: Session) -> None:
    await session.complete(ROOT, 1)


async def step_by_step(session: Session) -> None:
    node = ROOT
    while node == ROOT or session.tree.nodes[node].finish == "stop":
        drawn = await session.expand(node, 1)
        if not drawn or drawn[0] == node:
            return
        node = drawn[0]


def test_at_temperature_0_steps_drawn_one_by_one_are_those_of_the_whole(policy: tuple[Engines, Run]) -> None:
    engines, run_to_end = policy

    async def both(number: int, prompt: str) -> tuple[StepTree, StepTree]:
        problem = Problem(id=str(number), prompt=prompt, answer="1")
        whole, steps = (Session(StepTree(problem), engines) for _ in range(2))
        await asyncio.gather(in_one_go(whole), step_by_step(steps))
        return whole.tree, steps.tree

    async def every() -> list[tuple[StepTree, StepTree]]:
        return await asyncio.gather(*(both(number, prompt) for number, prompt in enumerate(PROMPTS)))

    pairs = run_to_end(every())
    for whole, steps in pairs:
        assert [list(node.ids or ()) for node in steps] == [list(node.ids or ()) for node in whole]
        assert [(node.text, node.finish == "eos") for node in steps] == [
            (node.text, node.finish == "eos") for node in whole
        ]
        assert not any("<|im_end|>" in node.text for node in steps)
    assert sum(len(steps) > 1 for _, steps in pairs) >= 5


def test_the_policy_is_asked_as_it_was_trained(policy: tuple[Engines, Run]) -> None:
    engines, _ = policy
    text = engines.text
    begun = text.begin(Problem(id="p", prompt="How many?"))
    assert text.prompter.template == "chat"
    turns = [{"role": "user", "content": "How many?"}]
    asked = text.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    assert begun.prompt == list(asked)
    assert begun.text.endswith("<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n")
    assert text.step_end == "\n\n"


def test_a_step_drawn_with_a_seed_goes_on_as_the_whole_would(policy: tuple[Engines, Run]) -> None:
    """With the same random numbers, of an engine whose random numbers are its own."""
    engines, run_to_end = policy
    if not hasattr(engines.generator, "eos_ids"):
        pytest.skip("vLLM begins its random numbers anew with each request")
    text, sampling = engines.text, Sampling(temperature=0.8, max_tokens=48)

    async def compare(seed: int) -> bool:
        context = text.begin(Problem(id="p", prompt=PROMPTS[seed]))
        draw = engines.generator.generate
        whole = (await draw(context.prompt, 1, sampling=sampling, seed=seed)).continuations[0]
        drawn: list[int] = []
        finish = "stop"
        while finish == "stop":
            left = sampling.model_copy(update={"max_tokens": 48 - len(drawn)})
            asked = draw(context.prompt, 1, sampling=left, seed=seed, stop=text.stop(context), drawn=len(drawn))
            one = (await asked).continuations[0]
            context, finish = text.steps(context, one)[1], one.finish
            drawn += one.ids
        return (tuple(drawn), finish) == (whole.ids, whole.finish)

    async def every() -> list[bool]:
        return await asyncio.gather(*(compare(seed) for seed in range(6)))

    assert run_to_end(every()) == [True] * 6
