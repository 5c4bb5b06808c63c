import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.kv import whole
from prmkit.kv.reader import SequenceReading
from prmkit.kv.whole import WholeReader
from tests.zoo import BY_PLACE, RECURRENT, tiny_layers

SEQUENCES = [[3 + (7 * at + row) % 60 for at in range(length)] for row, length in enumerate((41, 5, 30, 12))]
POSITIONS = [[7, 40], [4], [], [0, 3, 11]]


@pytest.mark.parametrize("max_tokens", [1, 64, 4096])
@pytest.mark.parametrize("name", [*RECURRENT, *BY_PLACE])
def test_states_are_those_of_each_sequence_alone(name: str, max_tokens: int) -> None:
    model, told = tiny_layers(name), list[int]()
    readings = WholeReader(model, max_tokens=max_tokens, told=told.append).read_each(SEQUENCES, POSITIONS)
    for ids, places, reading in zip(SEQUENCES, POSITIONS, readings, strict=True):
        assert isinstance(reading, SequenceReading)
        with torch.inference_mode():
            expected = model(torch.tensor([ids]), use_cache=False).last_hidden_state[0, places]
        torch.testing.assert_close(reading.hidden_SE, expected, rtol=1e-3, atol=1e-4)
        assert (reading.node, reading.tokens) == (None, len(ids))
    assert sum(told) == sum(map(len, SEQUENCES))
    assert len(told) == {1: 4, 64: 4, 4096: 1}[max_tokens] - (max_tokens == 64)


def test_what_is_too_much_for_the_memory_alone_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(WholeReader):
        def _read(self, sequences: list[list[int]]) -> list[torch.Tensor]:  # type: ignore[override]
            if max(map(len, sequences)) * len(sequences) > 30:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super()._read(sequences)

    reader = Small(tiny_layers("lfm2"), max_tokens=4096)
    readings = reader.read_each(SEQUENCES, POSITIONS)
    assert [type(reading) for reading in readings] == [RunError, SequenceReading, SequenceReading, SequenceReading]
    assert reader.max_tokens < 4096
    assert reader.held([each for each in readings if isinstance(each, SequenceReading)]) == 5 + 30 + 12


def test_texts_that_change_beside_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "faithful_attention", lambda config: None)
    model: PreTrainedModel = tiny_layers("lfm2")
    with pytest.raises(InputError, match="cannot read texts of this architecture beside others"):
        WholeReader(model, max_tokens=64)
