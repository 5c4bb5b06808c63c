"""The answer that a math solution declares."""

import re


def extract(solution: str) -> str | None:
    r"""The final answer that a solution declares, or None.

    The first form found counts: the last ``\boxed{...}`` (brace-matched), the last ``#### x``, the ``# Answer`` block
    of PRM800K, a last line that says ``answer is x``, a last line ``A: x``. A number that only stands last is not an
    answer.
    """
    for form in (_boxed, _hashes, _answer_block, _sentence, _last_line):
        found = form(solution)
        if found is not None:
            return found.strip() or None
    return None


def _boxed(solution: str) -> str | None:
    for match in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*(?:(\{)|([^\s{}$]+))", solution))):
        if match.group(2):
            return match.group(2).rstrip(".,")
        end = _closing_brace(solution, match.end())
        if end is not None:
            return solution[match.end() : end]
    return None


def _closing_brace(text: str, start: int) -> int | None:
    depth, index = 1, start
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    return None


def _hashes(solution: str) -> str | None:
    found = re.findall(r"^[ \t]*####[ \t]*(.*)$", solution, re.MULTILINE)
    return found[-1] if found else None


def _answer_block(solution: str) -> str | None:
    found = re.findall(r"^# Answer[ \t]*\n\s*(.*(?:\n(?!\s*\n).*)*)", solution, re.MULTILINE)
    return found[-1] if found else None


def _sentence(solution: str) -> str | None:
    found = re.search(r"\banswer is:?\s*(?!.*\banswer is)(.+)$", _final_line(solution), re.IGNORECASE)
    if found is None:
        return None
    return re.split(r"\.\s", found.group(1).strip(), maxsplit=1)[0].removesuffix(".")


def _last_line(solution: str) -> str | None:
    found = re.fullmatch(r"A:\s*(.*)", _final_line(solution))
    return found.group(1) if found else None


def _final_line(solution: str) -> str:
    return solution.rstrip().rpartition("\n")[2].strip()
