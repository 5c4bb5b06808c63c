from prmkit.run.checks import note, noting


def test_what_is_noted_is_kept_once_and_with_its_run() -> None:
    note({"before": True})
    with noting() as outer:
        note({"a": 1})
        note({"a": 1})
        with noting() as inner:
            note({"b": 2})
        note({"c": 3})
    note({"behind": True})
    assert outer == [{"a": 1}, {"c": 3}]
    assert inner == [{"b": 2}]
