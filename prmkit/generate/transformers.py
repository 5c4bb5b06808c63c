"""The in-process generator: a Hugging Face causal LM under continuous batching."""

import logging
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, GeneratorConfig, Sampling, check_prompt
from prmkit.generate.config import context_asked
from prmkit.generate.decoding import Decoder
from prmkit.generate.engine_thread import EngineThread, Ticket
from prmkit.generate.head import parts_of
from prmkit.generate.lanes import Lane
from prmkit.generate.likely import NextTokens
from prmkit.generate.looks import Look, answer_looks
from prmkit.generate.meter import Meter
from prmkit.generate.request import ActiveRequest, PromptRequest
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import StepEnds
from prmkit.generate.text import PolicyText
from prmkit.kv.placement import key_value_room, placed
from prmkit.kv.prepared import prepared
from prmkit.kv.reader import KVReader, out_of_memory
from prmkit.kv.rows import token_bytes
from prmkit.kv.tree import KVTree
from prmkit.models.backbone import load_causal_lm
from prmkit.models.causes import refusals
from prmkit.models.context import engine_context, settle_rope
from prmkit.models.ends import NO_ENDS, TurnEnds, declared_ends
from prmkit.models.flops import forward_flops
from prmkit.models.names import model_folder
from prmkit.models.tokenizer import load_tokenizer

_LOG = logging.getLogger(__name__)

_PREFILL_TOKENS = 8192
"""Tokens of one forward pass over prompts."""

_Ticket = Ticket[PromptRequest | Look, Generation | NextTokens]


class TransformersGenerator:
    """Samples with a causal LM in this process.

    A row joins as soon as a place is free and leaves at the step that ends it. Its random numbers are fixed by (seed,
    sample, position), so what stands beside it does not change it. In float32 the text is the same too: where rounding
    could decide between two tokens, the row is looked at alone. 16-bit types round too coarsely for that.

    Prompts and what was written after them stay in a tree of key-values, so that n samples of a prompt and m
    continuations of a path compute it once. Samples whose texts are the same so far are computed as one, a lane, and
    part where they differ.

    Args:
        model: a causal LM on its device.
        tokenizer: its tokenizer, for the end-of-sequence ids and for the text in which steps end.
        max_rows: lanes decoded together. Memory that does not suffice halves it.
        memory: bytes of key-values, those of rows in flight and those in the tree together.
        ends: what ends a sequence besides the declared ends, such as the end of a turn.
        context: prompt and answer together, in tokens; default: the model's.

    Raises:
        InputError: there is no end token, the model reads less than ``context``, or the architecture is one whose
            key-values this engine cannot keep.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_rows: int = 256,
        memory: int = 1 << 30,
        ends: TurnEnds = NO_ENDS,
        context: int | None = None,
    ) -> None:
        self.context = engine_context(model.config, context)
        settle_rope(model, context)
        self.eos_ids = frozenset(declared_ends(model.generation_config, tokenizer)).union(ends.ids)
        if not self.eos_ids and not ends.texts:
            raise InputError(
                "the policy has no end token, so none of its solutions would ever end",
                where=model.config.name_or_path or type(model).__name__,
                cure="Name it in generation_config.json (eos_token_id).",
            )
        self.flops = forward_flops(model)
        self.tree = KVTree(memory)
        backbone, head = parts_of(model)
        prepared(backbone)
        self._decoder = Decoder(backbone, head)
        self.meter = meter = Meter()
        self._reader = KVReader(
            backbone, self.tree, max_tokens=_PREFILL_TOKENS, told=lambda tokens: meter.add(read=tokens)
        )
        self._ends = StepEnds(tokenizer, ends.texts)
        self._answer_looks = partial(answer_looks, self._reader, head, self._ends.texts, self.flops)
        self._memory, self._token_bytes = memory, token_bytes(backbone)
        self._max_rows, self._longest = max_rows, 1
        self._starved, self._said = False, False
        self._requests: deque[ActiveRequest] = deque()
        self._waiting: deque[Lane] = deque()
        self._thread = EngineThread(self._step)

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
        """See Generator.generate.

        Raises:
            RunError: the model gave NaN, or the memory does not suffice for one continuation alone.
        """
        check_prompt(prompt_ids, self.context)
        asked = PromptRequest(tuple(prompt_ids), n, sampling, seed, stop, drawn)
        return cast(Generation, await self._thread.submit(asked))

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """See TellsNextTokens: one forward pass over what of the prompt is not in the tree of key-values.

        Raises:
            RunError: the model gave NaN, or the memory does not suffice for the prompt.
        """
        check_prompt(prompt_ids, self.context)
        return cast(NextTokens, await self._thread.submit(Look(tuple(prompt_ids), top)))

    @torch.inference_mode()
    def _step(self, new: list[_Ticket]) -> bool:
        """Let who waits into free places, and decode one token of every row."""
        looks = [ticket for ticket in new if isinstance(ticket.request, Look) and not ticket.dropped]
        self._requests += (
            ActiveRequest(cast("Ticket[PromptRequest, Generation]", ticket), self.context)
            for ticket in new
            if isinstance(ticket.request, PromptRequest)
        )
        try:
            self._answer_looks(cast("list[Ticket[Look, NextTokens]]", looks))
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
        if self._decoder.lanes or self._waiting or self._requests:
            return True
        self._decoder.clear()
        self.tree.limit, self._longest = self._memory, 1
        return False

    def _drop_cancelled(self) -> None:
        for index in reversed(range(len(self._decoder.lanes))):
            if not self._decoder.lanes[index].wanted():
                self._decoder.leave(index)
        for lane in [lane for lane in self._waiting if not lane.wanted()]:
            self._release(lane)
            self._waiting.remove(lane)

    def _free(self) -> int:
        """How many lanes may join those in flight, each of which may grow to its limit."""
        places = min(self._max_rows, self._memory // (self._token_bytes * self._longest))
        return max(places, 1) - len(self._decoder.lanes)

    def _fill(self) -> None:
        """Give free places to lanes that wait, and then to new requests."""
        while (self._waiting or self._requests) and (free := self._free()) > 0:
            if self._waiting:
                self._join(free)
            else:
                self._begin(free)

    def _begin(self, free: int) -> None:
        """Read the prompts of as many requests as there are places, but for their last tokens."""
        requests: list[ActiveRequest] = []
        lanes: dict[tuple[int, ...], Lane] = {}
        while self._requests and len(lanes) < free:
            request = self._requests.popleft()
            if not request.over:
                prompt = request.asked.prompt_ids
                lanes.setdefault(prompt, Lane(prompt, [])).rows += request.rows
                requests.append(request)
        try:
            self._read(list(lanes.values()))
        except BaseException:
            self._requests.extendleft(reversed(requests))
            raise
        for request in requests:
            self._longest = max(self._longest, request.longest)
            request.cached = len(request.asked.prompt_ids) - request.prefilled
        self._waiting += (lane for lane in lanes.values() if lane.node is not None)

    def _join(self, free: int) -> None:
        """Let lanes that wait take part. Those without a hold on their past read it, from the tree if it is there."""
        first = [self._waiting[index] for index in range(min(free, len(self._waiting)))]
        self._read([lane for lane in first if lane.node is None])
        self._decoder.reserve(len(self._decoder.lanes) + len(first), max(lane.past for lane in first) + 1)
        for lane in first:
            if lane.node is not None:
                self._decoder.join(lane, lane.node)
            self._release(lane)
            self._waiting.popleft()

    def _read(self, lanes: list[Lane]) -> None:
        """Let each lane hold its past in the tree. What has to be computed is paid by the first who asks.

        Where a past alone is too much for the memory, who asked for it fails, and the lane holds nothing.
        """
        readings = self._reader.read_each([lane.ids[:-1] for lane in lanes], [[] for _ in lanes])
        for lane, reading in zip(lanes, readings, strict=True):
            if isinstance(reading, RunError):
                for request in lane.requests():
                    request.ticket.fail(reading)
            else:
                lane.node = reading.node
                lane.rows[0].request.spans += reading.spans

    def _decode(self) -> None:
        """Draw one token of every row, take out the rows that it ends, and part the lanes whose rows differ."""
        if not self._decoder.lanes:
            return
        drawn = self._decoder.step()
        self.meter.add(drawn=sum(map(len, drawn)))
        self._starved = False
        parted: list[tuple[Lane, Lane]] = []
        for index in reversed(range(len(drawn))):
            lane = self._decoder.lanes[index]
            going = lane.take(drawn[index], self.eos_ids, self._ends)
            if ended := {row.request for row in lane.rows if row.finish is not None}:
                self._decoder.keep(index, lane.ids, self.tree)
                for request in ended:
                    request.answer_if_done(self.flops)
            if going:
                self._decoder.lanes[index] = going[0]
                parted += [(going[0], part) for part in going[1:]]
            else:
                self._decoder.leave(index)
        self._fork(parted)
        # What lanes in flight take is not there for the tree.
        self.tree.limit = max(0, self._memory - self._decoder.bytes)
        self.tree.evict()

    def _fork(self, parted: list[tuple[Lane, Lane]]) -> None:
        """Let the second of each pair go on beside the first. Where there is no room it waits, its past in the tree."""
        place = {id(lane): index for index, lane in enumerate(self._decoder.lanes)}
        for left, (lane, part) in zip(range(len(parted), 0, -1), parted, strict=True):
            try:
                if (free := self._free()) > 0:
                    self._decoder.fork(place[id(lane)], part, coming=min(free, left))
                    continue
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._decoder.keep(place[id(lane)], part.ids[:-1], self.tree)
            self._waiting.appendleft(part)

    def _retreat(self, error: Exception) -> None:
        """Out of memory: go on with half the rows. The others wait, and lose nothing but their key-values."""
        lanes = self._decoder.clear()
        self._waiting.extendleft(reversed(lanes))
        self.tree.evict(0)
        if len(lanes) <= 1 and self._starved:
            reason = f"the memory does not suffice for one continuation ({error})"
            for request in self._waiting[0].requests() if self._waiting else {self._requests[0]}:
                request.ticket.fail(RunError(f"{reason}. Give the engine more of it, or a smaller model."))
        self._starved = len(lanes) <= 1
        self._max_rows = max(1, len(lanes) // 2)
        if not self._said:
            self._said = True
            _LOG.warning("out of memory: at most %d continuations at once from now on, or fewer", self._max_rows)

    def _forget_all(self) -> None:
        """After an error that ends every request: be ready for others."""
        self._decoder.clear()
        self._requests.clear()
        for lane in self._waiting:
            self._release(lane)
        self._waiting.clear()

    def _release(self, lane: Lane) -> None:
        if lane.node is not None:
            self.tree.release(lane.node)
            lane.node = None


def load_generator(config: GeneratorConfig) -> tuple[TransformersGenerator, PolicyText]:
    """The policy of a recipe on its device, and the text in which it is spoken to.

    Raises:
        InputError: the folder or hub id holds no causal LM with a tokenizer, its architecture is not one that this
            engine can run, there is no such device, or its share of the memory is less than the weights take.
    """
    device = placed(config.device)
    text = PolicyText(load_tokenizer(config.name), config.format)  # a bad template is refused before the weights come
    model, tokenizer = load_causal_lm(
        config.name, getattr(torch, config.dtype), device=device, tokenizer=text.tokenizer
    )
    memory = key_value_room(model, config.memory)
    with refusals("policy", config.name, model_folder(config.name)):  # of architectures that nobody has tried
        engine = TransformersGenerator(
            model,
            tokenizer,
            max_rows=config.max_rows,
            memory=memory,
            ends=text.ends,
            context=context_asked(config.engine),
        )
    return engine, text
