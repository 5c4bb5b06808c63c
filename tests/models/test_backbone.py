from prmkit.models.backbone import shown


def test_long_lists_of_keys_are_shortened() -> None:
    assert shown(list("abcdef")) == "a, b, c, d and 2 more"
