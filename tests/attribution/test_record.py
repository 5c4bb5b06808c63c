from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.attribution import Attribution, StepInfluence, TokenAttribution
from prmkit.attribution.record import RECORDS, RecordedAttribution, add_record, read_records
from prmkit.errors import InputError

FOUND = Attribution(
    problem="1 + 1?",
    steps=("add", "2"),
    scores=(0.75, 0.5),
    explained=1,
    tokens=("1 + 1?", "add", "2"),
    step_of=(-1, 0, 1),
    neutral="_",
    by_token=(
        TokenAttribution(
            method="gradient", values=(0.5, 0.25, -1.0), change=None, delta=None, ablation=1.0, random_ablation=0.5
        ),
    ),
    by_step=(StepInfluence(method="ablation", matrix=((1.0, 0.5), (0.0, -2.0)), change=(1.0, -1.5), gap=0.0),),
)


def test_the_delta_is_a_share_of_what_there_is_to_explain() -> None:
    one = TokenAttribution(method="m", values=(), change=-2.0, delta=0.1, ablation=0.0, random_ablation=0.0)
    assert one.relative_delta == pytest.approx(0.05)


def test_steps_are_ranked_by_how_much_they_lower_a_score() -> None:
    influence = StepInfluence(method="m", matrix=((1.0, -0.5), (0.0, -2.0)), change=(1.0, -2.5), gap=0.0)
    assert influence.lowering(1) == [1, 0]
    assert influence.lowering(0) == [0]


def test_a_run_folder_gives_back_what_was_added_in_its_order(tmp_path: Path) -> None:
    assert read_records(tmp_path) == []
    again = replace(FOUND, scores=(0.25, 0.5))
    for found in (FOUND, again):
        add_record(found, tmp_path, problem_id="p", leaf=3)
    first, second = read_records(tmp_path)
    assert first == RecordedAttribution(problem_id="p", leaf=3, **{key: getattr(FOUND, key) for key in FOUND.__slots__})
    assert (second.scores, second.by_step) == ((0.25, 0.5), FOUND.by_step)
    assert first.as_dict() == {"problem_id": "p", "leaf": 3, **FOUND.as_dict()}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"leaf":3', '"leaf":"last"', "leaf: input should be a valid integer"),
        ('"steps":["add","2"],', "", "steps: field required"),
        ('"values":[0.5', '"values":["high"', "by_token.0.values.0: input should be a valid number"),
        ("}]}", "}]", "not JSON"),
    ],
)
def test_a_line_that_is_no_attribution_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    for _ in range(2):
        add_record(FOUND, tmp_path, problem_id="p", leaf=3)
    first, second = (tmp_path / RECORDS).read_text().splitlines()
    assert old in second
    (tmp_path / RECORDS).write_text(f"{first}\n{second.replace(old, new)}\n")
    with pytest.raises(InputError, match=rf"attributions\.jsonl:2: {fault}"):
        read_records(tmp_path)
