import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import InputError
from prmkit.models import saving
from prmkit.models.backbone import load_causal_lm
from prmkit.models.gguf.header import read_header
from prmkit.models.gguf.imports import import_gguf
from tests.models.gguf.files import CHAT, add_tensor, tiny_config, tiny_model, write_gguf, write_other
from tests.models.gguf.test_rope import LLAMA_3, llama_3_factors
from tests.tiny import tiny_bpe_tokenizer

F32, Q8_0, Q4_1 = (getattr(gguf.GGMLQuantizationType, name) for name in ("F32", "Q8_0", "Q4_1"))
IDS_BN = torch.arange(2 * 60).reshape(2, 60)


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return tiny_model(tiny_config())


def imported(path: Path, **options: Any) -> Path:
    out = path.with_name("out")
    import_gguf(read_header(path), out, **{"dtype": "float32"} | options)
    return out


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(IDS_BN).logits
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {key: value for file in sorted(folder.glob("*.safetensors")) for key, value in load_file(file).items()}


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_logits_are_those_of_the_model_in_the_file(kind: str, tied: bool, tmp_path: Path) -> None:
    original = tiny_model(tiny_config(kind, tie_word_embeddings=tied))
    out = imported(write_gguf(tmp_path / "a.gguf", original))
    again, tokenizer = load_causal_lm(str(out), device="cpu")
    assert torch.equal(logits(again), logits(original))
    plain = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert torch.equal(logits(plain.eval()), logits(original))
    assert tokenizer.get_vocab() == tiny_bpe_tokenizer().get_vocab()
    # What is shared is stored once.
    assert weights(out).keys() == dict(original.named_parameters()).keys()
    assert ("lm_head.weight" in weights(out)) == (not tied)


def test_what_stands_beside_the_weights(model: PreTrainedModel, tmp_path: Path) -> None:
    out = imported(write_gguf(tmp_path / "a.gguf", model))
    config = json.loads((out / "config.json").read_text())
    assert (config["architectures"], config["dtype"], config["vocab_size"]) == (["LlamaForCausalLM"], "float32", 320)
    assert "quantization_config" not in config
    assert "a tiny one" not in (out / "config.json").read_text()  # a name from the file would be taken for a path
    generation = json.loads((out / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [2, 0]
    assert (out / "chat_template.jinja").read_text() == CHAT
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.gguf", "out"]


def test_half_the_size_is_every_number_rounded(model: PreTrainedModel, tmp_path: Path) -> None:
    out = imported(write_gguf(tmp_path / "a.gguf", model), dtype="bfloat16")
    found = weights(out)
    assert all(torch.equal(found[name], value.to(torch.bfloat16)) for name, value in model.named_parameters())
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"


@pytest.mark.parametrize("kind", [Q8_0, Q4_1], ids=lambda kind: kind.name)
def test_quantised_tensors_are_what_their_blocks_mean(
    kind: gguf.GGMLQuantizationType, model: PreTrainedModel, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "a.gguf", model, kind=kind)
    found = weights(imported(path))
    for name, value in model.named_parameters():
        exact = value.detach().numpy()
        if value.ndim == 2 and "q_proj" not in name and "k_proj" not in name:  # rows of these lie in another order
            meant = gguf.dequantize(gguf.quantize(exact, kind), kind)
            assert torch.equal(found[name], torch.from_numpy(meant)), name
        bound = value.abs().max().item() / (8 if kind is Q4_1 else 127)
        assert (found[name] - value).abs().max().item() < bound, name


def test_a_large_model_is_written_in_parts(
    model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "_SHARD_BYTES", 100_000)
    out = imported(write_gguf(tmp_path / "a.gguf", model))
    assert len(list(out.glob("model-*-of-*.safetensors"))) > 2
    assert torch.equal(logits(load_causal_lm(str(out), device="cpu")[0]), logits(model))


def test_what_lies_beside_the_file_is_not_read(model: PreTrainedModel, tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", model)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (tmp_path / name).write_text("not even JSON")
    (tmp_path / "chat_template.jinja").write_text("another one")
    out = imported(tmp_path / "a.gguf")
    assert (out / "chat_template.jinja").read_text() == CHAT


@pytest.mark.parametrize(
    ("rope", "told"),
    [
        (
            {"rope_type": "linear", "factor": 4.0},
            {"rope__scaling__type": "linear", "rope__scaling__factor": 4.0},
        ),
        (
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
            {
                "rope__scaling__type": "yarn",
                "rope__scaling__factor": 4.0,
                "rope__scaling__original_context_length": 64,
            },
        ),
    ],
)
def test_a_stretched_context_stays_stretched(rope: dict[str, Any], told: dict[str, Any], tmp_path: Path) -> None:
    original = tiny_model(tiny_config(rope_parameters={"rope_theta": 5000.0, **rope}))
    out = imported(write_gguf(tmp_path / "a.gguf", original, **told))
    assert torch.equal(logits(load_causal_lm(str(out), device="cpu")[0]), logits(original))
    plain = tiny_model(tiny_config())
    assert not torch.allclose(logits(plain), logits(original), atol=1e-2)


def test_so_does_that_of_llama_3(tmp_path: Path) -> None:
    rope = {"rope_theta": 500000.0, **LLAMA_3}
    shape = {"head_dim": 128, "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 16384}
    original = tiny_model(tiny_config(rope_parameters=rope, **shape))
    factors = torch.tensor(llama_3_factors())
    out = imported(
        write_gguf(
            tmp_path / "a.gguf",
            original,
            change=lambda writer: add_tensor(writer, "rope_freqs.weight", factors, F32),
            rope__dimension_count=128,
            attention__key_length=128,
        )
    )
    torch.testing.assert_close(logits(load_causal_lm(str(out), device="cpu")[0]), logits(original), atol=1e-5, rtol=0)


def extra(name: str, rows: int = 64) -> dict[str, Any]:
    return {"change": lambda writer: add_tensor(writer, name, torch.arange(rows) + 1.0, F32)}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (extra("blk.0.attn_q.bias"), "no place for some of the tensors, got 102784; expected 102720 numbers"),
        (extra("rope_freqs.weight", 8), "stretched in a way that is not read here"),
        ({"without": ["blk.1.ffn_up.weight"]}, "weights are missing, got '?no model.layers.1.mlp.up_proj.weight"),
        ({"without": ["output_norm.weight"]}, "weights are missing, got '?no model.norm.weight"),
        ({"feed_forward_length": 1 << 31}, "gate_proj.weight has another shape"),
        ({"attention__head_count": 8}, "q_proj.weight has another shape"),
        ({"attention__head_count": 3}, "transformers cannot read the model"),
        ({"attention__head_count": 0}, "transformers cannot read the model"),
        ({"context_length": "many"}, "transformers cannot read the model|wrong type"),
        ({"attention__sliding_window": 128}, "no window of attention, got 128"),
        ({"rope__dimension_count": 8, "attention__key_length": 16}, "rotated in part, got 8; expected all 16"),
        ({"rope__scaling__type": "longrope"}, "stretched in a way that is not read here"),
        ({"without": ["tokens"]}, "no tokenizer|none of the vocabulary"),
        ({"without": ["pre"]}, "splits texts in a way"),
        ({"without": ["merges"]}, "transformers cannot read the model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a function is called otherwise in each process
)
def test_what_would_come_out_wrong_is_refused(
    options: dict[str, Any], complaint: str, model: PreTrainedModel, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "a.gguf", model, **options)
    with pytest.raises(InputError, match=complaint) as error:
        imported(path)
    assert "\n" not in str(error.value)
    assert [each.name for each in tmp_path.iterdir()] == ["a.gguf"]


def test_a_window_as_wide_as_the_context_is_none(model: PreTrainedModel, tmp_path: Path) -> None:
    assert imported(write_gguf(tmp_path / "a.gguf", model, attention__sliding_window=256)).is_dir()


@pytest.mark.parametrize(
    ("architecture", "complaint"),
    [
        ("whisper", "transformers cannot read the model .*whisper.*got 'the architecture whisper'"),
        ("t5", "transformers cannot read the model"),
    ],
)
def test_other_architectures_are_refused(architecture: str, complaint: str, tmp_path: Path) -> None:
    path = write_other(tmp_path / "a.gguf", architecture)
    with pytest.raises(InputError, match=complaint):
        imported(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.gguf"]


def test_a_folder_is_never_written_over(model: PreTrainedModel, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", model)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(InputError, match="the folder exists"):
        imported(path)
    assert (tmp_path / "out" / "mine").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk full")])
def test_an_import_that_ends_halfway_leaves_nothing(
    error: BaseException, model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object, **__: object) -> None:
        raise error

    path = write_gguf(tmp_path / "a.gguf", model)
    monkeypatch.setattr(saving, "save_file", end)
    with pytest.raises(type(error)):
        imported(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.gguf"]


@settings(max_examples=40)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_file_that_lies_is_imported_or_refused(
    changes: list[tuple[float, int]], model: PreTrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever byte of its keys and names is another one."""
    folder = tmp_path_factory.mktemp("lies")
    path = write_gguf(folder / "a.gguf", model)
    data, start = bytearray(path.read_bytes()), read_header(path).start
    for place, byte in changes:
        data[4 + int(place * (start - 4))] = byte
    path.write_bytes(data)
    try:
        out = imported(path)
    except InputError:
        assert [each.name for each in folder.iterdir()] == ["a.gguf"]
    else:
        load_causal_lm(str(out), device="cpu")
