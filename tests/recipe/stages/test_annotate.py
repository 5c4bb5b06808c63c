import json
from pathlib import Path

import pytest

from prmkit.annotate.result import AnnotationResult
from prmkit.errors import InputError
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.annotate import STAGE, AnnotateRecipe, annotation_of, gathered_of
from prmkit.trees_io import read_trees
from prmkit.world import WEIGHTS
from tests.fake_chat import FakeChat
from tests.recipe.stages.bound import bound
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer

POLICY = f"generator.name={WEIGHTS / 'policy'}"
ONE_PROBLEM = "problems=[{benchmark: synthetic-math, limit: 1, seed: 11, options: {split: train}}]"


def test_what_was_read_is_remembered_by_a_run_that_goes_on(tmp_path: Path) -> None:
    rows = [{"prompt": "What is 1 + 1?", "completions": ["2"], "labels": [True]}, {"prompt": "no answer"}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"data=[{{source: trl, path: {tmp_path}/c.jsonl, max_bad: 1}}]"
    recipe = bound(
        "synthetic/annotate", POLICY, ONE_PROBLEM, data, "solutions=1", "annotators=[{options: {rollouts: 1}}]"
    )
    folder, first = execute(recipe, tmp_path / "run")
    assert isinstance(first, AnnotationResult)
    assert first.problems == 2  # one of the benchmark, one of the corpus
    assert [(each.kept, each.quarantined) for each in first.read.corpora] == [(1, 1)]
    assert len(folder.quarantine.read_text().splitlines()) == 1
    trees = folder.trees.read_bytes()
    _, second = execute(recipe, folder.path, resume=True)
    assert isinstance(second, AnnotationResult)
    assert second.read == first.read
    assert folder.trees.read_bytes() == trees
    assert len(folder.quarantine.read_text().splitlines()) == 1


def test_passes_that_share_a_model_load_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = bound("synthetic/annotate", POLICY)
    annotation = annotation_of(recipe)
    loaded: list[str] = []

    def engines_of(policy: object, seed: int, **others: object) -> object:
        loaded.append(policy.name)  # type: ignore[attr-defined]
        raise InputError("enough")

    monkeypatch.setattr("prmkit.recipe.stages.annotate.engines_of", engines_of)
    with pytest.raises(InputError, match="enough"):
        annotation.policy(None, 0)  # type: ignore[arg-type]
    assert loaded == [str(WEIGHTS / "policy")]


def test_a_policy_or_a_corpus_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        prepare(bound("synthetic/annotate", ONE_PROBLEM, "generator.name=/nowhere"))
    recipe = bound(
        "synthetic/annotate", POLICY, ONE_PROBLEM, f"answers=[{{source: rows, path: {tmp_path}/gone.jsonl}}]"
    )
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        gathered_of(recipe, [])


def test_every_file_is_an_input_and_the_cost_is_known_from_a_pilot_alone() -> None:
    recipe = bound("synthetic/annotate", ONE_PROBLEM, POLICY, "data=[{source: rows, path: a.jsonl}]", "pilot=1")
    assert list(STAGE.inputs(recipe)) == [None, "a.jsonl"]
    assert STAGE.cost(recipe, Resources()) == "unknown; --pilot tries a few problems"
    told = STAGE.cost(recipe.model_copy(update={"data": []}), Resources(pilot=True))
    assert "rollouts" in told
    assert "tokens" in told
    assert STAGE.cost(recipe, Resources(pilot=True)).startswith("unknown (a.jsonl: no such file")
    assert STAGE.expected(recipe.model_copy(update={"pilot": 0})) == {}


def test_annotators_may_be_of_several_families_each_with_its_own_template(tmp_path: Path) -> None:
    """The shape of annotate/aslaf-families: a local model, and two chats, of which one thinks."""
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"
    local = tiny_backbone(tmp_path / "local", tokenizer=tokenizer, context=4096)
    rows = [
        {"prompt": "What is 1 + 1?", "completions": ["1 + 1 = 2", "It is 3"], "labels": [True, False]},
        {"prompt": "What is 2 + 2?", "completions": ["2 + 2 = 4"], "labels": [True]},
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def llama(question: str, seed: int) -> str:
        return f"First wrong step: {2 if '1 + 1' in question else 'none'}"

    def deepseek(question: str, seed: int) -> str:
        return f"<think>Perhaps\nFirst wrong step: 1</think>{llama(question, seed)}"

    with (
        FakeChat(llama, owner="vllm") as vllm,
        FakeChat(deepseek, owner="deepseek", thoughts="reasoning_content") as api,
    ):
        chats = [
            {
                "name": name,
                "estimator": "judge",
                "generator": {"name": "m", "engine": {"name": "chat", "url": fake.url}},
            }
            for name, fake in (("llama", vllm), ("deepseek", api))
        ]
        recipe = AnnotateRecipe.model_validate(
            {
                "stage": "annotate",
                "data": [{"source": "trl", "path": f"{tmp_path}/c.jsonl"}],
                "generator": {"name": local, "sampling": {"max_tokens": 8}},
                "annotators": [{"name": "qwen", "estimator": "judge", "options": {"attempts": 1}}, *chats],
                "consensus": {"agree": 2},
            }
        )
        folder, found = execute(recipe, tmp_path / "run")
        questions = [turn["content"] for body in api.asked for turn in body["messages"]]
        assert len(questions) == 2
        assert all("[Problem]" in question for question in questions)
        prompts = ["".join(map(chr, body["prompt"])) for body in vllm.asked]
        assert sorted(prompts) == sorted(f"<user>{question}</><assistant>" for question in questions)
    assert isinstance(found, AnnotationResult)
    labels = [[(node.text, node.label and node.label.value) for node in tree] for tree in read_trees(folder.trees)]
    assert labels == [[("1 + 1 = 2", 1.0), ("It is 3", 0.0)], [("2 + 2 = 4", 1.0)]]
    agreement = {(row.first, row.second): row for row in found.consensus.agreement}  # type: ignore[union-attr]
    assert agreement["llama", "deepseek"].agree == 1.0
    assert found.passes["deepseek"].rollouts == 2
