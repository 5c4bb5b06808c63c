import random

import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import TokenRow
from prmkit.train.config import TrainConfig
from prmkit.train.datamodule import StepDataModule, held_out_problems
from prmkit.tree import ROOT, Problem, StepTree
from tests.tiny import human, path_tree, tiny_encoder


def trees(count: int = 20) -> list[StepTree]:
    return [path_tree(f"{n} ?", [("1", float(n % 2)), ("2 3", 0.5)]) for n in range(count)]


def module(given: list[StepTree], *, seed: int = 0, max_length: int = 64, **fields: object) -> StepDataModule:
    config = TrainConfig(**{"validation_share": 0.25, "batch_size": 4, "packing": "none", **fields})  # type: ignore[arg-type]
    return StepDataModule(given, tiny_encoder(), max_length=max_length, config=config, seed=seed)


def ids(rows: list[TokenRow]) -> set[tuple[int, ...]]:
    return {tuple(row.ids.tolist()) for row in rows}


def test_no_problem_straddles_the_split() -> None:
    # Two sources tell of each problem, under other ids and with other spaces.
    doubled = trees() + [StepTree(Problem(id=f"other-{n}", prompt=f"{n}  ?\n")) for n in range(20)]
    for tree in doubled[20:]:
        tree.add(ROOT, "4", label=human(1.0))
    data = module(doubled)
    numbers = [
        {problem.removeprefix("other-").split()[0] for row in side for problem in row.problems} for side in _sides(data)
    ]
    assert len(numbers[1]) == 5  # a quarter of 20 problems
    assert not numbers[0] & numbers[1]
    assert len(data.train_rows) == 30


def _sides(data: StepDataModule) -> tuple[list[TokenRow], list[TokenRow]]:
    return data.train_rows, data.validation_rows


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_trees() -> None:
    shuffled = trees()
    random.Random(1).shuffle(shuffled)
    assert ids(module(trees()).validation_rows) == ids(module(shuffled).validation_rows)
    assert ids(module(trees()).validation_rows) != ids(module(trees(), seed=1).validation_rows)


def test_a_split_stays_what_it_was() -> None:
    # The first three by the SHA-256 of "3:0" to "3:9": printf '3:0' | sha256sum
    assert held_out_problems("0123456789", 0.3, 3) == set("548")


def test_both_sides_of_a_split_hold_a_problem() -> None:
    assert len(held_out_problems("abc", 0.01, 0)) == 1
    assert len(held_out_problems("abc", 0.99, 0)) == 2
    with pytest.raises(InputError, match="no problem can be held out"):
        held_out_problems("a", 0.5, 0)


def test_the_counts_say_what_became_of_the_trees() -> None:
    given = [*trees(4), path_tree("x ?", [("y", None)])]
    counts = module(given, max_length=6).counts
    # "n ? \n" is 3 tokens, "1 \n" 2: the second step, 3 more, is beyond 6 tokens. The last tree has no label.
    assert (counts.rows, counts.labels, counts.cut, counts.dropped, counts.labels_lost) == (4, 4, 4, 1, 4)


def test_batches_are_those_of_the_rows() -> None:
    data = module(trees())
    batches = list(data.train_dataloader())
    assert sum(len(batch.problems) for batch in batches) == 15
    assert sum(float(batch.weights_BS.sum()) for batch in batches) == 30.0


@pytest.mark.parametrize(
    ("given", "length", "message"),
    [
        ([path_tree("1 ?", [("1", None)])], 64, "no step has a label"),
        ([], 64, "no step has a label"),
        (
            [path_tree(f"{n} ?", [("1", 1.0)]) for n in range(3)],
            64,
            "all labels are the same.*got '3 labels of value 1.0",
        ),
        ([path_tree("1 ?", [("1", 1.0), ("2", 0.0)])], 64, "no problem can be held out"),
        (trees(), 4, "every label stands beyond the length limit"),
        (trees(), 3, r"problem 0 \?: the problem leaves no room for a step"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(given: list[StepTree], length: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        module(given, max_length=length)
