import asyncio
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, GeneratorConfig, Sampling, decoding
from prmkit.generate.likely import NextTokens
from prmkit.generate.transformers import TransformersGenerator, load_generator
from prmkit.models.ends import TurnEnds
from prmkit.models.tokenizer import load_tokenizer
from prmkit.tree import Problem
from tests.contracts.generator import GeneratorContract
from tests.fakes import at
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer, tiny_tokenizer
from tests.zoo import WINDOWED, few_first, tiny_speaker

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


def test_the_likeliest_tokens_behind_a_prompt_are_those_of_a_plain_forward(
    folder: Path, model: PreTrainedModel
) -> None:
    tokenizer = load_tokenizer(str(folder))
    engine = TransformersGenerator(model, tokenizer)

    async def main() -> list[NextTokens]:
        writing = asyncio.gather(*(engine.generate(ids, 2, sampling=Sampling(max_tokens=8), seed=1) for ids in PROMPTS))
        found = await asyncio.gather(*(engine.next_tokens(ids, 5) for ids in PROMPTS))
        await writing
        return [*found, await engine.next_tokens(PROMPTS[2], 10_000)]

    *found, everything = asyncio.run(main())
    for prompt, one in zip(PROMPTS, found, strict=True):
        with torch.no_grad():
            best = model(torch.tensor([prompt])).logits[0, -1].log_softmax(-1).topk(5)
        assert [token.text for token in one.tokens] == [tokenizer.decode([int(token)]) for token in best.indices]
        assert [token.logprob for token in one.tokens] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert one.cached_tokens + one.prefill_tokens == len(prompt)
    # What was looked at stands in the tree of key-values: its last token alone is computed again.
    assert (everything.cached_tokens, everything.prefill_tokens) in ((6, 0), (5, 1))
    assert sum(math.exp(token.logprob) for token in everything.tokens) == pytest.approx(1)
    with pytest.raises(InputError, match="the prompt fills the context"):
        asyncio.run(engine.next_tokens([4] * 256, 5))


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


def test_the_meter_has_the_tokens_of_a_request_before_it_ends(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    step, seen = engine._decoder.step, [0]

    def told() -> list[list[int]]:
        drawn = step()
        seen.append(seen[-1] + sum(map(len, drawn)))
        # Those of the steps before this one. The prompt's last token is computed with the first that is drawn.
        assert (engine.meter.drawn, engine.meter.read) == (seen[-2], 2)
        return drawn

    engine._decoder.step = told  # type: ignore[method-assign]
    sampling = Sampling(max_tokens=12)
    generation = asyncio.run(engine.generate([4, 5, 6], 5, sampling=sampling, seed=0))
    assert len(seen) > 3
    assert engine.meter.drawn == seen[-1] == generation.decode_tokens


def test_a_folder_without_a_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        load_generator(GeneratorConfig(name=str(tmp_path / "nothing")))
    assert "nothing" in str(raised.value)
    assert "\n" not in str(raised.value)


def ask(
    engine: TransformersGenerator,
    prompts: Sequence[Sequence[int]],
    n: int = 3,
    *,
    stop: str | None = None,
    tokens: int = 24,
) -> list[Generation]:
    """All prompts at once, each with its index as its seed."""

    async def main() -> list[Generation]:
        settings = Sampling(max_tokens=tokens)
        requests = [
            engine.generate(ids, n, sampling=settings, seed=seed, stop=at(stop)) for seed, ids in enumerate(prompts)
        ]
        return await asyncio.gather(*requests)

    return asyncio.run(main())


def texts(generations: Sequence[Generation]) -> list[object]:
    return [generation.continuations for generation in generations]


class Steps:
    """``advance`` that writes down how many rows each decoding step has, and may run out of memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fits: float = math.inf) -> None:
        self.rows: list[int] = []
        self._real, self._fits = decoding.advance, fits
        monkeypatch.setattr(decoding, "advance", self)

    def __call__(self, model: PreTrainedModel, kv: object, ids_BN: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        if len(lengths) > self._fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.rows.append(len(lengths))
        return self._real(model, kv, ids_BN, lengths)  # type: ignore[arg-type]


CROWD = [PROMPTS[index % 3] + [4 + index % 11] for index in range(24)]


@pytest.fixture(scope="module")
def crowd_texts(folder: Path, model: PreTrainedModel) -> list[object]:
    return texts(ask(TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=1), CROWD))


@pytest.mark.parametrize(("max_rows", "memory"), [(2, 1 << 30), (7, 60_000), (256, 1 << 30), (256, 0)])
def test_same_seed_different_concurrency_identical_text(
    folder: Path, model: PreTrainedModel, crowd_texts: list[object], max_rows: int, memory: int
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=max_rows, memory=memory)
    assert texts(ask(engine, CROWD)) == crowd_texts
    assert texts(ask(engine, CROWD)) == crowd_texts  # from the cache


def test_where_rounding_could_decide_a_second_look_does(folder: Path, model: PreTrainedModel) -> None:
    """An LM head whose rounding depends on the batch, as those of GPUs do, between tokens of equal logits."""

    class Head(torch.nn.Module):
        def forward(self, hidden_BE: torch.Tensor) -> torch.Tensor:
            logits_BV = model.get_output_embeddings()(hidden_BE).round(decimals=1)
            noise_BV = torch.rand(logits_BV.shape, generator=torch.Generator().manual_seed(len(logits_BV)))
            return logits_BV + 2e-5 * noise_BV

    def greedy(max_rows: int, n: int = 1) -> list[object]:
        engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=max_rows)
        engine._decoder.head = Head()

        async def main() -> list[Generation]:
            settings = Sampling(max_tokens=24, temperature=0.0)
            return await asyncio.gather(*(engine.generate(ids, n, sampling=settings, seed=0) for ids in CROWD))

        return texts(asyncio.run(main()))

    assert greedy(1) == greedy(5) == greedy(64)
    assert greedy(1, n=3) == greedy(64, n=3)  # three rows of a lane look again together


def computed(generation: Generation) -> int:
    """Tokens that a request computes from its prompt's last one on: each prefix that its rows share once."""
    drawn = [(one.ids if one.finish == "eos" else one.ids[:-1]) for one in generation.continuations]
    return len({ids[:length] for ids in drawn for length in range(len(ids) + 1)})


def test_a_freed_place_is_taken_at_the_next_step(
    folder: Path, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=6)
    steps = Steps(monkeypatch)
    generations = ask(engine, CROWD)
    assert sum(steps.rows) == sum(map(computed, generations))  # nothing twice, and no row after its end
    last = next(index for index, rows in enumerate(steps.rows) if rows < 6)
    assert steps.rows[:last] == [6] * last
    assert last > 0.7 * len(steps.rows)


def test_rows_that_have_drawn_the_same_are_computed_as_one(
    folder: Path, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    engine.eos_ids = frozenset()
    steps = Steps(monkeypatch)

    def write(n: int, temperature: float) -> Generation:
        settings = Sampling(max_tokens=9, temperature=temperature)
        return asyncio.run(engine.generate(PROMPTS[0], n, sampling=settings, seed=3))

    greedy = write(8, 0.0)
    assert len(set(greedy.continuations)) == 1
    assert steps.rows == [1] * 9
    assert greedy.decode_tokens == 8 * 9
    # The prompt of 3 tokens, and 8 of the 9 that were drawn: the last one is never computed.
    assert greedy.flops == pytest.approx(engine.flops.of(11, read=9))
    steps.rows.clear()
    sampled = write(8, 2.0)
    assert steps.rows[0] == 1
    assert steps.rows[-1] == len({one.ids[:-1] for one in sampled.continuations}) > 1
    assert steps.rows == sorted(steps.rows)


def test_requests_that_begin_together_with_one_prompt_share_lanes_and_each_pays(
    folder: Path, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    asked = [
        (PROMPTS[0], 3, Sampling(max_tokens=8, temperature=0.7), 1, None),
        (PROMPTS[0], 2, Sampling(max_tokens=5, temperature=0.3, top_p=0.9), 2, "b"),
        (PROMPTS[0], 1, Sampling(max_tokens=3, temperature=0.0), 3, None),
        (PROMPTS[1], 1, Sampling(max_tokens=8), 4, None),
    ]

    async def write(some: list[tuple[list[int], int, Sampling, int, str | None]]) -> list[Generation]:
        return await asyncio.gather(
            *(
                engine.generate(ids, n, sampling=sampling, seed=seed, stop=at(stop))
                for ids, n, sampling, seed, stop in some
            )
        )

    asyncio.run(write(asked))  # so that no prompt has to be read
    steps = Steps(monkeypatch)
    together = asyncio.run(write(asked))
    assert steps.rows[0] == 2
    assert sum(steps.rows) < sum(map(computed, together))
    assert together == [asyncio.run(write([one]))[0] for one in asked]


def test_a_part_for_which_the_memory_does_not_suffice_waits_and_loses_nothing(
    folder: Path, model: PreTrainedModel, crowd_texts: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork(decoder: decoding.Decoder, index: int, lane: object, *, coming: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(decoding.Decoder, "fork", fork)
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    generations = ask(engine, CROWD)
    assert texts(generations) == crowd_texts
    # From the tree, where its past was kept, so that it is not computed again.
    assert sum(each.prefill_tokens for each in generations) == sum(
        each.prefill_tokens for each in ask(TransformersGenerator(model, load_tokenizer(str(folder))), CROWD)
    )


def test_a_prompt_is_computed_once_and_so_is_what_was_written_after_it(folder: Path, model: PreTrainedModel) -> None:
    """But for a prompt's last token, which every request computes."""
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    prompt = PROMPTS[2]
    (first,) = ask(engine, [prompt], 8)
    assert (first.cached_tokens, first.prefill_tokens) == (0, len(prompt))
    (again,) = ask(engine, [prompt], 1)
    assert (again.cached_tokens, again.prefill_tokens) == (len(prompt) - 1, 1)
    written = [*prompt, *first.continuations[0].ids]
    # Of the last token that was drawn nothing had been computed, unless an end was drawn after it.
    (on,) = ask(engine, [written], 2)
    assert (on.cached_tokens, on.prefill_tokens) == (len(written) - 1, 1)
    together = ask(TransformersGenerator(model, load_tokenizer(str(folder))), [prompt, [*prompt, 5], prompt[:3]])
    assert sum(each.prefill_tokens for each in together) == len(prompt) + 3
    assert sum(each.cached_tokens for each in together) == len(prompt) + 1


def test_flops_are_those_of_the_tokens_computed(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    prompt = len(PROMPTS[0])
    for cached in (0, prompt - 1):
        (one,) = ask(engine, [PROMPTS[0]], 2)
        first, second = (each.ids if each.finish == "eos" else each.ids[:-1] for each in one.continuations)
        shared = next(at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
        assert one.flops == pytest.approx(
            engine.flops.of(prompt - cached, before=cached, read=1)
            + engine.flops.of(len(first), before=prompt, read=len(first))
            + engine.flops.of(len(second) - shared, before=prompt + shared, read=len(second) - shared)
        )


@pytest.mark.parametrize("what", ["stop", "eos"])
def test_at_the_last_token_allowed_an_end_and_a_stop_come_before_the_limit(
    folder: Path, model: PreTrainedModel, what: str
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    (free,) = ask(engine, [PROMPTS[0]], 1)
    ids = free.continuations[0].ids
    at = next(at for at in range(2, len(ids)) if ids[at] not in ids[:at])
    if what == "eos":
        engine.eos_ids = frozenset({ids[at]})
        (cut,) = ask(engine, [PROMPTS[0]], 1, tokens=at + 1)
        assert (cut.continuations[0].ids, cut.continuations[0].finish) == (ids[:at], "eos")
        assert cut.decode_tokens == at + 1
    else:
        stop = str(engine._ends._tokenizer.decode([ids[at]]))
        (cut,) = ask(engine, [PROMPTS[0]], 1, stop=stop, tokens=at + 1)
        assert (cut.continuations[0].ids, cut.continuations[0].finish) == (ids[: at + 1], "stop")


def test_the_context_ends_a_continuation(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    engine.eos_ids = frozenset()
    prompt = [4] * (engine.context - 2)
    (one,) = ask(engine, [prompt], 2)
    assert [(len(each.ids), each.finish) for each in one.continuations] == [(2, "length")] * 2


def test_a_cancelled_request_leaves_within_one_step(
    folder: Path, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)), max_rows=8)
    engine.eos_ids = frozenset()
    steps = Steps(monkeypatch)

    async def main() -> tuple[int, Generation]:
        dropped = asyncio.ensure_future(engine.generate([4, 5], 12, sampling=Sampling(max_tokens=200), seed=1))
        kept = asyncio.ensure_future(engine.generate([4, 6], 2, sampling=Sampling(max_tokens=20), seed=2))
        while len(steps.rows) < 5:
            await asyncio.sleep(0.001)
        dropped.cancel()
        seen = len(steps.rows)
        with pytest.raises(asyncio.CancelledError):
            await dropped
        return seen, await kept

    seen, kept = asyncio.run(main())
    assert [one.finish for one in kept.continuations] == ["length"] * 2
    assert max(steps.rows[:seen]) == 8
    # The step under way may end, and so may one that began while this thread looked.
    assert set(steps.rows[seen + 2 :]) <= {1, 2}
    assert engine.tree.bytes <= engine._memory
    assert all(node.users == 0 for node in engine.tree)


@pytest.mark.parametrize("fits", [1, 3, 10])
def test_out_of_memory_goes_on_with_fewer_rows_says_so_once_and_loses_nothing(
    folder: Path,
    model: PreTrainedModel,
    crowd_texts: list[object],
    fits: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    steps = Steps(monkeypatch, fits)
    with caplog.at_level(logging.WARNING):
        generations = ask(engine, CROWD)
    assert texts(generations) == crowd_texts
    assert max(steps.rows) <= fits
    assert [record.message.split(":")[0] for record in caplog.records] == ["out of memory"]


def test_a_continuation_that_does_not_fit_alone_fails_and_the_engine_goes_on(
    folder: Path, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    with monkeypatch.context() as patch:
        Steps(patch, fits=0)
        with pytest.raises(RunError, match="the memory does not suffice for one continuation"):
            ask(engine, [PROMPTS[0]])
    assert len(ask(engine, [PROMPTS[0]])[0].continuations) == 3


def test_a_policy_that_gives_nan_is_an_error_and_the_engine_goes_on(folder: Path, model: PreTrainedModel) -> None:
    engine = TransformersGenerator(model, load_tokenizer(str(folder)))
    head, engine._decoder.head = engine._decoder.head, torch.nn.Linear(32, model.config.vocab_size)
    torch.nn.init.constant_(engine._decoder.head.weight, math.nan)  # type: ignore[arg-type]
    with pytest.raises(RunError, match="NaN"):
        ask(engine, CROWD)
    engine._decoder.head = head
    assert len(ask(engine, CROWD)) == len(CROWD)


@pytest.mark.parametrize("kind", WINDOWED)
def test_greedy_decoding_goes_beyond_windows_and_original_contexts(folder: Path, kind: str) -> None:
    policy = tiny_speaker(kind)
    prompt = torch.randint(3, 40, (37,), generator=torch.Generator().manual_seed(2)).tolist()
    (written,) = generate(folder, policy, [prompt], 1, temperature=0.0)
    policy.set_attn_implementation("eager")
    ids = list(prompt)
    for token in written.continuations[0].ids:
        with torch.no_grad():
            assert int(policy(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no such device, got 'cuda:7'; expected one of cpu"):
        load_generator(GeneratorConfig(name=str(folder), device="cuda:7"))


def test_a_share_of_the_memory_that_holds_no_weights_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="the weights take more than the engine's share of the memory"):
        load_generator(GeneratorConfig(name=str(folder), memory=1e-9))


def test_a_stop_string_inside_a_token_ends_there(tmp_path: Path) -> None:
    """Of the contract, for a tokenizer whose tokens hold a full stop and a line end in one."""
    tokenizer = tiny_bpe_tokenizer()
    tiny_backbone(tmp_path / "policy", tokenizer=tokenizer)
    engine, _ = load_generator(GeneratorConfig(name=str(tmp_path / "policy")))
    stop = "a"
    for generation in ask(engine, [[5, 6], [7]], 8, stop=stop, tokens=60):
        for one in generation.continuations:
            assert (one.finish == "stop") == (stop in tokenizer.decode(one.ids))
            assert stop not in tokenizer.decode(one.ids[:-1])


class TestContract(GeneratorContract):
    prompt = PROMPTS[2]

    @pytest.fixture(scope="class", params=["qwen2", *few_first(*WINDOWED)])
    @classmethod
    def engine(cls, folder: Path, model: PreTrainedModel, request: pytest.FixtureRequest) -> TransformersGenerator:
        policy = model if request.param == "qwen2" else tiny_speaker(request.param)
        return TransformersGenerator(policy, load_tokenizer(str(folder)), max_rows=64)

    def decode(self, ids: Sequence[int]) -> str:
        return str(tiny_tokenizer().decode(ids))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestContractOnAGPU(TestContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, folder: Path) -> TransformersGenerator:
        return load_generator(GeneratorConfig(name=str(folder), device="cuda:0", memory=0.1, max_rows=64))[0]


def test_a_text_of_several_tokens_ends_a_solution_and_is_no_part_of_it(folder: Path, model: PreTrainedModel) -> None:
    tokenizer = load_tokenizer(str(folder))
    settings = Sampling(max_tokens=12)

    def written(ends: TurnEnds) -> Generation:
        engine = TransformersGenerator(model, tokenizer, ends=ends)
        return asyncio.run(engine.generate(PROMPTS[0], 8, sampling=settings, seed=3))

    free = written(TurnEnds())
    one = max(free.continuations, key=lambda each: len(each.ids))
    assert len(one.ids) > 5
    mark = tokenizer.decode(one.ids[3:5])
    found = written(TurnEnds(texts=(mark,)))
    marked = found.continuations[free.continuations.index(one)]
    assert (marked.ids, marked.finish) == (one.ids[:3], "eos")
    # Both tokens of the mark were drawn, and all but the last one computed.
    others = [
        (each, marked) for each, marked in zip(free.continuations, found.continuations, strict=True) if each != one
    ]
    assert all(mine == theirs or mark in tokenizer.decode(mine.ids) for mine, theirs in others)
    assert found.decode_tokens < free.decode_tokens
    assert found.decode_tokens >= sum(len(each.ids) for each in found.continuations) + 2
    assert 0 < found.flops < free.flops


def test_a_base_model_ends_where_its_chat_template_does(tmp_path: Path) -> None:
    """Its declared end is never written; the end of a turn is one token, or has none and is spelled."""
    for special in (("<|endoftext|>", "<|im_start|>", "<|im_end|>"), ("<|endoftext|>",)):
        tokenizer = tiny_bpe_tokenizer(special, eos_token="<|endoftext|>", pad_token="<|endoftext|>")
        tokenizer.chat_template = (
            "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        )
        name = tiny_backbone(tmp_path / str(len(special)), tokenizer=tokenizer)
        answer = "We add.\n\nIt is 4.<|im_end|>\n<|im_start|>user\nAnother one?"
        ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
        engine, text = load_generator(GeneratorConfig(name=name))
        context = text.begin(Problem(id="p", prompt="2 + 2?"))
        prompt = context.prompt
        engine._decoder.head = Recited(len(tokenizer), ids)  # type: ignore[assignment]
        solved = asyncio.run(engine.generate(prompt, 1, sampling=Sampling(max_tokens=200), seed=1))
        (whole,) = solved.continuations
        assert whole.finish == "eos"
        assert [step.text for step in text.steps(context, whole)[0]] == ["We add.", "It is 4."]
        assert solved.decode_tokens == len(
            tokenizer("We add.\n\nIt is 4.<|im_end|>", add_special_tokens=False)["input_ids"]
        )
        engine._decoder.head = Recited(len(tokenizer), ids)  # type: ignore[assignment]
        cut = asyncio.run(engine.generate(prompt, 1, sampling=Sampling(max_tokens=len(whole.ids)), seed=1))
        assert cut.continuations[0].finish == "length"


class Recited(torch.nn.Module):
    """An LM head that gives one token after the other."""

    def __init__(self, vocabulary: int, ids: Sequence[int]) -> None:
        super().__init__()
        self.vocabulary, self.ids, self.drawn = vocabulary, list(ids), 0

    def forward(self, hidden_BE: Tensor) -> Tensor:
        logits_BV = torch.full((*hidden_BE.shape[:-1], self.vocabulary), -1e4)
        logits_BV[..., self.ids[self.drawn]] = 0.0
        self.drawn += 1
        return logits_BV
