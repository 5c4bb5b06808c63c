"""prmkit's own trees as a corpus."""

from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources.corpus import Corpus
from prmkit.sources.trees import tree_of
from prmkit.tree import ROOT, Case, Label, Problem, StepTree
from prmkit.trees_io import append_tree
from tests.sources.samples import GOOD_ROWS
from tests.tiny import path_tree

RECORD = GOOD_ROWS["trees"]


def test_own_trees_come_back_as_they_were(tmp_path: Path) -> None:
    tree = path_tree("1 + 1", [("2", 1.0), ("3", None)])
    tree.add(ROOT, "other", score=0.5)
    append_tree(tmp_path / "trees.jsonl", tree)
    assert list(Corpus("trees", str(tmp_path / "trees.jsonl"))) == [tree]


def test_a_record_needs_its_problem_and_nodes_and_no_more() -> None:
    assert tree_of({"schema": 1, "problem": {"id": "p", "prompt": "Сколько?"}, "nodes": []}, "f:1") == StepTree(
        Problem(id="p", prompt="Сколько?")
    )
    record = {
        "schema": 1,
        "problem": {"id": "p", "prompt": "?", "domain": "code", "tests": [{"input": "[1]", "public": True}]},
        "nodes": [{"parent": -1, "text": "a"}, {"parent": -1, "text": "b", "label": {"value": 0.5, "source": "judge"}}],
        "meta": [{"key": "strategy", "value": "beam"}],
    }
    tree = tree_of(record, "f:1")
    assert tree.problem.tests == (Case(input="[1]", public=True),)
    assert [(node.parent, node.text, node.label) for node in tree] == [
        (ROOT, "a", None),
        (ROOT, "b", Label(value=0.5, source="judge")),
    ]
    assert tree.meta == {"strategy": "beam"}


def test_the_record_is_left_as_it_was() -> None:
    before = repr(RECORD)
    tree_of(RECORD, "f:1")
    assert repr(RECORD) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "unknown tree schema, got 2; expected schema 1"),
        ({"schema": "1"}, "unknown tree schema, got '1'"),
        ({"problem": None}, "not a tree .*docs/trees.md"),
        ({"problem": {"id": 7, "prompt": "?"}}, "illegal problem.id, got 7; expected text"),
        ({"problem": {"id": "p", "prompt": None}}, "illegal problem.prompt, got None"),
        ({"problem": {"id": "p", "prompt": "?", "answer": 2}}, "illegal problem.answer, got 2; expected text or null"),
        ({"problem": {"id": "p", "prompt": "?", "level": ["3"]}}, "illegal problem.level"),
        ({"problem": {"id": "p", "prompt": "?", "domain": "physics"}}, "illegal problem.domain, .* math or code"),
        ({"problem": {"id": "p", "prompt": "?", "domain": []}}, "illegal problem.domain"),
        ({"problem": {"id": "p", "prompt": "?", "rule": None}}, "illegal problem.rule, got None; expected calls or"),
        ({"problem": {"id": "p", "prompt": "?", "tests": [{"input": 5}]}}, r"illegal test, got \(5, None\)"),
        ({"problem": {"id": "p", "prompt": "?", "tests": [{"input": "", "output": 5}]}}, "illegal test"),
        ({"problem": {"id": "p", "prompt": "?", "tests": [{"output": "1"}]}}, "not a tree .*input"),
        ({"problem": {"id": "p", "prompt": "?", "colour": "red"}}, "not a tree .*colour"),
        ({"nodes": None}, "not a tree"),
        ({"nodes": [{"parent": 0, "text": "a"}]}, "no such parent step, got 0"),
        ({"nodes": [{"parent": "-1", "text": "a"}]}, "node 0 has a wrong type"),
        ({"nodes": [{"parent": -1, "text": None}]}, "node 0 has a wrong type"),
        ({"nodes": [{"parent": -1, "text": " "}]}, "empty step"),
        ({"nodes": [{"parent": -1, "text": "a", "finish": "won"}]}, "node 0 ended for no known reason, got 'won'"),
        ({"nodes": [{"parent": -1, "text": "a", "score": "0.5"}]}, "not a tree"),
        ({"nodes": [{"parent": -1, "text": "a", "score": 1.5}]}, "score out of range, got 1.5"),
        ({"nodes": [{"parent": -1, "text": "a", "label": {"value": 2, "source": "human"}}]}, "label out of range"),
        ({"nodes": [{"parent": -1, "text": "a", "label": {"value": 1}}]}, "not a tree .*source"),
    ],
)
def test_a_record_that_is_no_tree_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        tree_of(RECORD | change, "f:1")


def test_the_corpus_says_which_line_it_was(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    append_tree(path, path_tree("p", [("a", 1.0)]))
    with path.open("a") as file:
        file.write('{"schema": 1, "problem": {"id": "p"}, "nodes": []}\n')
    corpus = Corpus("trees", str(path))
    with pytest.raises(InputError, match=r"trees\.jsonl:2: not a tree .*prompt.*\(1 of 2 rows are bad"):
        list(corpus)
