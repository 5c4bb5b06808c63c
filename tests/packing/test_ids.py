import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prmkit.packing.ids import BYTES, packed, unpacked


@given(st.lists(st.integers(0, (1 << 31) - 1)))
def test_ids_come_back_and_numpy_reads_them(ids: list[int]) -> None:
    data = packed(ids)
    assert len(data) == BYTES * len(ids)
    assert unpacked(data) == ids == np.frombuffer(data, dtype=np.int32).tolist()
