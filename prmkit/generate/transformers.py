"""The in-process generator: a Hugging Face causal LM under continuous batching."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, GeneratorConfig, Sampling
from prmkit.generate.decoding import Decoder
from prmkit.generate.engine_thread import EngineThread, Ticket
from prmkit.generate.request import Asked, Request, Row
from prmkit.generate.stops import StopStrings
from prmkit.models.backbone import load_causal_lm
from prmkit.models.encode import StepEncoder
from prmkit.models.flops import forward_flops
from prmkit.models.kv_reader import KVReader, Reading, out_of_memory
from prmkit.models.kv_rows import prepared, token_bytes
from prmkit.models.kv_tree import KVTree
from prmkit.models.placement import key_value_room, placed

_LOG = logging.getLogger(__name__)

Asking = TypeVar("Asking", Request, Row)

_PREFILL_TOKENS = 8192
"""Tokens of one forward pass over prompts."""


class TransformersGenerator:
    """Samples with a causal LM in this process.

    A row joins as soon as a place is free and leaves at the step that ends it. Its random numbers are fixed by (seed,
    sample, position), so what stands beside it does not change it. In float32 the text is the same too: where rounding
    could decide between two tokens, the row is looked at alone. 16-bit types round too coarsely for that.

    Prompts and what was written after them stay in a tree of key-values, so that n samples of a prompt and m
    continuations of a path compute it once.

    Args:
        model: a causal LM on its device.
        tokenizer: its tokenizer, for the end-of-sequence ids and for stop strings.
        max_rows: continuations decoded together. Memory that does not suffice halves it.
        memory: bytes of key-values, those of rows in flight and those in the tree together.

    Raises:
        InputError: the architecture is one whose key-values this engine cannot keep.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, max_rows: int = 256, memory: int = 1 << 30
    ) -> None:
        self.context = int(model.config.max_position_embeddings)
        self.eos_ids = _eos_ids(model, tokenizer)
        self.flops = forward_flops(model)
        self.tree = KVTree(memory)
        backbone, head = _parts(model)
        self._decoder = Decoder(backbone, head)
        self._reader = KVReader(backbone, self.tree, max_tokens=_PREFILL_TOKENS)
        self._stops = StopStrings(tokenizer)
        self._memory, self._token_bytes = memory, token_bytes(backbone)
        self._max_rows, self._longest = max_rows, 1
        self._starved, self._said = False, False
        self._requests: deque[Request] = deque()
        self._waiting: deque[Row] = deque()
        self._thread = EngineThread(self._step)

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        """See Generator.generate.

        Raises:
            RunError: the model gave NaN, or the memory does not suffice for one continuation alone.
        """
        if not prompt_ids:
            raise InputError("empty prompt", expected="at least one token")
        if len(prompt_ids) >= self.context:
            raise InputError(
                "the prompt fills the context", got=f"{len(prompt_ids)} tokens", expected=f"fewer than {self.context}"
            )
        return await self._thread.submit(Asked(tuple(prompt_ids), n, sampling, seed, stop or None))

    @torch.inference_mode()
    def _step(self, new: list[Ticket[Asked, Generation]]) -> bool:
        """Let who waits into free places, and decode one token of every row."""
        self._requests += (Request(ticket, self.context) for ticket in new)
        try:
            self._drop_cancelled()
            self._fill()
            self._decode()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                self._forget_all()
                raise
            self._retreat(error)
        except BaseException:
            self._forget_all()
            raise
        if self._decoder.rows or self._waiting or self._requests:
            return True
        self._decoder.clear()
        self.tree.limit, self._longest = self._memory, 1
        return False

    def _drop_cancelled(self) -> None:
        for index in reversed(range(len(self._decoder.rows))):
            if self._decoder.rows[index].request.over:
                self._decoder.leave(index)

    def _fill(self) -> None:
        """Give free places to rows that wait, and then to new requests."""
        while self._waiting or self._requests:
            # Every row in flight may grow to its limit.
            places = min(self._max_rows, self._memory // (self._token_bytes * self._longest))
            free = max(places, 1) - len(self._decoder.rows)
            if free <= 0:
                return
            if self._waiting:
                self._join(free)
            else:
                self._begin(free)

    def _begin(self, free: int) -> None:
        """Read the prompts of requests whose rows fill the free places, and draw the first token of each row."""
        requests: list[Request] = []
        while self._requests and free > 0:
            request = self._requests.popleft()
            if not request.over:
                requests.append(request)
                free -= len(request.rows)
        read: list[tuple[Request, Reading]] = []
        try:
            read = self._read([(request, request.asked.prompt_ids) for request in requests], last=True)
            rows = [row for request, _ in read for row in request.rows]
            tokens = self._first_tokens(read, rows)
        except BaseException:
            self._requests.extendleft(reversed(requests))
            for _, reading in read:
                self.tree.release(reading.node)
            raise
        for row, token in zip(rows, tokens, strict=True):
            row.take(token, self.eos_ids, self._stops)
        for request, reading in read:
            self._longest = max(self._longest, request.longest)
            request.spans += reading.spans
            request.cached -= reading.tokens
            for row in request.rows:
                if row.finish is None:
                    self.tree.hold(reading.node)
                    row.node = reading.node
                    self._waiting.append(row)
            self.tree.release(reading.node)
            request.answer_if_done(self.flops)

    def _first_tokens(self, read: list[tuple[Request, Reading]], rows: list[Row]) -> list[int]:
        """A token for each row of the requests, drawn after its prompt."""
        if not rows:
            return []
        logits_PV = self._decoder.head(torch.cat([reading.hidden_SE for _, reading in read]))
        owner_B = [index for index, (request, _) in enumerate(read) for _ in request.rows]
        return self._decoder.draw(logits_PV[owner_B], rows)

    def _join(self, free: int) -> None:
        """Let rows that wait take part. The past of those that had to leave for want of memory is read again."""
        first = [self._waiting[index] for index in range(min(free, len(self._waiting)))]
        lost = [(row, row.all_ids()[: row.past]) for row in first if row.node is None and not row.request.over]
        for row, reading in self._read(lost, last=False):
            row.node = reading.node
            row.request.spans += reading.spans
        self._decoder.reserve(len(self._decoder.rows) + len(first), max(row.past for row in first) + 1)
        for row in first:
            if row.node is not None and not row.request.over:
                self._decoder.join(row, row.node)
            self._release(row)
            self._waiting.popleft()

    def _read(self, asking: list[tuple[Asking, tuple[int, ...]]], *, last: bool) -> list[tuple[Asking, Reading]]:
        """Key-values of prefixes and, if asked for, the hidden state of each one's last token.

        A request whose prefix alone is too much for the memory fails, and stands not in what is returned.
        """
        read = []
        wants = [[len(ids) - 1] if last else [] for _, ids in asking]
        for (one, _), reading in zip(asking, self._reader.read_each([ids for _, ids in asking], wants), strict=True):
            if isinstance(reading, RunError):
                (one.request if isinstance(one, Row) else one).ticket.fail(reading)
            else:
                read.append((one, reading))
        return read

    def _decode(self) -> None:
        """Draw one token of every row, and take out the rows that it ends."""
        if not self._decoder.rows:
            return
        rows = list(self._decoder.rows)
        tokens = self._decoder.step()
        self._starved = False
        for row, token in zip(rows, tokens, strict=True):
            row.take(token, self.eos_ids, self._stops)
        for index in reversed(range(len(rows))):
            if rows[index].finish is not None:
                self._decoder.leave(index, self.tree)
                rows[index].request.answer_if_done(self.flops)
        # What rows in flight take is not there for the tree.
        self.tree.limit = max(0, self._memory - self._decoder.bytes)
        self.tree.evict()

    def _retreat(self, error: Exception) -> None:
        """Out of memory: go on with half the rows. The others wait, and lose nothing but their key-values."""
        rows = self._decoder.clear()
        self._waiting.extendleft(reversed(rows))
        self.tree.evict(0)
        if len(rows) <= 1 and self._starved:
            first = self._waiting[0].request if self._waiting else self._requests[0]
            reason = f"the memory does not suffice for one continuation ({error})"
            first.ticket.fail(RunError(f"{reason}. Give the engine more of it, or a smaller model."))
        self._starved = len(rows) <= 1
        self._max_rows = max(1, len(rows) // 2)
        if not self._said:
            self._said = True
            _LOG.warning("out of memory: at most %d continuations at once from now on, or fewer", self._max_rows)

    def _forget_all(self) -> None:
        """After an error that ends every request: be ready for others."""
        self._decoder.clear()
        self._requests.clear()
        for row in self._waiting:
            self._release(row)
        self._waiting.clear()

    def _release(self, row: Row) -> None:
        if row.node is not None:
            self.tree.release(row.node)
            row.node = None


def load_generator(config: GeneratorConfig) -> tuple[TransformersGenerator, StepEncoder]:
    """The policy of a recipe on its device, and the encoder that speaks its format.

    Raises:
        InputError: the folder or hub id holds no causal LM with a tokenizer, its architecture is not one that this
            engine can run, there is no such device, or its share of the memory is less than the weights take.
    """
    device = placed(config.device)
    model, tokenizer = load_causal_lm(config.name, getattr(torch, config.dtype), device=device)
    engine = TransformersGenerator(
        model, tokenizer, max_rows=config.max_rows, memory=key_value_room(model, config.memory)
    )
    return engine, StepEncoder(tokenizer, config.format)


def _parts(model: PreTrainedModel) -> tuple[PreTrainedModel, nn.Module]:
    """Backbone and LM head.

    Raises:
        InputError: the logits are not what the head makes of the backbone's hidden states.
    """
    backbone = cast(PreTrainedModel, model.base_model)
    head = cast(nn.Module, model.get_output_embeddings())
    ids_BN = torch.tensor([[1, 2]], device=model.device) % model.config.vocab_size
    with torch.inference_mode():
        logits_BNV = model(ids_BN).logits
        if not torch.allclose(head(backbone(ids_BN).last_hidden_state), logits_BNV, rtol=1e-3, atol=1e-3):
            raise InputError(
                "the transformers engine cannot run this architecture",
                where=type(model).__name__,
                got="logits that the LM head alone does not give",
                expected="an LM head without scaling or capping",
                cure="Use another engine.",
            )
    return prepared(backbone), head


def _eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that ends a sequence: the tokenizer's and the generation config's (chat models list several)."""
    declared = model.generation_config.eos_token_id if model.generation_config is not None else None
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)
