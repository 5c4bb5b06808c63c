import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from prmkit.errors import InputError
from prmkit.run.results import Figures, Result, parsed, read_result, write_result
from prmkit.stats import Estimate, Known


class Line(Figures):
    name: str
    value: Known


class Shape(Result):
    kind = "shape"
    version = 2

    accuracy: Estimate
    lines: list[Line] = Field([])
    pass_: float = Field(0.0, alias="pass")

    @classmethod
    def upgraded(cls, record: dict[str, Any], version: int) -> dict[str, Any]:
        return {**record, "accuracy": {**record["accuracy"], "value": record["accuracy"]["value"] / 100}}


class Other(Result):
    kind = "other"

    number: int


SHAPE = Shape(accuracy=Estimate(value=0.5, stderr=math.nan, n=1), lines=[Line(name="a", value=math.nan)], pass_=0.25)


def test_a_result_reads_back_and_says_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "metrics.json"
    write_result(file, SHAPE)
    stored = json.loads(file.read_text())
    assert next(iter(stored)) == "schema"
    assert stored["schema"] == "prmkit/shape/2"
    assert stored["accuracy"] == {"value": 0.5, "stderr": None, "n": 1}  # JSON has no NaN
    assert (stored["pass"], stored["lines"]) == (0.25, [{"name": "a", "value": None}])
    read = read_result(file, Shape)
    assert (read.accuracy.value, math.isnan(read.accuracy.stderr), math.isnan(read.lines[0].value)) == (0.5, True, True)
    assert read.as_json() == SHAPE.as_json()


def test_an_older_form_is_brought_up_to_date_and_one_that_cannot_be_is_named(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    for schema in ({}, {"schema": "prmkit/shape/1"}):
        file.write_text(json.dumps({**schema, "accuracy": {"value": 50.0, "stderr": None, "n": 1}}))
        assert read_result(file, Shape).accuracy.value == 0.5
    file.write_text(json.dumps({"accuracy, %": 50.0}))
    with pytest.raises(
        InputError, match=r"metrics\.json: not a shape result, got \['accuracy, %'\]\. An older prmkit wrote"
    ):
        read_result(file, Shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": "prmkit/shape/2", "accur', r"metrics\.json: not JSON .* It may be half written: make it again"),
        ("", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"schema": "prmkit/shape/3"}', "written by a newer prmkit, got 'prmkit/shape/3'; .* Upgrade prmkit"),
        ('{"schema": "prmkit/other/1"}', "a result of another kind, got 'prmkit/other/1'; expected prmkit/shape/2"),
        ('{"schema": "lm-eval/shape/2"}', "the file of another tool, got 'lm-eval/shape/2'"),
        ('{"schema": 7}', "the file of another tool, got 7"),
        ('{"schema": "prmkit/shape/x"}', "the file of another tool"),
        ('{"schema": "prmkit/shape/2"}', r"metrics\.json: accuracy: field required$"),
        ('{"schema": "prmkit/shape/2", "accuracy": {"value": 1, "stderr": 0, "n": 1}, "colour": 1}', "colour: extra"),
        (
            '{"schema": "prmkit/shape/2", "accuracy": {"value": "a", "stderr": 0, "n": 1}}',
            r"accuracy\.value: .*got 'a'",
        ),
    ],
)
def test_a_bad_file_is_one_line_that_says_what_is_wrong_in_it(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_result(file, Shape)
    assert len(str(error.value).splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: no result here; expected a shape result"):
        read_result(tmp_path / "gone.json", Shape)
    with pytest.raises(InputError, match="cannot read the result"):
        read_result(tmp_path, Shape)


def test_a_form_that_did_not_change_is_read_without_a_schema(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"number": 3}')
    assert read_result(tmp_path / "metrics.json", Other).number == 3
    (tmp_path / "metrics.json").write_text('{"numbr": 3}')
    with pytest.raises(InputError, match=r"number: field required\. An older prmkit wrote it"):
        read_result(tmp_path / "metrics.json", Other)


def test_a_record_is_parsed_with_its_place() -> None:
    assert parsed(Line, {"name": "a", "value": 1}, "f:3").value == 1.0
    with pytest.raises(InputError, match=r"f:3: name: .*got 5"):
        parsed(Line, {"name": 5, "value": 1}, "f:3")
