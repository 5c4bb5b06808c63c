"""The in-process generator: one batched decoding loop over a Hugging Face causal LM.

Shapes: P prompts, B rows (continuations in flight), T prompt length, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.generate import Continuation, Generation, GeneratorConfig, Sampling
from prmkit.generate.batcher import Batcher
from prmkit.models.backbone import load_causal_lm
from prmkit.models.encode import StepEncoder
from prmkit.models.flops import forward_flops
from prmkit.tree import Finish


@dataclass(frozen=True, slots=True)
class _Request:
    prompt_ids: tuple[int, ...]
    n: int
    sampling: Sampling
    seed: int
    stop: str | None


@dataclass(slots=True)
class _Row:
    """One continuation in flight."""

    request: int
    sampling: Sampling
    limit: int
    uniforms: np.ndarray
    ids: list[int] = field(default_factory=list)
    finish: Finish | None = None

    def take(self, token: int, ends: frozenset[int]) -> None:
        if token in ends:
            self.finish = "eos"
            return
        self.ids.append(token)
        if len(self.ids) >= self.limit:
            self.finish = "length"


class TransformersGenerator:
    """Samples with a causal LM in this process.

    Every row draws from its own counter-based random stream, keyed by (seed, sample index), so what stands beside it
    in a batch does not change it.

    Args:
        model: a causal LM in evaluation mode on its device.
        tokenizer: its tokenizer, for the end-of-sequence ids.
        max_rows: continuations decoded together.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, max_rows: int = 256) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.context = int(model.config.max_position_embeddings)
        self.eos_ids = _eos_ids(model, tokenizer)
        self.flops = forward_flops(model)
        self._batcher = Batcher(self._run, size=lambda request: request.n, capacity=max_rows)

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        """See Generator.generate."""
        if not prompt_ids:
            raise InputError("empty prompt", expected="at least one token")
        if len(prompt_ids) >= self.context:
            raise InputError(
                "the prompt fills the context", got=f"{len(prompt_ids)} tokens", expected=f"fewer than {self.context}"
            )
        return await self._batcher.submit(_Request(tuple(prompt_ids), n, sampling, seed, stop))

    @torch.inference_mode()
    def _run(self, requests: list[_Request]) -> list[Generation]:
        rows = [
            _Row(
                request=index,
                sampling=request.sampling,
                limit=min(request.sampling.max_tokens, self.context - len(request.prompt_ids)),
                uniforms=np.random.Generator(np.random.Philox(key=[request.seed, sample])).random(
                    request.sampling.max_tokens
                ),
            )
            for index, request in enumerate(requests)
            for sample in range(request.n)
        ]
        self._decode(requests, rows)
        return [
            self._generation(request, [row for row in rows if row.request == index])
            for index, request in enumerate(requests)
        ]

    def _generation(self, request: _Request, rows: list[_Row]) -> Generation:
        prompt, sampled = len(request.prompt_ids), [len(row.ids) + (row.finish == "eos") for row in rows]
        # The last sampled token is not computed, and every other one is read by the LM head, as the prompt's last is.
        decoded = sum(self.flops.of(tokens - 1, before=prompt, read=tokens - 1) for tokens in sampled)
        return Generation(
            continuations=tuple(Continuation(ids=tuple(r.ids), finish=r.finish or "length") for r in rows),
            cached_tokens=0,
            prefill_tokens=prompt,
            decode_tokens=sum(sampled),
            flops=self.flops.of(prompt, read=1) + decoded,
        )

    def _decode(self, requests: list[_Request], rows: list[_Row]) -> None:
        logits_PV, cache, mask_PT = self._prefill(requests)
        # A prompt is computed once and its cache is shared out to all its rows.
        live = rows
        index_B = torch.tensor([row.request for row in rows], device=logits_PV.device)
        cache.batch_select_indices(index_B)
        logits_BV, mask_BT = logits_PV[index_B], mask_PT[index_B]
        while True:
            tokens_B = _sample(logits_BV, live)
            for row, token in zip(live, tokens_B.tolist(), strict=True):
                row.take(token, self.eos_ids)
                stop = requests[row.request].stop
                if row.finish is None and stop is not None and stop in str(self.tokenizer.decode(row.ids)):
                    row.finish = "stop"
            keep = [index for index, row in enumerate(live) if row.finish is None]
            if not keep:
                return
            if len(keep) < len(live):
                live = [live[index] for index in keep]
                keep_B = torch.tensor(keep, device=tokens_B.device)
                cache.batch_select_indices(keep_B)
                tokens_B, mask_BT = tokens_B[keep_B], mask_BT[keep_B]
            mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(live), 1)], dim=1)
            output = self.model(
                input_ids=tokens_B[:, None],
                attention_mask=mask_BT,
                position_ids=mask_BT.sum(dim=1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            )
            logits_BV = output.logits[:, -1]

    def _prefill(self, requests: list[_Request]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        device = self.model.device
        longest = max(len(request.prompt_ids) for request in requests)
        ids_PT = torch.zeros(len(requests), longest, dtype=torch.long, device=device)
        mask_PT = torch.zeros_like(ids_PT)
        for index, request in enumerate(requests):
            ids_PT[index, longest - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids, device=device)
            mask_PT[index, longest - len(request.prompt_ids) :] = 1
        cache = DynamicCache()
        output = self.model(
            input_ids=ids_PT,
            attention_mask=mask_PT,
            position_ids=(mask_PT.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1], cache, mask_PT


def _sample(logits_BV: torch.Tensor, rows: list[_Row]) -> torch.Tensor:
    """One token a row, by inverting the cumulative distribution at the row's own uniform number."""
    device = logits_BV.device
    temperature_B = torch.tensor([row.sampling.temperature for row in rows], device=device)
    top_p_B = torch.tensor([row.sampling.top_p for row in rows], device=device)
    uniform_B = torch.tensor([row.uniforms[len(row.ids)] for row in rows], device=device, dtype=torch.float64)
    greedy_B = logits_BV.argmax(dim=-1)
    probs_BV = torch.softmax(logits_BV.double() / temperature_B.clamp(min=1e-6)[:, None], dim=-1)
    if bool((top_p_B < 1).any()):
        sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True)
        outside_BV = sorted_BV.cumsum(dim=-1) - sorted_BV >= top_p_B[:, None]
        probs_BV = torch.zeros_like(probs_BV).scatter(1, order_BV, sorted_BV.masked_fill(outside_BV, 0.0))
    cumulative_BV = probs_BV.cumsum(dim=-1)
    target_B1 = (uniform_B * cumulative_BV[:, -1])[:, None]
    tokens_B = torch.searchsorted(cumulative_BV, target_B1, right=True)[:, 0].clamp(max=logits_BV.shape[1] - 1)
    return torch.where(temperature_B == 0, greedy_B, tokens_B)


def load_generator(config: GeneratorConfig) -> tuple[TransformersGenerator, StepEncoder]:
    """The policy of a recipe on this machine's GPU, or CPU, and the encoder that speaks its format.

    Raises:
        InputError: the folder or hub id holds no causal LM with a tokenizer.
    """
    model, tokenizer = load_causal_lm(config.name, getattr(torch, config.dtype))
    return TransformersGenerator(model, tokenizer, max_rows=config.max_rows), StepEncoder(tokenizer, config.format)


def _eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that ends a sequence: the tokenizer's and the generation config's (chat models list several)."""
    declared = model.generation_config.eos_token_id if model.generation_config is not None else None
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)
