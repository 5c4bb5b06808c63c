import pytest
import torch
from torch import Tensor, nn

from prmkit.errors import InputError
from prmkit.models.foreign.heads import HEAD_NAMES, Head, is_of_head, read_head

HIDDEN = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def logits(head: Head) -> Tensor:
    """By a head of ours."""
    ours = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    ours.load_state_dict({key.removeprefix("score."): value for key, value in head.weights().items()})
    with torch.no_grad():
        made: Tensor = ours(HIDDEN)[:, 0]
    return made


@pytest.mark.parametrize("name", HEAD_NAMES)
@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_a_linear_map_under_any_name_keeps_its_scores(name: str, labels: int, biased: bool) -> None:
    weight, bias = draw(labels, 8), draw(labels)
    held = {f"{name}.weight": weight} | ({f"{name}.bias": bias} if biased else {})
    head = read_head({**held, "model.norm.weight": draw(8)}, "a folder")
    values = HIDDEN @ weight.T + (bias if biased else 0.0)
    expected = values[:, 0].sigmoid() if labels == 1 else values.softmax(-1)[:, 1]
    assert (head.name, head.labels, head.inner) == (name, labels, None)
    torch.testing.assert_close(logits(head).sigmoid(), expected)


@pytest.mark.parametrize("labels", [1, 2])
def test_a_head_of_two_layers_keeps_its_scores(labels: int) -> None:
    held = {"score.0.weight": draw(8, 8), "score.0.bias": draw(8), "score.2.weight": draw(labels, 8)}
    values = torch.relu(HIDDEN @ held["score.0.weight"].T + held["score.0.bias"]) @ held["score.2.weight"].T
    expected = values[:, 0].sigmoid() if labels == 1 else values.softmax(-1)[:, 1]
    torch.testing.assert_close(logits(read_head(held, "a folder")).sigmoid(), expected)


def test_the_head_of_a_language_model_is_none_beside_another(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"lm_head.weight": draw(40, 8), "v_head.summary.weight": draw(1, 8)}
    assert read_head(held, "a folder").name == "v_head.summary"
    del held["v_head.summary.weight"]
    with pytest.raises(InputError, match=r"^a folder: the head is missing, got '1 weights.*; expected one of score, "):
        read_head(held, "a folder")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"classifier.weight": draw(3, 8)}, r"the head classifier has another number of labels, got 3; expected 2 \("),
        (
            {"score.weight": draw(2, 8), "score.bias": draw(3)},
            r"the bias of the head score has another shape, got \(3,",
        ),
        ({"score.2.weight": draw(1, 8)}, r"the head score has another form, got 'no first layer'"),
        (
            {"score.0.weight": draw(4, 8), "score.2.weight": draw(1, 4)},
            r"another form, got 'score.0.weight of shape \(4",
        ),
        (
            {"value_head.0.weight": draw(8, 8), "value_head.2.weight": draw(1, 8)},
            r"the head value_head has another form",
        ),
        ({"score.weight": torch.tensor(3.0)}, "the head is missing"),
        ({}, "the head is missing, got '0 weights"),
    ],
)
def test_what_is_no_head_of_ours_is_said_of_it(held: dict[str, Tensor], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_head(held, "a folder")


def test_names_of_heads_are_known_by_their_beginning() -> None:
    keys = ["score.weight", "v_head.summary.bias", "model.score.weight", "scores.weight"]
    assert [is_of_head(key) for key in keys] == [True, True, False, False]
