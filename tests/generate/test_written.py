from prmkit.generate.written import Written, WrittenStep


def test_the_answer_is_what_is_no_thought() -> None:
    steps = (WrittenStep(text="hm", thought=True), WrittenStep(text="3"), WrittenStep(text="4"))
    assert Written(steps, "eos").answer == ["3", "4"]
