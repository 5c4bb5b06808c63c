"""The program that a solution holds: its fenced block, its bare code, or the body that completes a stub."""

import ast
import re
import textwrap

from prmkit.grade.found import Found
from prmkit.tree import Problem

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_CODE_LINE = re.compile(r"(?:import|from|def|class|async def)\s|@\w|[A-Za-z_]\w*\s*=[^=]")


def find(problem: Problem, solution: str) -> Found | None:
    """What ``extract`` finds, with a rule."""
    program = extract(problem, solution)
    return None if program is None else Found(program, "program")


def extract(problem: Problem, solution: str) -> str | None:
    """The program of a solution, or None for a blank one.

    The last fenced block that defines ``problem.entry_point``, else the last fenced block, else the text; of a text
    that is no Python as a whole, the part that starts at its first line of code and parses. A part that does not
    define the entry point completes ``problem.stub``, up to its first line that is not indented; without a stub, it is
    the body of the function, whose parameters stand in the prompt (else it takes x).
    """
    name = problem.entry_point
    blocks = _FENCE.findall(solution) or [_bare(solution, name)]
    code = next((block for block in reversed(blocks) if name is not None and _defines(block, name)), blocks[-1])
    if not code.strip():
        return None
    if name is None or _defines(code, name):
        return str(code)
    if problem.stub is not None:
        return problem.stub.rstrip("\n") + "\n" + _body(code)
    return f"def {name}({_parameters(problem.prompt, name)}):\n" + textwrap.indent(textwrap.dedent(code), "    ")


def normalised(program: str) -> str:
    """The text of a program's syntax tree, its local names numbered by first appearance: what a vote on text compares.

    Comments, layout, docstrings and the choice of names do not count. The text itself if it does not parse.
    """
    try:
        tree = ast.parse(program)
        names: dict[str, str] = {}
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in bound:
                node.id = names.setdefault(node.id, f"v{len(names)}")
            elif isinstance(node, ast.arg):
                node.arg, node.annotation = names.setdefault(node.arg, f"v{len(names)}"), None
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Module):
                _drop_docstring(node)
                if isinstance(node, ast.FunctionDef):
                    node.returns = None
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program.strip()


def parses(code: str) -> bool:
    """Whether a text is Python."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _bare(text: str, name: str | None) -> str:
    if parses(text) or (name is not None and not _defines(text, name)):
        return text
    lines = text.split("\n")
    start = next((index for index, line in enumerate(lines) if _CODE_LINE.match(line)), 0)
    for end in range(len(lines), start, -1):
        part = "\n".join(lines[start:end])
        if lines[end - 1].strip() and parses(part) and (name is None or _defines(part, name)):
            return part
    return text


def _body(code: str) -> str:
    """The lines that can follow a function's header: indented, up to the first that is not."""
    lines = code.strip("\n").split("\n")
    if not lines[0].startswith((" ", "\t")):
        # Models that are asked to go on often begin at the margin, and mean the whole text.
        rest = textwrap.dedent("\n".join(lines[1:])) if all(line[:1] in " \t" for line in lines[1:] if line) else ""
        whole = "\n".join([lines[0], rest]) if rest else "\n".join(lines)
        return textwrap.indent(whole, "    ") + "\n"
    kept = []
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t")):
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _drop_docstring(node: ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Module) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        node.body = node.body[1:] or [ast.Pass()]


def _defines(code: str, name: str) -> bool:
    return re.search(rf"^\s*(?:async\s+)?def\s+{re.escape(name)}\s*\(", code, re.MULTILINE) is not None


def _parameters(prompt: str, name: str) -> str:
    """The parameter list in the prompt, without annotations (their names need not be importable here)."""
    header = re.search(rf"def\s+{re.escape(name)}\s*\((.*?)\)\s*(?:->[^\n:]*)?:?\s*$", prompt, re.MULTILINE)
    try:
        parsed = ast.parse(f"def f({header.group(1)}): pass").body[0] if header else None
    except SyntaxError:
        parsed = None
    if not isinstance(parsed, ast.FunctionDef):
        return "x"
    for argument in ast.walk(parsed.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(parsed.args)
