from typing import get_args

import pytest

from prmkit.grade.code.verdicts import Status, Verdict


@pytest.mark.parametrize("status", get_args(Status))
def test_a_program_is_right_by_one_status_alone(status: Status) -> None:
    assert Verdict(status=status).passed is (status == "pass")


def test_a_pass_on_the_public_tests_is_no_pass() -> None:
    assert not Verdict(status="fail", base="pass").passed
