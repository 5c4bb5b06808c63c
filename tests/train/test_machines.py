import pytest

from prmkit.errors import InputError
from prmkit.train.machines import GIB, GPUS, QWEN25, Machine, machine_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8xH100", Machine(8, "H100")),
        ("8xh100", Machine(8, "H100")),
        ("8XH100", Machine(8, "H100")),
        (" 2xA100-40 \n", Machine(2, "A100-40")),
        ("16xb200", Machine(16, "B200")),
        ("H200", Machine(1, "H200")),
        ("rtx4090", Machine(1, "RTX4090")),
    ],
)
def test_machines_are_read_as_people_write_them(text: str, expected: Machine) -> None:
    assert machine_of(text) == expected


@pytest.mark.parametrize(
    "text",
    ["8xH999", "8xH10", "8H100", "H100x8", "8xxH100", "8*H100", "-1xH100", "1.5xH100", "0xH100", "00xH100", "xH100",
     "8x", "8", "", " ", "x"],
)  # fmt: skip
def test_what_is_no_machine_is_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(InputError) as caught:
        machine_of(text)
    message = str(caught.value)
    assert message.startswith(f"--plan: no such machine, got {text!r}; expected 8xH100; known: A100-40, ")
    assert all(name in message for name in GPUS)


def test_a_machine_knows_what_one_of_its_devices_is() -> None:
    assert machine_of("4xA100-40").device == GPUS["A100-40"]
    assert machine_of("4xA100-40").device.memory == 40 * GIB  # of one, not of four
    assert all(machine_of(f"3x{name}").device == device for name, device in GPUS.items())


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("0.5b", 494_032_768),
        ("1.5b", 1_543_714_304),
        ("3b", 3_085_938_688),
        ("7b", 7_615_616_512),
        ("14b", 14_770_033_664),
        ("32b", 32_763_876_352),
        ("72b", 72_706_203_648),
    ],
)
def test_the_shapes_of_qwen_give_the_numbers_of_parameters_that_were_released(size: str, parameters: int) -> None:
    """As the index of each model's safetensors on the hub counts them; the three smallest tie their embeddings."""
    width, layers, heads, kv_heads, inner, vocabulary = QWEN25[size]
    key_values = 2 * kv_heads * (width // heads)
    attention = 2 * width * width + width * key_values + width + key_values  # biases on query, key and value
    embeddings = vocabulary * width * (1 if size in ("0.5b", "1.5b", "3b") else 2)
    assert layers * (attention + 3 * width * inner + 2 * width) + width + embeddings == parameters


def test_every_size_of_qwen_is_there() -> None:
    assert list(QWEN25) == ["0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b"]
