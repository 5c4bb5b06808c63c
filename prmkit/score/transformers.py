"""The in-process scorer: a PRM over the paths of a tree, each token once, batched across problems.

Shapes: S step ends.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from prmkit.errors import RunError
from prmkit.generate.config import context_asked
from prmkit.generate.engine_thread import EngineThread, Ticket
from prmkit.generate.meter import Meter
from prmkit.kv.placement import key_value_room, placed
from prmkit.kv.prepared import past_attention, prepared
from prmkit.kv.reader import KVReader, SequenceReading
from prmkit.kv.tree import KVTree
from prmkit.kv.whole import WholeReader
from prmkit.models.causes import refusals
from prmkit.models.checkpoint import LoadedPRM
from prmkit.models.context import context_of, engine_context
from prmkit.models.flops import forward_flops
from prmkit.models.foreign.adapters import load_any_prm
from prmkit.models.names import model_folder
from prmkit.score import PrmConfig, Scores
from prmkit.score.paths import asked_by_tip, check_length
from prmkit.tree import StepTree

_LOG = logging.getLogger(__name__)

_FULL = 4
"""Forward passes whose requests are worked on at once."""


@dataclass(frozen=True, slots=True)
class _Path:
    """One root-to-node path as token ids, and the positions of the step ends that are asked for."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The score of every step that was asked for, and what was read from the cache and computed for them."""

    values: list[float]
    cached: int
    tokens: int
    flops: float


class TransformersScorer:
    """Scores with a PRM in this process.

    Paths that were scored stay in a tree of key-values, so that a search computes only its new steps, and a prefix that
    several paths share only once. Where layers carry more from token to token than keys and values, a warning says so,
    and each path is read as a whole.

    Args:
        loaded: a PRM with its tokenisation.
        max_tokens: tokens of one forward pass, padding included. Memory that does not suffice halves it.
        memory: bytes of key-values that are kept.
        context: longest text in tokens, if it shall be shorter than what the PRM reads.

    Raises:
        InputError: the architecture is one that this engine cannot read.
    """

    def __init__(
        self, loaded: LoadedPRM, *, max_tokens: int = 16384, memory: int = 1 << 30, context: int | None = None
    ) -> None:
        self.prm, self.encoder = loaded.prm.eval(), loaded.encoder
        # Where an architecture sets no limit, what the PRM was trained on does.
        longest = self.prm.context if context_of(self.prm.model.config) else loaded.meta.max_length
        self.context = min(context or longest, longest)
        self.flops = forward_flops(self.prm.model, loaded.prm.score)
        self.tree = KVTree(memory)
        self.meter = meter = Meter()
        self._reader = self._made_reader(max_tokens, lambda tokens: meter.add(read=tokens))
        self._waiting: deque[Ticket[list[_Path], _Found]] = deque()
        self._thread = EngineThread(self._step)

    def _made_reader(self, max_tokens: int, told: Callable[[int], None]) -> KVReader | WholeReader:
        model = self.prm.model
        finding = past_attention(model.config)
        if finding.chosen is not None:
            return KVReader(prepared(model), self.tree, max_tokens=max_tokens, told=told)
        _LOG.warning(
            "%s: its past is more than keys and values (%s), so each path is read as a whole, which takes longer",
            type(model).__name__,
            finding.fault,
        )
        return WholeReader(model, max_tokens=max_tokens, told=told)

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return len(self.encoder.path_ids(tree.problem, tree.steps(node))[0]) <= self.context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score.

        Raises:
            RunError: the PRM gave NaN, or the memory does not suffice for one path alone.
        """
        if not nodes:
            return Scores(values=(), cached_tokens=0, tokens=0, flops=0.0)
        asked = asked_by_tip(tree, nodes)
        found = await self._thread.submit([self._encode(tree, tip, on_path) for tip, on_path in asked.items()])
        score_of = dict(zip(chain.from_iterable(asked.values()), found.values, strict=True))
        return Scores(
            values=tuple(score_of[node] for node in nodes),
            cached_tokens=found.cached,
            tokens=found.tokens,
            flops=found.flops,
        )

    def _encode(self, tree: StepTree, tip: int, asked: Sequence[int]) -> _Path:
        ids, ends = self.encoder.path_ids(tree.problem, tree.steps(tip))
        check_length(tree, tip, len(ids), self.context)
        end_of = dict(zip(tree.path(tip), ends, strict=True))
        return _Path(tuple(ids), tuple(end_of[node] for node in asked))

    def _step(self, new: list[Ticket[list[_Path], _Found]]) -> bool:
        """Answer the requests that a few forward passes hold."""
        self._waiting += new
        batch: list[Ticket[list[_Path], _Found]] = []
        tokens = 0
        while self._waiting and tokens < _FULL * self._reader.max_tokens:
            ticket = self._waiting.popleft()
            if not ticket.dropped:
                batch.append(ticket)
                tokens += sum(len(path.ids) for path in ticket.request)
        try:
            self._answer(batch)
        except BaseException:
            self._waiting.clear()
            raise
        return bool(self._waiting)

    @torch.inference_mode()
    def _answer(self, batch: list[Ticket[list[_Path], _Found]]) -> None:
        paths = [path for ticket in batch for path in ticket.request]
        results = iter(self._reader.read_each([path.ids for path in paths], [path.ends for path in paths]))
        for ticket in batch:
            read = [next(results) for _ in ticket.request]
            readings = [reading for reading in read if isinstance(reading, SequenceReading)]
            try:
                for error in read:
                    if isinstance(error, RunError):
                        raise error
                ticket.answer(self._found(readings))
            except RunError as error:
                ticket.fail(error)
            for reading in readings:
                self._reader.release(reading)

    def _found(self, readings: list[SequenceReading]) -> _Found:
        logits_S = self.prm.score(torch.cat([reading.hidden_SE for reading in readings]))[:, 0]
        if bool(logits_S.isnan().any()):
            raise RunError("the PRM scored a step NaN; check its dtype and weights")
        tokens = sum(reading.tokens for reading in readings)
        return _Found(
            values=torch.sigmoid(logits_S.float()).tolist(),
            cached=self._reader.held(readings) - tokens,
            tokens=tokens,
            flops=sum(reading.flops(self.flops) for reading in readings) + self.flops.of(0, read=len(logits_S)),
        )


def load_scorer(config: PrmConfig) -> tuple[TransformersScorer, str]:
    """The PRM of a recipe on its device, and the source of the labels that it was trained on.

    Raises:
        InputError: the folder is no PRM, its architecture is not one that this engine can run, there is no such device,
            or its share of the memory is less than the weights take.
    """
    assert config.checkpoint is not None
    loaded = load_any_prm(config.checkpoint, config.adapter, device=placed(config.device))
    memory = key_value_room(loaded.prm.model, config.memory)
    context = engine_context(loaded.prm.model.config, context_asked(config.engine), loaded.prm.length)
    with refusals("PRM", config.checkpoint, model_folder(config.checkpoint)):  # of architectures that nobody has tried
        scorer = TransformersScorer(loaded, max_tokens=config.max_tokens, memory=memory, context=context)
    return scorer, loaded.meta.label_source
