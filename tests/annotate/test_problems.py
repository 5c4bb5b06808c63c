import json
from pathlib import Path
from typing import Any

from prmkit.annotate.problems import Gathered
from prmkit.sources.corpus import Corpus
from prmkit.tree import Problem
from tests.sources.samples import GOOD_ROWS


def corpus(tmp_path: Path, name: str, **changes: Any) -> Corpus:
    path = tmp_path / f"{name}.jsonl"
    path.write_text(json.dumps(GOOD_ROWS[name] | changes) + "\n")
    return Corpus(name, str(path))


def test_solutions_keep_their_steps_and_lose_their_labels(tmp_path: Path) -> None:
    gathered = Gathered([Problem(id="x", prompt="x?", answer="1")], [corpus(tmp_path, "prm800k")], [])
    bare, tree = list(gathered)
    assert len(bare) == 0
    assert [node.text for node in tree] == ["Add.", "Subtract.", "It is 3.", "It is 2."]
    assert all(node.label is None for node in tree)
    assert [corpus.kept for corpus in gathered.record().corpora] == [1]


def test_an_answer_that_a_corpus_lacks_comes_from_one_that_has_the_problem(tmp_path: Path) -> None:
    answers = corpus(tmp_path, "gsm8k", question="How  many?")
    asked = [corpus(tmp_path, "math-shepherd"), corpus(tmp_path, "trl")]
    gathered = Gathered([], asked, [answers])
    assert [tree.problem.answer for tree in gathered] == ["2", None]
    record = gathered.record()
    assert (record.answered, record.unanswered) == (1, 1)


def test_of_code_only_the_public_tests_may_make_a_label(tmp_path: Path) -> None:
    (tree,) = Gathered([], [corpus(tmp_path, "code-contests")], [])
    assert [case.input for case in tree.problem.tests] == ["1 2\n"]
