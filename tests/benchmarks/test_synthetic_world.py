import random
from pathlib import Path

import pytest

from prmkit.benchmarks import load, synthetic_code, synthetic_math
from prmkit.benchmarks.synthetic_world import OPERATIONS, Instruction, draw_instructions, held_out, instructions_of
from prmkit.errors import InputError


@pytest.mark.parametrize(
    ("operation", "value", "operand", "result", "by_habit"),
    [
        ("add", 7, 3, 10, None),
        ("sub", 2, 5, -3, None),
        ("from", 2, 5, 3, -3),
        ("atmost", 9, 4, 4, 9),
        ("atleast", 9, 4, 9, 4),
    ],
)
def test_operations_and_their_habits(
    operation: str, value: int, operand: int, result: int, by_habit: int | None
) -> None:
    assert OPERATIONS[operation].apply(value, operand) == result
    habit = OPERATIONS[operation].habit
    assert (OPERATIONS[habit].apply(value, operand) if habit else None) == by_habit


def test_a_prompt_states_its_instructions() -> None:
    expected = [Instruction("a", "add", 3), Instruction("b", "from", 5)]
    assert instructions_of("x = 7 . a add 3 . b from 5 .") == expected
    assert instructions_of("def f ( x ) . a add 3 . b from 5 .") == expected


def test_about_half_of_the_instructions_invite_a_misreading() -> None:
    drawn = draw_instructions(random.Random(0), 8) + [
        one for seed in range(250) for one in draw_instructions(random.Random(seed), 8)
    ]
    inviting = sum(OPERATIONS[one.operation].habit is not None for one in drawn) / len(drawn)
    # 2008 draws at 1/2: five standard errors are 0.056.
    assert abs(inviting - 0.5) < 0.056


@pytest.mark.parametrize("world", [synthetic_math, synthetic_code])
def test_no_test_problem_is_a_training_problem_whatever_the_seeds(world: object) -> None:
    train = {problem.prompt for problem in world.problems(300, seed=1, split="train")}  # type: ignore[attr-defined]
    test = {problem.prompt for problem in world.problems(300, seed=1)}  # type: ignore[attr-defined]
    assert len(train) == len(test) == 300
    assert not any(map(held_out, train))
    assert all(map(held_out, test))


@pytest.mark.parametrize("name", ["synthetic-math", "synthetic-code"])
def test_the_number_of_instructions_is_the_level(name: str) -> None:
    problems = load(name, limit=50, seed=2, min_steps=2, max_steps=4)
    assert {problem.level for problem in problems} == {"2", "3", "4"}
    assert all(problem.level == str(len(instructions_of(problem.prompt))) for problem in problems)
    assert problems == load(name, limit=50, seed=2, min_steps=2, max_steps=4)


@pytest.mark.parametrize("name", ["synthetic-math", "synthetic-code"])
def test_a_generated_benchmark_reads_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a generated benchmark reads no file"):
        load(name, path=tmp_path / "file.jsonl")
