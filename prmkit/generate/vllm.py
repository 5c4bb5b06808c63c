"""The generator in vLLM."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from transformers import AutoModelForCausalLM

from prmkit.errors import RunError
from prmkit.generate import Continuation, Generation, GeneratorConfig, Sampling, check_prompt, together
from prmkit.generate.by_strings import up_to_step
from prmkit.generate.config import VllmEngine
from prmkit.generate.likely import Likely, NextTokens
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import TokenTexts
from prmkit.generate.text import PolicyText
from prmkit.generate.vllm_engine import Vllm
from prmkit.models.backbone import load_text_config
from prmkit.models.causes import refusals
from prmkit.models.ends import NO_ENDS, TurnEnds
from prmkit.models.flops import ForwardFlops, forward_flops
from prmkit.models.folder import check_weight_files
from prmkit.models.names import model_folder
from prmkit.models.tokenizer import load_tokenizer
from prmkit.run.seeds import derived_seed


@dataclass(frozen=True, slots=True)
class _Portion:
    """What one request of vLLM wrote."""

    prompt: int
    cached: int
    sampled: int
    continuation: Continuation


class VllmGenerator:
    """Samples with vLLM.

    Each continuation is a request of its own with its own seed, so that it does not depend on what else runs; the
    prompt that they share is computed once, up to vLLM's block size.

    Args:
        engine: a language model in vLLM.
        flops: what its forward pass costs.
        texts: what its tokens say.
        ends: what ends a sequence besides the declared ends, such as the end of a turn.
    """

    def __init__(self, engine: Vllm, flops: ForwardFlops, texts: TokenTexts, *, ends: TurnEnds = NO_ENDS) -> None:
        self.meter, self.context = engine.meter, engine.context
        self._engine = engine
        self._flops = flops
        self._texts = texts
        self._end_ids, self._marks = sorted(ends.ids), ends.texts

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
        """See Generator.generate."""
        check_prompt(prompt_ids, self.context)
        draw = partial(
            up_to_step,
            self._ask,
            self._texts,
            prompt_ids,
            sampling=sampling,
            stop=stop,
            room=self.context - len(prompt_ids),
            marks=self._marks,
        )
        written = await together(draw(seed=derived_seed(seed, sample + n * drawn)) for sample in range(n))
        portions = [portion for _, each in written for portion in each]
        return Generation(
            continuations=tuple(continuation for continuation, _ in written),
            cached_tokens=sum(one.cached for one in portions),
            prefill_tokens=sum(one.prompt - one.cached for one in portions),
            decode_tokens=sum(one.sampled for one in portions),
            flops=sum(self._flops.of(one.prompt - one.cached, before=one.cached, read=1) for one in portions)
            # The last sampled token is not computed, and every other one is read by the LM head.
            + sum(self._flops.of(one.sampled - 1, before=one.prompt, read=one.sampled - 1) for one in portions),
        )

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """See TellsNextTokens. vLLM tells at most 20, unless ``engine.options`` raises ``max_logprobs``."""
        check_prompt(prompt_ids, self.context)
        output = await self._engine.sample(prompt_ids, Sampling(max_tokens=1), 0, likely=top)
        found = (output.outputs[0].logprobs or [{}])[0]
        cached = output.num_cached_tokens or 0
        return NextTokens(
            tokens=tuple(Likely(self._texts.alone(token), one.logprob) for token, one in found.items()),
            cached_tokens=cached,
            prefill_tokens=len(prompt_ids) - cached,
            flops=self._flops.of(len(prompt_ids) - cached, before=cached, read=1),
        )

    async def _ask(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]) -> _Portion:
        output = await self._engine.sample(prompt_ids, sampling, seed, stop=stop, end_ids=self._end_ids)
        one = output.outputs[0]
        return _Portion(
            prompt=len(prompt_ids),
            cached=output.num_cached_tokens or 0,
            sampled=len(one.token_ids),
            continuation=continuation(one.token_ids, one.finish_reason, one.stop_reason, self._end_ids),
        )


def load_generator(config: GeneratorConfig) -> tuple[VllmGenerator, PolicyText]:
    """The policy of a recipe in vLLM, and the text in which it is spoken to.

    Raises:
        InputError: vLLM is not installed, or the model or an option is wrong.
        RunError: vLLM did not start.
    """
    assert isinstance(config.engine, VllmEngine)
    text = PolicyText(load_tokenizer(config.name), config.format)
    folder = model_folder(config.name)
    check_weight_files(folder, config.name)
    with refusals("model", config.name, folder), torch.device("meta"):
        flops = forward_flops(AutoModelForCausalLM.from_config(load_text_config(config.name), trust_remote_code=False))
    engine = Vllm(
        str(folder),
        config.engine,
        dtype=config.dtype,
        device=config.device,
        memory=config.memory,
        limits={"max_num_seqs": config.max_rows},
    )
    return VllmGenerator(engine, flops, TokenTexts(text.tokenizer), ends=text.ends), text


def continuation(
    ids: Sequence[int], finish_reason: str | None, stop_reason: int | str | None, end_ids: Collection[int] = ()
) -> Continuation:
    """What vLLM wrote, in our terms: it names a stop string as the reason, or nothing or an id for an end of sequence.

    An end among ``end_ids`` is one also where its text holds a stop string, which vLLM then names.

    Raises:
        RunError: the request ended in any other way, such as an abort by the server.
    """
    if finish_reason == "length":
        return Continuation(ids=tuple(ids), finish="length")
    if finish_reason == "stop":
        if isinstance(stop_reason, str) and not (ids and ids[-1] in end_ids):
            return Continuation(ids=tuple(ids), finish="stop")
        return Continuation(ids=tuple(ids[:-1]), finish="eos")
    raise RunError(f"vLLM ended a request for another reason, {finish_reason!r}")
