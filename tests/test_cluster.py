import sys

import pytest

from prmkit.cluster import connect
from prmkit.errors import InputError


def test_a_missing_ray_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray is not installed .*pip install 'prmkit\[ray\]'"):
        connect()
