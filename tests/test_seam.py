import pytest

from prmkit.errors import InputError
from prmkit.seam import Seam

SEAM = Seam("shape", {"path": "pathlib:Path", "ghost": "pathlib:Ghost"})


def test_a_name_and_a_dotpath_lead_to_the_same_thing() -> None:
    assert SEAM.load("path") is SEAM.load("pathlib:Path")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown shape, got 'pth'; expected one of ghost, path.*Did you mean path"):
        SEAM.load("pth")


@pytest.mark.parametrize("name", ["ghost", "no_such_module:thing"])
def test_a_dotpath_that_leads_nowhere_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="cannot import the shape"):
        SEAM.load(name)
