import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.prm import PRM
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.batches import ResponseBatch, batched
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.parameters import Reference, backbone
from prmkit.similarity.patterns.targets import target_values
from prmkit.similarity.statistics.gram import PatternGram
from tests.similarity.conftest import family, response

STEPS = [
    response(4, 5, 6, 7, 9, 8, problem="a", ends=(3, 5)),
    response(4, 5, 6, problem="b", ends=(2,)),
    response(4, 9, 8, 7, 7, 7, 6, 2, problem="c", ends=(3, 5, 7)),
]


@pytest.fixture(scope="module")
def prm() -> PRM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PRM(backbone(family("qwen2").model)).eval()


def scores(prm: PRM, one: int) -> list[float]:
    ids = torch.tensor([STEPS[one].ids])
    return torch.sigmoid(prm(ids, torch.ones_like(ids), torch.tensor([STEPS[one].ends])))[0].tolist()


def test_the_values_of_a_prm_are_its_scores(prm: PRM) -> None:
    batch = batched(prm, STEPS, 1000)[0]
    last = torch.sigmoid(target_values("prm_step")(prm, batch).values_B.detach())
    product = target_values("prm_solution")(prm, batch).values_B.detach().exp()
    for row in range(3):
        by_step = scores(prm, row)
        assert float(last[row]) == pytest.approx(by_step[-1], rel=1e-5)
        assert float(product[row]) == pytest.approx(torch.tensor(by_step).prod().item(), rel=1e-5)


@pytest.mark.parametrize("target", ["max_logit", "log_likelihood", "logit_sum"])
def test_a_value_does_not_depend_on_its_batch(model: PreTrainedModel, target: str) -> None:
    together = target_values(target)(model, batched(model, STEPS, 1000)[0])
    for row, one in enumerate(STEPS):
        alone = target_values(target)(model, batched(model, [one], 1)[0])
        torch.testing.assert_close(alone.values_B[0], together.values_B[row])
        assert alone.predicted_B is not None
        assert together.predicted_B is not None
        assert alone.predicted_B[0] == together.predicted_B[row]


@pytest.mark.parametrize("target", ["prm_step", "prm_solution"])
def test_engines_agree_on_a_prm(prm: PRM, target: str) -> None:
    grams = []
    for engine in ("loop", "hooks", "layersync"):
        found = compare(prm, {"all": STEPS}, SimilarityConfig(target=target, engine=engine))  # type: ignore[arg-type]
        assert isinstance(found, PatternGram)
        assert found.predicted_tokens == (-1, -1, -1)
        grams.append(torch.from_numpy(found.grams))
    torch.testing.assert_close(grams[1], grams[0], rtol=1e-5, atol=0.0)
    torch.testing.assert_close(grams[2], grams[0], rtol=1e-5, atol=0.0)


def first_logit(model: Reference, batch: ResponseBatch) -> torch.Tensor:
    """A target of somebody else's: the logit of token 0 after the first token."""
    return model(input_ids=batch.ids_BT, attention_mask=batch.mask_BT).logits[:, 0, 0]


def no_target(model: Reference, batch: ResponseBatch) -> torch.Tensor:
    return torch.zeros(())


def test_any_callable_may_be_the_target(model: PreTrainedModel) -> None:
    target = f"{__name__}:first_logit"
    found = compare(model, {"all": STEPS}, SimilarityConfig(target=target, layers=(0, 1)))
    assert isinstance(found, PatternGram)
    # All begin with the same token, and nothing after it matters.
    assert found.grams[0][0, 1] == pytest.approx(found.grams[0][0, 0])
    with pytest.raises(InputError, match=r"one value a response, got torch.Size\(\[\]\); expected \[3\]"):
        target_values(f"{__name__}:no_target")(model, batched(model, STEPS, 1000)[0])


def test_a_target_and_a_model_that_do_not_fit(model: PreTrainedModel, prm: PRM) -> None:
    batch = batched(model, STEPS, 1000)[0]
    with pytest.raises(InputError, match="the target reads a PRM, got 'Qwen2ForCausalLM'"):
        target_values("prm_step")(model, batch)
    with pytest.raises(InputError, match="the target reads a causal LM"):
        target_values("max_logit")(prm, batch)
    with pytest.raises(InputError, match="p: the steps of a response are not known"):
        target_values("prm_step")(prm, batched(prm, [response(4, 5, 6)], 1)[0])
    with pytest.raises(InputError, match=r"unknown target, got 'max_logits'.*Did you mean max_logit"):
        target_values("max_logits")
