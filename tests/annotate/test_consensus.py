from collections import Counter

import pytest

from prmkit.annotate.consensus import Consensus, ConsensusConfig, agreed, cohens_kappa, first_error
from prmkit.errors import InputError
from prmkit.tree import Label, StepTree
from tests.annotate.worlds import add_path, path, values


def labelled(*labels: float | None) -> StepTree:
    tree = path(*[f"s{number}" for number in range(len(labels))])
    for node, value in enumerate(labels):
        tree.set_label(node, None if value is None else Label(value=value, source="judge"))
    return tree


@pytest.mark.parametrize(
    ("labels", "threshold", "expected"),
    [
        ([1.0, 1.0], 0.0, -1),
        ([1.0, 0.0, None], 0.0, 1),
        ([0.25, 1.0], 0.0, -1),
        ([0.25, 1.0], 0.25, 0),
        ([None, 0.0], 0.0, None),
        ([1.0, None], 0.0, None),
    ],
)
def test_a_first_error_needs_labels_up_to_it(
    labels: list[float | None], threshold: float, expected: int | None
) -> None:
    assert first_error(labelled(*labels), len(labels) - 1, threshold) == expected


@pytest.mark.parametrize(
    ("verdicts", "needed", "expected"),
    [
        ([1, 1, 1], 3, 1),
        ([1, 1, 2], 3, None),
        ([1, 1, 2], 2, 1),
        ([-1, -1, None], 2, -1),
        ([1, 1, 2, 2], 2, None),
        ([None, None], 2, None),
    ],
)
def test_enough_annotators_must_name_the_same_step(
    verdicts: list[int | None], needed: int, expected: int | None
) -> None:
    assert agreed(verdicts, needed) == expected


def test_kappa_by_hand() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = (25 * 30 + 25 * 20) / 50 ** 2 = 0.5, kappa = 0.4.
    pairs = Counter({(1, 1): 20, (1, 0): 5, (0, 1): 10, (0, 0): 15})
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa({(1, 1): 7}) is None
    assert cohens_kappa({(1, 1): 5, (2, 2): 5}) == 1.0
    with pytest.raises(InputError, match="no solution"):
        cohens_kappa({})


def test_a_solution_is_kept_where_all_agree_and_labelled_up_to_its_first_error() -> None:
    consensus = Consensus(("one", "two"), ConsensusConfig())
    kept = consensus.keep([labelled(1.0, 0.0, 1.0), labelled(0.5, 0.0, None)])
    assert kept is not None
    assert values(kept) == [1.0, 0.0, None]
    assert {node.label.source for node in kept if node.label} == {"consensus"}
    assert consensus.keep([labelled(1.0, 0.0), labelled(1.0, 1.0)]) is None
    assert consensus.keep([labelled(1.0, 0.0), labelled(0.0, 0.0)]) is None
    assert consensus.keep([labelled(1.0, 1.0), labelled(None, 1.0)]) is None
    report = consensus.report()
    assert (report.solutions, report.kept, report.kept_share) == (4, 1, 0.25)
    assert report.dropped == {
        "no verdict of two": 1,
        "where the first error is": 1,
        "whether there is an error": 1,
    }
    (row,) = report.agreement
    assert (row.first, row.second, row.solutions, row.agree) == ("one", "two", 3, pytest.approx(1 / 3))


def test_a_majority_may_be_enough() -> None:
    versions = [labelled(1.0, 0.0), labelled(1.0, 0.0), labelled(1.0, 1.0)]
    assert Consensus(("a", "b", "c"), ConsensusConfig()).keep(versions) is None
    kept = Consensus(("a", "b", "c"), ConsensusConfig(agree=2)).keep(versions)
    assert kept is not None
    assert values(kept) == [1.0, 0.0]


def test_of_a_tree_only_the_agreed_solutions_remain() -> None:
    versions = []
    for last in (1.0, 0.0):
        tree = labelled(1.0, 1.0)
        leaf = add_path(tree, "other", parent=0)
        tree.set_label(leaf, Label(value=last, source="judge"))
        versions.append(tree)
    consensus = Consensus(("one", "two"), ConsensusConfig())
    kept = consensus.keep(versions)
    assert kept is not None
    assert [(node.text, node.parent) for node in kept] == [("s0", -1), ("s1", 0)]
    assert (consensus.solutions, consensus.kept) == (2, 1)


@pytest.mark.parametrize(("names", "agree"), [(("one",), None), (("one", "two"), 3)])
def test_a_consensus_needs_enough_annotators(names: tuple[str, ...], agree: int | None) -> None:
    with pytest.raises(InputError, match="no consensus among so few annotators"):
        Consensus(names, ConsensusConfig(agree=agree))


def test_versions_of_different_trees_are_refused() -> None:
    with pytest.raises(InputError, match="annotators must label the same steps"):
        Consensus(("one", "two"), ConsensusConfig()).keep([labelled(1.0), labelled(1.0, 1.0)])
