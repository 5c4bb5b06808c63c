"""TACO: programming problems with tests, difficulty and skills.

Source: Li et al. 2023, arXiv 2312.14852; BAAI/TACO on the Hugging Face hub.
"""

from prmkit.rows_io import Fields, field, plain
from prmkit.sources import problem_id
from prmkit.sources.cases import asked, cases_of, json_column, pairs_of
from prmkit.tree import Problem, StepTree


def tree_of(row: Fields, where: str, *, max_tests: int = 32, ask: bool = False) -> StepTree | None:
    """The problem without steps, to be solved and annotated; one without tests is left out.

    With ``fn_name`` it asks for a function, perhaps as a method of ``class Solution``, and else for a program that
    reads its standard input or ``input.txt``. All tests are public: the corpus tells no others apart.

    Left out too are problems of GeeksforGeeks that name no function but ask for a class: their tests fit no program
    that reads its input.

    Args:
        row: of the corpus.
        where: its place.
        max_tests: the first so many tests are kept.
        ask: end the problem with a request for steps and a program.

    Raises:
        InputError: a column is missing or illegal.
    """
    inputs, outputs, name = pairs_of(json_column(row, where, "input_output"), where, "tests")
    starter = plain(row.get("starter_code")) or ""
    if name is None and "class Solution" in starter and all(isinstance(given, str) for given in inputs):
        return None
    tests = cases_of(inputs, outputs, name, where, most=max_tests)
    if not tests:
        return None
    prompt = field(row, where, "question") + (f"\n\n{starter}" if starter else "")
    problem = Problem(
        id=problem_id("taco", prompt),
        prompt=asked(prompt, ask=ask),
        domain="code",
        level=plain(row.get("difficulty")),
        entry_point=name,
        tests=tuple(tests),
        input_file="input.txt" if name is None else None,
        output_file="output.txt" if name is None else None,
        rule="taco",
    )
    return StepTree(problem, meta={"source": plain(row.get("source")) or ""})
