import asyncio
import itertools
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import RunError
from prmkit.generate import Generation, Sampling, decoding
from prmkit.generate.decoding import Decoder
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.lanes import Lane
from prmkit.generate.request import ActiveRequest, PromptRequest
from prmkit.kv.prepared import prepared
from prmkit.kv.reader import KVReader
from prmkit.kv.rows import token_bytes
from prmkit.kv.tree import KVTree
from tests.tiny import tiny_backbone

PROMPTS = [(4, 5, 6), (7, 8), (9, 4, 5, 6, 7, 8), (10, 11, 12, 13)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder = tiny_backbone(tmp_path_factory.mktemp("models") / "policy")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prepared(model.base_model)
    return model


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def next_token(model: PreTrainedModel, ids: Sequence[int]) -> int:
    """The likeliest one, by a plain forward pass over the whole text."""
    with torch.inference_mode():
        return int(model(torch.tensor([list(ids)]), use_cache=False).logits[0, -1].argmax())


class Running:
    """A decoder with lanes of greedy rows, and what it knows of their prompts."""

    def __init__(
        self, model: PreTrainedModel, loop: asyncio.AbstractEventLoop, *, temperature: float = 0.0, rows: int = 1
    ) -> None:
        self.model, self.loop = model, loop
        self.temperature, self.rows = temperature, rows
        self.tree = KVTree(1 << 20)
        self.reader = KVReader(model.base_model, self.tree, max_tokens=64)
        self.decoder = Decoder(model.base_model, model.get_output_embeddings())

    def lane(self, prompt: tuple[int, ...]) -> Lane:
        asked = PromptRequest(prompt, self.rows, Sampling(temperature=self.temperature), 0, None)
        ticket: Ticket[PromptRequest, Generation] = Ticket(asked, self.loop.create_future())
        return Lane(prompt, ActiveRequest(ticket, 256).rows)

    def join(self, *prompts: tuple[int, ...]) -> None:
        for prompt in prompts:
            lane = self.lane(prompt)
            (reading,) = self.reader.read([lane.ids[:-1]], [[]])
            self.decoder.join(lane, reading.node)

    def step(self) -> list[list[int]]:
        """One token of each row, which must be the same in all rows of a lane; each lane takes its token."""
        with torch.inference_mode():
            drawn = self.decoder.step()
        for lane, tokens in zip(self.decoder.lanes, drawn, strict=True):
            lane.drawn += (tokens[0],)
        return drawn

    def check(self, steps: int = 1) -> None:
        """Every lane goes on as its text alone would."""
        for _ in range(steps):
            expected = [[next_token(self.model, lane.ids)] * self.rows for lane in self.decoder.lanes]
            assert self.step() == expected


def test_every_lane_goes_on_as_its_text_alone_would(model: PreTrainedModel, loop: asyncio.AbstractEventLoop) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS)
    running.check(5)


def test_lanes_may_join_at_any_step(model: PreTrainedModel, loop: asyncio.AbstractEventLoop) -> None:
    running = Running(model, loop)
    for prompt in PROMPTS:
        running.join(prompt)
        running.check(2)
    assert [len(lane.drawn) for lane in running.decoder.lanes] == [8, 6, 4, 2]


@pytest.mark.parametrize("leaving", list(itertools.permutations(range(3), 2)))
def test_the_others_go_on_when_lanes_leave(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop, leaving: tuple[int, int]
) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS[:3])
    running.check(2)
    stay = {PROMPTS[index] for index in range(3)}
    for prompt in (PROMPTS[index] for index in leaving):
        running.decoder.leave([lane.prompt for lane in running.decoder.lanes].index(prompt))
        stay.remove(prompt)
        assert {lane.prompt for lane in running.decoder.lanes} == stay
        running.check(2)
    running.join(PROMPTS[3])  # in the place of one that left
    running.check(2)


def test_a_part_of_a_lane_goes_on_beside_it(model: PreTrainedModel, loop: asyncio.AbstractEventLoop) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS[:2])
    running.check(3)
    lane = running.decoder.lanes[0]
    # What was computed of both is the prompt and the tokens before the last, in which they differ.
    part = Lane(lane.prompt, running.lane(lane.prompt).rows, (*lane.drawn[:-1], 15))
    assert lane.drawn[-1] != 15
    running.decoder.fork(0, part)
    assert running.decoder.lanes[2] is part
    running.check(3)
    running.decoder.leave(0)
    running.check(2)


def test_the_rows_of_a_lane_are_computed_once(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    real = decoding.advance

    def advance(backbone: PreTrainedModel, kv: object, ids_BN: Tensor, lengths: list[int]) -> Tensor:
        shapes.append(tuple(ids_BN.shape))
        return real(backbone, kv, ids_BN, lengths)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "advance", advance)
    running = Running(model, loop, rows=6)
    running.join(*PROMPTS[:2])
    running.check(3)
    assert shapes == [(2, 1)] * 3


def test_room_grows_by_a_share_of_itself_and_keeps_what_it_holds(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop
) -> None:
    decoder = Decoder(model.base_model, model.get_output_embeddings())
    decoder._untouched_is_free = False  # as on a GPU
    assert decoder.bytes == 0
    assert decoder.reserve(1, 3).room == (1, 64)  # at least 64 tokens more at a time
    assert decoder.reserve(8, 64).room == (8, 64)
    assert decoder.reserve(9, 65).room == (10, 128)  # 8 + 8 / 4 rows, 64 + 64 tokens
    assert decoder.reserve(40, 1000).room == (40, 1000)  # or as much as is asked for
    assert decoder.reserve(41, 1001).room == (50, 1250)
    whole = decoder.reserve(2, 2)
    assert whole.room == (50, 1250)  # it never shrinks
    assert decoder.bytes == 50 * 1250 * token_bytes(model.base_model)
    assert decoder.clear() == []
    assert decoder.bytes == 0

    running = Running(model, loop)
    running.join(*PROMPTS)
    running.check(2)
    running.decoder.reserve(50, 300)
    running.check(2)


def test_on_a_cpu_rows_double_and_what_was_asked_for_counts(model: PreTrainedModel) -> None:
    decoder = Decoder(model.base_model, model.get_output_embeddings())
    assert decoder.reserve(8, 100).room == (8, 100)
    assert decoder.reserve(9, 100).room == (16, 100)
    assert decoder.reserve(9, 101).room == (16, 164)
    assert decoder.bytes == 9 * 101 * token_bytes(model.base_model)
    assert decoder.reserve(2, 150).room == (16, 164)
    assert decoder.bytes == 9 * 150 * token_bytes(model.base_model)


def test_room_for_all_parts_that_are_to_come_is_made_at_once(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop
) -> None:
    running = Running(model, loop)
    running.join(PROMPTS[0])
    running.check(3)
    lane = running.decoder.lanes[0]
    parts = [Lane(lane.prompt, running.lane(lane.prompt).rows, (*lane.drawn[:-1], token)) for token in range(14, 19)]
    for left, part in zip(range(5, 0, -1), parts, strict=True):
        running.decoder.fork(0, part, coming=left)
        assert running.decoder.reserve(1, 1).room[0] == 6
    running.check(3)


def test_what_was_computed_of_a_lane_is_kept_in_the_tree(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop
) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS[:2])
    running.check(4)
    lane = running.decoder.lanes[1]
    ids = lane.ids[:-1]  # the last token was drawn and not yet computed
    running.decoder.keep(1, ids, running.tree)
    (known, new) = running.reader.read([ids, lane.ids], [[], [len(ids)]])
    assert (known.tokens, new.tokens) == (0, 1)
    with torch.inference_mode():
        expected = model.base_model(torch.tensor([lane.ids]), use_cache=False).last_hidden_state[0, -1]
    torch.testing.assert_close(new.hidden_SE[0], expected, atol=1e-5, rtol=0)


def test_where_there_is_no_memory_to_keep_it_it_is_computed_again(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(model, loop)
    running.join(PROMPTS[0])
    running.check(4)
    lane = running.decoder.lanes[0]
    nodes, held = len(list(running.tree)), running.tree.bytes

    def take(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(decoding.KVRows, "take", take)
        running.decoder.keep(0, lane.ids[:-1], running.tree)
    assert (len(list(running.tree)), running.tree.bytes) == (nodes, held)
    running.check(2)

    monkeypatch.setattr(decoding.KVRows, "take", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # what is no lack of memory is not passed over
        running.decoder.keep(0, lane.ids[:-1], running.tree)


class Broken(nn.Module):
    """A head that gives NaN, or has no memory, at the call of that number."""

    def __init__(self, head: nn.Module, at: int, error: Exception | None) -> None:
        super().__init__()
        self.head, self.at, self.error, self.calls = head, at, error, 0

    def forward(self, hidden_BE: Tensor) -> Tensor:
        logits_BV: Tensor = self.head(hidden_BE)
        self.calls += 1
        if self.calls != self.at:
            return logits_BV
        if self.error is not None:
            raise self.error
        return logits_BV * torch.nan


@pytest.mark.parametrize("error", [None, torch.OutOfMemoryError("CUDA out of memory")])
def test_a_step_that_fails_has_changed_nothing(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop, error: Exception | None
) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS[:3])
    running.check(2)
    head = running.decoder.head
    running.decoder.head = Broken(head, 1, error)
    before = [(lane.prompt, lane.drawn) for lane in running.decoder.lanes]
    with pytest.raises((RunError, torch.OutOfMemoryError), match=r"NaN|out of memory"):
        running.step()
    assert [(lane.prompt, lane.drawn) for lane in running.decoder.lanes] == before
    running.decoder.head = head
    running.check(2)


def test_who_looks_again_is_charged_once_also_if_the_step_fails_and_is_repeated(
    model: PreTrainedModel, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_MARGIN", 1e9)  # every draw is a close one
    running = Running(model, loop, rows=2)
    running.join(*PROMPTS[:2])
    head = running.decoder.head
    # The first call is for all lanes, then each looks again; the second lane's look fails.
    running.decoder.head = Broken(head, 3, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(torch.OutOfMemoryError):
        running.step()
    running.decoder.head = head
    running.check(1)
    # Two rows of a lane look together, at the prompt's 3 and 2 tokens.
    assert [lane.rows[0].request.second_looks for lane in running.decoder.lanes] == [[3], [2]]


def test_in_sixteen_bits_nobody_looks_again(model: PreTrainedModel, loop: asyncio.AbstractEventLoop) -> None:
    """Where rounding decides, a text in company differs from one alone; looking again would cost and not help."""
    assert Decoder(model.base_model, model.get_output_embeddings())._margin > 0
    half = AutoModelForCausalLM.from_config(model.config, dtype=torch.bfloat16).eval()
    assert Decoder(half.base_model, half.get_output_embeddings())._margin == 0


def test_all_lanes_come_back_when_the_memory_is_freed(model: PreTrainedModel, loop: asyncio.AbstractEventLoop) -> None:
    running = Running(model, loop)
    running.join(*PROMPTS)
    lanes = list(running.decoder.lanes)
    assert running.decoder.bytes > 0
    assert running.decoder.clear() == lanes
    assert (running.decoder.lanes, running.decoder.bytes) == ([], 0)
    running.join(PROMPTS[1])  # and it is ready for others
    running.check(2)
