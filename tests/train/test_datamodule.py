import random

import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import encode_trees
from prmkit.packing.sequence import Sequences
from prmkit.train.config import TrainConfig
from prmkit.train.datamodule import StepDataModule
from prmkit.train.encoding import shape_of
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import human, path_tree, tiny_encoder


def trees(count: int = 20) -> list[StepTree]:
    return [path_tree(f"{n} ?", [("1", float(n % 2)), ("2 3", 0.5)]) for n in range(count)]


def module(given: list[StepTree], *, seed: int = 0, max_length: int = 64, **fields: object) -> StepDataModule:
    config = TrainConfig(**{"validation_share": 0.25, "batch_size": 4, "packing": "none", **fields})  # type: ignore[arg-type]
    encoder = tiny_encoder()
    encoded = encode_trees(given, encoder, shape_of(config, max_length))
    return StepDataModule(encoded, encoder, max_length=max_length, config=config, seed=seed)


def ids(rows: Sequences) -> set[tuple[int, ...]]:
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


def _sides(data: StepDataModule) -> tuple[Sequences, Sequences]:
    return data.train_rows, data.validation_rows


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_trees() -> None:
    shuffled = trees()
    random.Random(1).shuffle(shuffled)
    assert ids(module(trees()).validation_rows) == ids(module(shuffled).validation_rows)
    assert ids(module(trees()).validation_rows) != ids(module(trees(), seed=1).validation_rows)


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
        (trees(), 3, "every label stands beyond the length limit"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(given: list[StepTree], length: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        module(given, max_length=length)


def test_rows_whose_problem_is_too_long_are_left_out_and_counted() -> None:
    data = module([*trees(), path_tree("1 2 3 4 5 6 ?", [("1", 1.0)])], max_length=8)
    assert (data.counts.too_long, data.counts.rows) == (1, 20)


def test_balance_is_that_of_the_rows_that_are_trained_on() -> None:
    hard = [path_tree(f"{n} ?", [("1", float(n % 3 > 0)), ("2", 1.0)]) for n in range(20)]
    data = module(hard, class_balance=True)
    steps = [pair for row in data.train_rows for pair in zip(row.labels, row.weights, strict=True)]
    right = sum(weight * label for label, weight in steps)
    assert right == pytest.approx(sum(weight for _, weight in steps) / 2)
    assert {weight for row in data.validation_rows for weight in row.weights} == {1.0}


def test_the_makers_of_the_labels_are_named() -> None:
    tree = path_tree("z ?", [("1", 1.0), ("2", None)])
    tree.set_label(0, Label(value=1.0, source="a judge"))
    assert module([*trees(), tree]).label_source == "a judge+human"
