import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import InputError
from prmkit.generate import Generation, GeneratorConfig, Sampling
from prmkit.generate.transformers import TransformersGenerator, load_generator
from prmkit.models.backbone import load_tokenizer
from tests.contracts.generator import GeneratorContract
from tests.tiny import tiny_backbone, tiny_tokenizer

PROMPTS = [[4, 5, 6], [7, 8], [9, 4, 5, 6, 7, 8]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "policy"
    tiny_backbone(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def generate(
    folder: Path, model: PreTrainedModel, prompts: list[list[int]], n: int, **sampling: float
) -> list[Generation]:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=64)

    async def main() -> list[Generation]:
        settings = Sampling(max_tokens=12, **sampling)  # type: ignore[arg-type]
        return await asyncio.gather(*(engine.generate(ids, n, sampling=settings, seed=sum(ids)) for ids in prompts))

    return asyncio.run(main())


def test_greedy_decoding_follows_the_argmax_of_a_plain_forward(folder: Path, model: PreTrainedModel) -> None:
    written = generate(folder, model, PROMPTS, 1, temperature=0.0)
    for prompt, generation in zip(PROMPTS, written, strict=True):
        ids = list(prompt)
        for token in generation.continuations[0].ids:
            with torch.no_grad():
                assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == token
            ids.append(token)


def test_what_stands_beside_a_request_does_not_change_it(folder: Path, model: PreTrainedModel) -> None:
    together = generate(folder, model, PROMPTS, 4)
    alone = [generate(folder, model, [prompt], 4)[0] for prompt in PROMPTS]
    assert together == alone


def test_samples_of_one_request_differ_and_another_seed_gives_others(folder: Path, model: PreTrainedModel) -> None:
    first, second = generate(folder, model, [[4, 5], [5, 4, 4]], 8)
    assert len(set(first.continuations)) > 1
    assert first.continuations != second.continuations


def test_sampled_frequencies_are_the_models_probabilities(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=4000)
    generation = asyncio.run(engine.generate([4, 5, 6], 4000, sampling=Sampling(max_tokens=1), seed=3))
    with torch.no_grad():
        probs = model(torch.tensor([[4, 5, 6]])).logits[0, -1].softmax(-1)
    counts = torch.zeros_like(probs)
    for one in generation.continuations:
        if one.ids:
            counts[one.ids[0]] += 1
    top = probs.topk(3).indices
    # Five standard deviations of a binomial share of 4000 draws.
    assert ((counts[top] / 4000 - probs[top]).abs() < 5 * (probs[top] * (1 - probs[top]) / 4000).sqrt()).all()


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=500)
    generation = asyncio.run(engine.generate([4, 5], 500, sampling=Sampling(max_tokens=1, top_p=0.3), seed=3))
    with torch.no_grad():
        probs, order = model(torch.tensor([[4, 5]])).logits[0, -1].softmax(-1).sort(descending=True)
    kept = int((probs.cumsum(0) - probs < 0.3).sum())
    assert {one.ids[0] for one in generation.continuations if one.ids} <= set(order[:kept].tolist())


def test_a_cut_continuation_says_length_and_tokens_are_counted(folder: Path, model: PreTrainedModel) -> None:
    generation = generate(folder, model, [[4, 5, 6]], 5)[0]
    for one in generation.continuations:
        assert (one.finish == "length") == (len(one.ids) == 12)
    assert generation.prefill_tokens == 3
    ended = sum(one.finish == "eos" for one in generation.continuations)
    assert generation.decode_tokens == sum(len(one.ids) for one in generation.continuations) + ended


@pytest.mark.parametrize(("prompt", "message"), [([], "empty prompt"), ([4] * 5000, "the prompt fills the context")])
def test_impossible_prompts_are_refused(folder: Path, model: PreTrainedModel, prompt: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        generate(folder, model, [prompt], 1)


def test_a_folder_without_a_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        load_generator(GeneratorConfig(name=str(tmp_path / "nothing")))
    assert "nothing" in str(raised.value)
    assert "\n" not in str(raised.value)


class TestContract(GeneratorContract):
    prompt = PROMPTS[2]

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, folder: Path, model: PreTrainedModel) -> TransformersGenerator:
        return TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=64)

    def decode(self, ids: Sequence[int]) -> str:
        return str(tiny_tokenizer().decode(ids))
