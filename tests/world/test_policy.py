import itertools
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from prmkit.benchmarks import synthetic_code, synthetic_math
from prmkit.benchmarks.synthetic_world import Slips, held_out
from prmkit.generate import Continuation
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from prmkit.world.config import PolicyConfig
from prmkit.world.policy import SolutionStream, collate, make_tokenizer, train_policy


def encoder() -> StepEncoder:
    return StepEncoder(make_tokenizer(), StepFormat())


@pytest.mark.parametrize("world", [synthetic_math, synthetic_code])
def test_every_text_of_the_world_survives_the_tokenizer(world: object) -> None:
    unknown = make_tokenizer().unk_token_id
    text = PolicyText(make_tokenizer(), PolicyFormat())
    rng = random.Random(0)
    for problem in world.problems(100, seed=0, max_steps=6):  # type: ignore[attr-defined]
        steps = world.write(problem.prompt, rng, Slips(corrected=0.5))  # type: ignore[attr-defined]
        ids, ends = encoder().path_ids(problem, steps)
        start = len(encoder().problem_ids(problem))
        assert unknown not in ids
        written = Continuation(ids=tuple(ids[start:]), finish="eos")
        assert [step.text for step in text.steps(text.begin(problem), written)[0]] == steps
        assert len(ends) == len(steps)


def test_the_corpus_is_of_the_training_side_and_masks_the_problem() -> None:
    tokenizer = make_tokenizer()
    for ids, labels in itertools.islice(SolutionStream(encoder(), Slips(), seed=0), 50):
        prompt = str(tokenizer.decode([token for token, label in zip(ids, labels, strict=True) if label == -100]))
        assert not held_out(prompt.strip())
        assert ids[-1] == labels[-1] == tokenizer.eos_token_id
        start = len(encoder().problem_ids(Problem(id="", prompt=prompt.strip())))
        assert labels == [-100] * start + ids[start:]


def test_padding_has_no_label() -> None:
    ids_BT, labels_BT = collate([([1, 2, 3], [-100, 2, 3]), ([4], [4])])
    assert ids_BT.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert labels_BT.tolist() == [[-100, 2, 3], [4, -100, -100]]


def test_both_models_come_out_of_one_run_and_the_run_can_be_repeated(tmp_path: Path) -> None:
    config = PolicyConfig(hidden_size=16, layers=1, batch_size=4, policy_steps=3, backbone_steps=2)
    for name in ("first", "second"):
        train_policy(tmp_path / name, config)
    first, second = (
        {
            stage: AutoModelForCausalLM.from_pretrained(tmp_path / name / stage).state_dict()
            for stage in ("policy", "backbone")
        }
        for name in ("first", "second")
    )
    for stage in ("policy", "backbone"):
        assert all(torch.equal(first[stage][key], second[stage][key]) for key in first[stage])
    assert any(not torch.equal(first["policy"][key], first["backbone"][key]) for key in first["policy"])
    assert (
        load_tokenizer(str(tmp_path / "first" / "policy"))("a = x + 3\n")["input_ids"]
        == make_tokenizer()("a = x + 3\n")["input_ids"]
    )
