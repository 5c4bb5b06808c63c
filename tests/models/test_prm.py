import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.backbone import empty_backbone
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM, architecture
from prmkit.packing.batch import collate
from tests.tiny import path_tree, tiny_backbone, tiny_encoder, tree_rows

TREES = (
    path_tree("1 + 2 ?", [("1 + 2", 1.0), ("= 3", 0.0)]),
    path_tree("a ?", [("x y z + 4 - 5", 1.0)]),
    path_tree("4 * 5 - 6 + 7 ?", [("9", 0.7), ("10", 0.2), ("11 12 13", 1.0)]),
)


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


def config(name: str, **fields: object) -> ModelConfig:
    return ModelConfig(**{"name": name, "max_length": 256, **fields})  # type: ignore[arg-type]


@pytest.fixture
def prm(name: str) -> PRM:
    torch.manual_seed(0)
    return PRM.from_backbone(name, config(name)).eval()


def logits(prm: PRM, trees: tuple[object, ...]) -> list[torch.Tensor]:
    rows = [row for tree in trees for row in tree_rows(tree, tiny_encoder(), 256).rows]  # type: ignore[arg-type]
    batch = collate(rows)
    with torch.no_grad():
        logits_BS = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS)
    return [logits_BS[index, : len(row.ends)] for index, row in enumerate(rows)]


def test_padding_and_batch_order_change_nothing(prm: PRM) -> None:
    alone = [logits(prm, (tree,))[0] for tree in TREES]
    together = logits(prm, TREES)
    backwards = logits(prm, TREES[::-1])[::-1]
    for one, two, three in zip(alone, together, backwards, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=0)
        torch.testing.assert_close(one, three, atol=1e-5, rtol=0)


def test_later_steps_change_no_earlier_score(prm: PRM) -> None:
    prefix = logits(prm, (path_tree("4 * 5 - 6 + 7 ?", [("9", 0.7)]),))[0]
    torch.testing.assert_close(logits(prm, (TREES[2],))[0][:1], prefix, atol=1e-5, rtol=0)


def test_the_head_is_two_layers_read_at_step_ends_only(prm: PRM) -> None:
    assert {key for key in prm.state_dict() if not key.startswith("model.")} == {
        "score.0.weight",
        "score.0.bias",
        "score.2.weight",
        "score.2.bias",
    }
    seen: list[torch.Size] = []
    prm.score.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    found = logits(prm, (TREES[2],))[0]
    assert seen == [torch.Size([1, 3, 32])]  # 3 step ends of the row, not its 16 tokens
    # By hand: logit = w2 . relu(W1 h + b1) + b2 at the position of the end.
    row = tree_rows(TREES[2], tiny_encoder(), 256).rows[0]
    hidden_TH = prm.model(input_ids=torch.from_numpy(row.ids).long()[None]).last_hidden_state[0]
    first, _, second = prm.score
    hidden_SH = hidden_TH[list(row.ends)]
    by_hand = torch.relu(hidden_SH @ first.weight.T + first.bias) @ second.weight[0] + second.bias
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=0)


def test_dropout_acts_in_training_only(name: str) -> None:
    prm = PRM.from_backbone(name, config(name, head_dropout=0.9))
    prm.eval()
    assert torch.equal(logits(prm, TREES)[0], logits(prm, TREES)[0])
    prm.train()
    assert not torch.equal(logits(prm, TREES)[0], logits(prm, TREES)[0])


def test_the_dtype_of_the_recipe_is_used(name: str) -> None:
    prm = PRM.from_backbone(name, config(name, dtype="bfloat16"))
    assert {parameter.dtype for parameter in prm.parameters()} == {torch.bfloat16}


def test_the_architecture_is_named_after_the_backbone(prm: PRM) -> None:
    assert architecture(prm.model) == "Qwen2ForRewardModel"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        PRM.from_backbone(str(tmp_path / "nowhere"), config("x"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder is empty; expected a model: a folder with config\.json"):
        PRM.from_backbone(str(tmp_path), config("x"))


def test_a_config_without_its_weights_is_refused(tmp_path: Path) -> None:
    tiny_backbone(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings |= {"num_hidden_layers": 3, "layer_types": ["full_attention"] * 3}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"weights are missing, got 'no layers\.2\."):
        PRM.from_backbone(str(tmp_path), config("x"))


def test_a_broken_weight_file_is_refused(tmp_path: Path) -> None:
    tiny_backbone(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="the file of weights is cut off or damaged"):
        PRM.from_backbone(str(tmp_path), config("x"))


def test_a_vocabulary_smaller_than_the_tokenizer_is_refused(tmp_path: Path) -> None:
    tiny_backbone(tmp_path, vocab_size=20)
    with pytest.raises(InputError, match=r"vocabulary of the model is smaller than the tokenizer's, got '20 emb"):
        PRM.from_backbone(str(tmp_path), config("x"))


def test_a_length_beyond_the_context_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"got 257; expected at most 256. Set model\.max_length"):
        PRM.from_backbone(name, config(name, max_length=257))


def test_layers_that_share_weights_are_not_sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(name: str, dtype: torch.dtype) -> PreTrainedModel:
        model = empty_backbone(name, dtype)
        layers: Any = model.layers
        layers[1].mlp = layers[0].mlp
        return model

    monkeypatch.setattr("prmkit.models.prm.empty_backbone", shared)
    name = tiny_backbone(tmp_path)
    with pytest.raises(InputError, match=r"share weights, which cannot be sharded, got 'qwen2'"):
        PRM.skeleton(name, config(name))
