"""What the authors' own graders say: the facts that the two presets are held against.

``pairs.json`` has 1,500 rows of gold answer, answer, and the verdicts of PRM800K's and of Qwen2.5-Math's grader;
``qwen/solutions.json`` has 360 rows of gold answer, whole solution, and the answer that Qwen2.5-Math finds. The texts
were made up for it. The verdicts are what the functions named here returned, on sympy 1.12:

* openai/prm800k at 7ecc794, prm800k/grading/grader.py: ``grade_answer(answer, gold)``.
* QwenLM/Qwen2.5-Math at a45202b, evaluation/parser.py and evaluation/grader.py, in the order of its math_eval.py:
  ``extract_answer`` of a solution (for pairs, of the answer in a box), ``strip_string`` of what it finds and twice of
  the gold answer, the choice letter where the gold answer is one, and ``math_equal(answer, gold)``.

To obtain them again, in an environment with both checkouts and what the latter's requirements.txt asks for:

    PYTHONPATH=QWEN/evaluation:QWEN/evaluation/latex2sympy:PRM800K/prm800k python tests/grade/math/official.py
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def rows(name: str) -> list[list[Any]]:
    """The rows of a file of facts."""
    found: list[list[Any]] = json.loads((HERE / name).read_text(encoding="utf-8"))
    return found


def _check() -> None:
    """Print every row that the authors' functions do not confirm."""
    import grader  # type: ignore[import-not-found]
    import parser as qwen  # type: ignore[import-not-found]
    from grading.grader import grade_answer  # type: ignore[import-not-found]

    choices = list("ABCDE")

    def found(gold: str, solution: str) -> str:
        answer: str = qwen.strip_string(qwen.extract_answer(solution, "math"))
        if gold in choices and answer not in choices:
            return str(qwen.choice_answer_clean(solution))
        if set(gold) <= set(choices) and not set(answer) <= set(choices):
            return "".join(letter for letter in answer if letter in choices)
        return answer

    def stripped(gold: str) -> str:
        return str(qwen.strip_string(qwen.strip_string(gold)))

    for gold, answer, prm800k, verdict in rows("pairs.json"):
        declared = found(stripped(gold), "\\boxed{" + answer + "}")
        says = [int(grade_answer(answer, gold)), int(grader.math_equal(declared, stripped(gold)))]
        if says != [prm800k, verdict]:
            print("pairs.json", gold, answer, says)
    for gold, solution, answer in rows("qwen/solutions.json"):
        says = found(stripped(gold), solution.strip()) or None
        if says != answer:
            print("solutions.json", gold, solution, says)


if __name__ == "__main__":
    _check()
