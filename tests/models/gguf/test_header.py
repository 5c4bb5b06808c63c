import struct
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header, StoredTensor, read_header


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + values


KEYS = [
    key("general.architecture", 8, text("llama")),
    key("llama.block_count", 4, struct.pack("<I", 2)),
    key("llama.rope.freq_base", 6, struct.pack("<f", 0.5)),
    key("tokenizer.ggml.add_bos_token", 7, b"\1"),
    key("tokenizer.ggml.tokens", 9, array(8, 2, text("zwölf") + text(""))),
    key("tokenizer.ggml.token_type", 9, array(5, 3, struct.pack("<3i", 1, -3, 6))),
]
TENSOR = text("token_embd.weight") + struct.pack("<I2QIQ", 2, 4, 3, 0, 64)


def whole(keys: list[bytes] = KEYS, tensors: list[bytes] = [TENSOR], version: int = 3) -> bytes:  # noqa: B006
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + b"".join(tensors)
    return head + b"\0" * 200


def read(folder: Path, data: bytes) -> Header:
    (folder / "a.gguf").write_bytes(data)
    return read_header(folder / "a.gguf")


@pytest.mark.parametrize("version", [2, 3])
def test_a_head_is_what_the_file_says(tmp_path: Path, version: int) -> None:
    header = read(tmp_path, whole(version=version))
    assert header.metadata == {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.rope.freq_base": 0.5,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.tokens": ["zwölf", ""],
        "tokenizer.ggml.token_type": [1, -3, 6],
    }
    # GGML counts dimensions from the innermost one, torch from the outermost.
    assert header.tensors == (StoredTensor("token_embd.weight", (3, 4), 0, 64),)
    assert (header.numbers, header.architecture, header.size) == (12, "llama", len(whole()))
    ends = len(whole()) - 200
    assert header.start - ends in range(32)
    assert header.start % 32 == 0
    assert header.of_model("block_count", int) == header.value("llama.block_count", int) == 2
    assert header.value("llama.nothing", int) is None


def test_tensors_begin_where_the_alignment_says(tmp_path: Path) -> None:
    header = read(tmp_path, whole([*KEYS, key("general.alignment", 4, struct.pack("<I", 128))]))
    assert header.start % 128 == 0
    assert 0 <= header.start - (header.size - 200) < 128


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is no GGUF file"),
        (b"GGU", "is no GGUF file"),
        (b"PK\3\4 a zip file", "is no GGUF file"),
        (b"GGUF", "cut off or broken"),
        (whole(version=1), "got 1; expected 2 or 3"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian order"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "a count of"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "a count of"),
        (whole([key("a", 13, b"")]), "unknown type 13"),
        (whole([key("a", 9, array(9, 1, array(4, 0, b"")))]), "an array of the type 9"),
        (whole([key("a", 9, array(12, 1 << 21, b""))]), "cut off or broken"),
        (whole([key("a", 9, array(0, 1 << 62, b""))]), "a count of"),
        (whole([text("a" * 9)[:12]]), "cut off or broken"),
        (whole([key("a", 8, struct.pack("<Q", (1 << 64) - 1))]), "a text of 18446744073709551615 bytes"),
        (whole([key("a", 8, struct.pack("<Q", 2) + b"\xff\xfe")]), "no UTF-8"),
        (whole([KEYS[0], KEYS[0]]), "the key general.architecture twice"),
        (whole(tensors=[TENSOR, TENSOR]), "two tensors of one name"),
        (whole(tensors=[text("t") + struct.pack("<I", 1 << 31)]), "2147483648 dimensions"),
        (whole([key("general.alignment", 4, struct.pack("<I", 0))]), "an alignment of 0"),
        (whole([key("general.alignment", 4, struct.pack("<I", 24))]), "an alignment of 24"),
        (whole([key("general.alignment", 8, text("x"))]), "an alignment of x"),
    ],
)
def test_what_is_no_gguf_file_or_a_broken_one_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as error:
        read(tmp_path, data)
    assert str(error.value).startswith(f"{tmp_path}/a.gguf: ")


def test_a_head_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    for end in range(len(whole()) - 200):
        with pytest.raises(InputError):
            read(tmp_path, whole()[:end])


@given(st.lists(st.tuples(st.integers(4, len(whole()) - 201), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(whole())
    for place, byte in changes:
        data[place] = byte
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            assert read_header(Path(file.name)).size == len(data)
        except InputError:
            return


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_header(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_header(tmp_path / "nowhere.gguf")


def test_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    header = read(tmp_path, whole([key("general.architecture", 4, struct.pack("<I", 1))]))
    with pytest.raises(InputError, match=r"a wrong type of general\.architecture, got 1; expected str"):
        _ = header.architecture
    with pytest.raises(InputError, match=r"no general\.architecture"):
        _ = read(tmp_path, whole([])).architecture
