import math

import pytest

from prmkit.report.blocks import TableCell
from prmkit.report.sections.records import cell, record_of, records_table
from prmkit.similarity.statistics.result import Discrepancy, TextFacts
from prmkit.stats import Estimate

ONE = Estimate(value=0.25, stderr=0.125, n=4)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (ONE, "0.250 ± 0.125"),
        (Estimate(value=math.nan, stderr=math.nan, n=0), "\u2013"),
        (True, "yes"),
        (False, "no"),
        (1234, 1234),
        (0.123456, "0.1235"),
        (math.nan, None),
        ("text", "text"),
        (None, None),
        ([1, "a"], "[1, 'a']"),
    ],
)
def test_a_value_is_a_cell(value: object, shown: TableCell) -> None:
    assert cell(value) == shown


def test_text_stands_at_the_head_and_what_a_record_lacks_is_a_dash() -> None:
    table = records_table([{"steps_read": 3, "class": "a"}, {"steps_read": 4, "class": "b", "share": ONE}], "By class")
    assert (table.title, table.columns, table.texts) == ("By class", ["class", "steps read", "share"], 1)
    assert table.rows == [["a", 3, None], ["b", 4, "0.250 ± 0.125"]]


def test_parts_of_results_are_records_under_their_names_in_json() -> None:
    facts = TextFacts(
        set="math",
        responses=9,
        tokens=ONE,
        steps=ONE,
        right=None,
        rethinks=ONE,
        **{"markers per 100 tokens": ONE},  # type: ignore[arg-type]
    )
    assert list(record_of(facts)) == [
        "set",
        "responses",
        "tokens",
        "steps",
        "right",
        "rethinks",
        "markers per 100 tokens",
    ]
    table = records_table([Discrepancy(kernel="k", first="a", second="b", squared=0.5)], "")
    assert (table.columns, table.texts) == (["kernel", "first", "second", "squared"], 3)
    assert table.rows == [["k", "a", "b", "0.5"]]
