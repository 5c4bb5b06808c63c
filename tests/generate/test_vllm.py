import asyncio
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from prmkit.errors import InputError
from prmkit.generate import Continuation, Generation, Generator, GeneratorConfig, Sampling, TooLong, load_generator
from prmkit.generate.config import OpenAIEngine, VllmEngine
from prmkit.generate.likely import TellsNextTokens
from prmkit.generate.vllm import VllmGenerator
from prmkit.models.flops import forward_flops
from prmkit.models.tokenizer import load_tokenizer
from tests.contracts.generator import GeneratorContract
from tests.fakes import at
from tests.models.test_folder import FAULTS
from tests.models.test_no_code import CANARY, FILES, HARMLESS
from tests.served import VLLM, run

pytestmark = VLLM

LONG = [4 + index % 50 for index in range(300)]


class TestVllmGenerator(GeneratorContract):
    prompt = (40, 50, 60)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, vllm_generator: Generator, policy_folder: Path) -> Generator:
        cls.tokenizer = load_tokenizer(str(policy_folder))
        return vllm_generator

    def run(self, work):  # type: ignore[no-untyped-def]
        return run(work)

    def decode(self, ids):  # type: ignore[no-untyped-def]
        return self.tokenizer.decode(ids)


def test_greedy_text_is_that_of_transformers(vllm_generator: Generator, policy_folder: Path) -> None:
    greedy = Sampling(max_tokens=12, temperature=0.0)
    ids = list(run(vllm_generator.generate([40, 50, 60], 1, sampling=greedy, seed=0)).continuations[0].ids)
    model = AutoModelForCausalLM.from_pretrained(policy_folder, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([[40, 50, 60, *ids]])).logits[0, 2:-1]
    assert logits.argmax(-1).tolist() == ids


def test_the_likeliest_tokens_are_those_of_transformers(
    vllm_generator: Generator, policy_url: str, policy_folder: Path
) -> None:
    """In process and served, and where most of the prompt is in the cache."""
    prompt = [5 + index % 40 for index in range(300)]  # in nobody's cache yet
    engine = OpenAIEngine(name="openai", url=policy_url)
    generators = [vllm_generator, load_generator(GeneratorConfig(name=str(policy_folder), engine=engine))[0]]
    model = AutoModelForCausalLM.from_pretrained(policy_folder, dtype=torch.float32)
    with torch.no_grad():
        best = model(torch.tensor([prompt])).logits[0, -1].log_softmax(-1).topk(20).values.tolist()
    for generator in generators:
        assert isinstance(generator, TellsNextTokens)
        for _ in range(2):
            found = run(generator.next_tokens(prompt, 20))
            assert sorted((token.logprob for token in found.tokens), reverse=True)[:20] == pytest.approx(best, abs=1e-4)
            assert found.cached_tokens + found.prefill_tokens == 300
        assert found.cached_tokens == 256


def test_a_shared_prompt_is_computed_once_up_to_a_block(vllm_generator: Generator, policy_folder: Path) -> None:
    generation = run(vllm_generator.generate(LONG, 4, sampling=Sampling(max_tokens=2), seed=0))
    # Blocks of 128 tokens on a CPU: two of them hold 256 of the 300.
    assert generation.cached_tokens == 3 * 256
    assert generation.prefill_tokens == 300 + 3 * 44
    cost = forward_flops(AutoModelForCausalLM.from_pretrained(policy_folder))
    prefill = cost.of(300, read=1) + 3 * cost.of(44, before=256, read=1)
    decode = sum(
        cost.of(n - 1, before=300, read=n - 1)
        for n in [len(c.ids) + (c.finish == "eos") for c in generation.continuations]
    )
    assert generation.flops == pytest.approx(prefill + decode)


def test_many_seeded_requests_at_once_are_answered(vllm_generator: Generator) -> None:
    """Their prompts exceed what vLLM reads in a step; on a CPU its engine would end if it read one in chunks."""

    async def ask_all() -> list[Generation]:
        prompts = [[4 + (index * place) % 50 for place in range(300)] for index in range(1, 41)]
        sampling = Sampling(max_tokens=4)
        return await asyncio.gather(*(vllm_generator.generate(ids, 1, sampling=sampling, seed=3) for ids in prompts))

    assert all(1 <= len(found.continuations[0].ids) <= 4 for found in run(ask_all()))


@pytest.mark.parametrize("stop", [None, "zz"])
def test_a_text_of_several_tokens_ends_a_solution_and_is_no_part_of_it(
    vllm_generator: Generator, policy_folder: Path, stop: str | None
) -> None:
    tokenizer, greedy = load_tokenizer(str(policy_folder)), Sampling(max_tokens=24, temperature=0.0)

    def drawn() -> Continuation:
        return run(vllm_generator.generate([40, 50, 60], 1, sampling=greedy, seed=0, stop=at(stop))).continuations[0]

    whole = tokenizer.decode(drawn().ids)
    mark = whole[len(whole) // 2 :][:4]
    assert isinstance(vllm_generator, VllmGenerator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm_generator, "_marks", (mark,))
        found = drawn()
    assert (tokenizer.decode(found.ids), found.finish) == (whole.partition(mark)[0], "eos")


def test_the_last_token_of_the_context_is_drawn_and_no_other(vllm_generator: Generator) -> None:
    assert isinstance(vllm_generator, VllmGenerator)
    context = vllm_generator.context
    full = [4 + index % 50 for index in range(context)]
    one = run(vllm_generator.generate(full[:-1], 1, sampling=Sampling(max_tokens=9), seed=0)).continuations[0]
    assert one.finish == "eos" or (len(one.ids), one.finish) == (1, "length")
    with pytest.raises(TooLong):
        run(vllm_generator.generate(full, 1, sampling=Sampling(max_tokens=9), seed=0))


def test_no_code_of_a_model_runs_in_vllm(vllm_cpu: None, policy_folder: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(policy_folder, hostile)
    for kind in HARMLESS:
        FILES[kind](hostile)
    engine = VllmEngine(name="vllm", enforce_eager=True)
    generator, _ = load_generator(GeneratorConfig(name=str(hostile), engine=engine))
    assert len(run(generator.generate([40, 50], 1, sampling=Sampling(max_tokens=2), seed=0)).continuations) == 1
    assert not (hostile / CANARY).exists()


def test_what_is_wrong_with_a_model_is_said_before_vllm_starts(
    vllm_cpu: None, policy_folder: Path, tmp_path: Path
) -> None:
    for kind in ("missing shard", "weights cut off", "weights are a pointer", "code", "no weights"):
        shutil.copytree(policy_folder, tmp_path / kind)
        FAULTS[kind].spoil(tmp_path / kind)
        engine = VllmEngine(name="vllm", enforce_eager=True)
        with pytest.raises(InputError, match=FAULTS[kind].said):
            load_generator(GeneratorConfig(name=str(tmp_path / kind), engine=engine))
