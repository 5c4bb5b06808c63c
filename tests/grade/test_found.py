from prmkit.grade.found import Found, texts


def test_what_was_found_has_a_text_or_is_none() -> None:
    assert texts([Found("5", "box"), None]) == ["5", None]
