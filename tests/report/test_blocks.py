from prmkit.report.blocks import histogram


def test_a_value_counts_in_the_bin_that_begins_with_it_and_one_in_the_last() -> None:
    found = histogram("steps", [0.0, 0.25, 0.3, 0.5, 1.0], bins=4)
    assert (found.x, found.y, found.kind) == ([0.125, 0.375, 0.625, 0.875], [1.0, 2.0, 1.0, 1.0], "bars")
