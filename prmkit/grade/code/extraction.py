"""The program that a solution holds, and the rule that found it: RULES names them with an example each.

The official tools differ: evalplus and BigCodeBench keep the longest run of lines that parses and of it what the
function needs, LiveCodeBench the last pair of fences. Common to them is what is kept here: prose, other languages and
uses of the function around a program do not count, and of several programs one is judged, never a union. Where they
would miss a right program (indented fences, samples behind it), it is found; docs/benchmarks.md has the differences.

Source: evalplus 0.3.1, evalplus/sanitize.py; BigCodeBench 0.2.5, bigcodebench/sanitize.py; LiveCodeBench,
lcb_runner/utils/extraction_utils.py.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from prmkit.grade.code import fences
from prmkit.grade.code.prelude import after_future_imports
from prmkit.grade.code.source import Definition, acts, bound, defines, parsed, runs, within, without_use
from prmkit.grade.found import Found
from prmkit.tree import Problem

RULES = {
    "block": "a fenced block",
    "part of a block": "lines of a fenced block: prose, or a line that was cut, stands around them",
    "session": "a fenced block with the prompts of an interpreter (>>>), without what it printed",
    "text": "the whole text is a program",
    "part of the text": "lines of the text: prose stands around them",
    "indented block": "lines of the text that are indented, as Markdown sets code too",
    "completion": "lines that go on from the problem's stub",
    "body": "the body of a function, whose header stands in the prompt",
    "as it stands": "no part is a program; the last block, or the text",
}
"""The rules of finding, and what each finds."""

_BAR = "[|\N{FULLWIDTH VERTICAL LINE}]"
_TOKEN = rf"<{_BAR}[A-Za-z_\u2581 ]{{2,40}}{_BAR}>"
_START = re.compile(rf"\A(?:\s*{_TOKEN}(?:assistant\b)?\n?)+")
# Within quotes such a token is a text of the program.
_END = re.compile(
    rf"(?<![\"'])(?:(?:{_TOKEN}|<end_of_turn>|\[/INST\])(?=\s|<|\Z)|<\|(?:endoftext|im_end|eot_id|end_of_text)\|>(?=[A-Z]))"
    r"|(?:</s>|<eos>)\s*\Z"
)
_ESCAPES = re.compile(r"\x1b(?:[@-Z\\-_]|\[[0-?]*[ -/]*[@-~])")
_THOUGHT = re.compile(r"</think(?:ing)?>")
_READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(\s*0|\bfileinput\b|\bos\.read\(")
_WRITES = re.compile(r"\bprint\s*\(|\bstdout\b|\.write\(|\bos\.write\(")
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")

_LONGEST_BODY = 20_000
"""Characters of a text that is taken for the body of a function."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    found: Found
    tree: ast.Module | None
    foreign: bool = False


def find(problem: Problem, solution: str) -> Found | None:
    """The program of a solution, and the name of the rule that found it (see RULES); None for a blank one.

    Of a function: the last fenced block that defines it, else the last part of the text that does. What uses the
    function behind its definition is left out; names of the problem's stub that it lacks are put before it. What does
    not define the function is its body. Of a script: the last fenced block that reads input and writes, else that
    reads, else that does anything. What was thought before, up to ``</think>``, counts where no program is behind it.
    """
    text = _cleaned(solution)
    thoughts = [*_THOUGHT.finditer(text)]
    answered = _find(problem, text[thoughts[-1].end() :]) if thoughts else None
    return _find(problem, text) if answered is None or answered.rule == "as it stands" else answered


def _find(problem: Problem, text: str) -> Found | None:
    if not text.strip():
        return None
    blocks, outside = fences.split(text, lambda before: _is_code(problem, before))
    name = problem.entry_point
    if name is None:
        return _script(blocks, outside)
    if problem.stub is not None and not blocks and text.strip("\n")[0] in " \t":
        # What begins indented goes on from the stub, whatever a base model defines behind it.
        outside = [_indented(text)]
    groups = [[*_of_blocks(blocks)], [*_of_texts(outside, whole=not blocks)]]
    if blocks:
        groups.append([*_of_texts([text], whole=True)])  # a program whose docstring has fences
    tries = [(defines, group) for group in [*groups, [*_of_indented(outside)]]] + [(_binds, group) for group in groups]
    for qualifies, group in tries:
        own = [each for each in group if each.tree is not None and qualifies(each.tree, name)]
        if own:
            chosen = [each for each in own if not each.foreign] or own
            return _whole(problem, name, chosen[-1])
    return _incomplete(problem, name, blocks, outside)


def extract(problem: Problem, solution: str) -> str | None:
    """The text of what ``find`` finds."""
    found = find(problem, solution)
    return found.text if found is not None else None


def _cleaned(solution: str) -> str:
    """The text between tokens of a chat, without escape sequences of terminals and other kinds of line breaks."""
    solution = _START.sub("", solution)
    end = _END.search(solution)
    text = _ESCAPES.sub("", solution[: end.start()] if end else solution).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_code(problem: Problem, before: str) -> bool:
    """Whether a text before a first fence without a language is code, which the fence closes."""
    if problem.stub is not None and before.strip("\n")[:1] in (" ", "\t"):
        return parsed(textwrap.dedent(_indented(before))) is not None
    name = problem.entry_point
    tree = parsed(before)
    if tree is not None:
        return acts(tree)
    return any(_READS.search(run.text) if name is None else defines(run.tree, name) for run in runs(before))


def _binds(tree: ast.Module, name: str) -> bool:
    return name in bound(tree)


def _of_blocks(blocks: list[fences.Block]) -> Iterator[_Candidate]:
    """The programs of fenced blocks; of a block that does not parse, those in it."""
    for block in blocks:
        tree = parsed(block.text)
        if tree is not None:
            yield _Candidate(Found(block.text, "block"), tree, block.foreign)
            continue
        inner, _ = fences.split(block.text, lambda _: False) if "```" in block.text else ([], [])
        for each in inner:
            if (tree := parsed(each.text)) is not None:
                yield _Candidate(Found(each.text, "block"), tree, each.foreign)
        session = _session(block.text)
        if session is not None:
            yield _Candidate(Found(session, "session"), parsed(session), block.foreign)
        else:
            for part in runs(block.text):
                yield _Candidate(Found(part.text + "\n", "part of a block"), part.tree, block.foreign)


def _of_texts(texts: list[str], *, whole: bool) -> Iterator[_Candidate]:
    """The programs in the text outside of blocks; ``whole`` where there are none."""
    for text in texts:
        for part in runs(text):
            rule = "text" if whole and part.text.strip() == text.strip() else "part of the text"
            yield _Candidate(Found(part.text, rule), part.tree)
        session = _session(text)
        if session is not None:
            yield _Candidate(Found(session, "session"), parsed(session))


def _of_indented(texts: list[str]) -> Iterator[_Candidate]:
    """The programs that stand indented in the text."""
    for text in texts:
        for is_indented, lines in groupby(text.split("\n"), lambda line: not line.strip() or line[0] in " \t"):
            code = textwrap.dedent("\n".join(lines)).strip("\n") if is_indented else ""
            if code:
                yield _Candidate(Found(code, "indented block"), parsed(code))


def _session(text: str) -> str | None:
    lines = textwrap.dedent(text).split("\n")
    if not any(line.startswith(">>>") for line in lines):
        return None
    return "\n".join(line[4:] for line in lines if _PROMPT.match(line)) + "\n"


def _script(blocks: list[fences.Block], outside: list[str]) -> Found | None:
    found = [*_of_blocks(blocks)]
    if not any(each.tree is not None and acts(each.tree) for each in found):
        found += _of_texts(outside, whole=not blocks)
    ranked = [(_worth(each), index, each.found) for index, each in enumerate(found)]
    best = max(ranked, default=None)
    if best is not None and best[0][0]:
        return best[2]
    return _as_it_stands(blocks, outside)


def _worth(candidate: _Candidate) -> tuple[int, bool, bool]:
    """How much speaks for a script: it does something and is not called another language's; it reads; it writes."""
    text, does = candidate.found.text, candidate.tree is not None and acts(candidate.tree)
    return does * (1 + (not candidate.foreign)), _READS.search(text) is not None, _WRITES.search(text) is not None


def _whole(problem: Problem, name: str, candidate: _Candidate) -> Found:
    """The program without what uses it, and with what it takes from the stub, such as imports."""
    assert candidate.tree is not None  # it defines the function
    code = without_use(candidate.found.text, candidate.tree, name)
    given = _before_function(problem.stub or "", name)
    header = parsed(given)
    if header is not None and bound(header):
        wanted = {node.id for node in ast.walk(candidate.tree) if isinstance(node, ast.Name)} - bound(candidate.tree)
        if wanted & bound(header) or "*" in bound(header):
            code = after_future_imports(given.rstrip("\n"), code)
    return Found(code, candidate.found.rule)


def _before_function(stub: str, name: str) -> str:
    """What stands in a stub before its function, or before the class that has it."""
    header = re.search(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", stub, re.MULTILINE)
    lines = stub[: header.start()].split("\n")[:-1] if header else []
    indented = header is not None and header[0][0] in " \t"
    while lines and (lines[-1].startswith("@") or indented):
        indented = indented and not lines[-1][:1].strip()
        lines.pop()
    return "\n".join(lines)


def _incomplete(problem: Problem, name: str, blocks: list[fences.Block], outside: list[str]) -> Found | None:
    """The body of the function, or what goes on from its stub: the last text that returns something, else the last."""
    given = [block.text for block in blocks if block.text.strip()] or [text for text in outside if text.strip()]
    texts = [text for text in given if len(text) < _LONGEST_BODY]
    bodies = [
        text for text in texts if parsed(_completed(problem, name, text)) is not None and _returns(text) is not None
    ]
    if not bodies:
        return _as_it_stands(blocks, outside)
    code = next((text for text in reversed(bodies) if _returns(text)), bodies[-1])
    return Found(_completed(problem, name, code), "body" if problem.stub is None else "completion")


def _returns(text: str) -> bool | None:
    """Whether a body returns something; None for a text that only defines something else."""
    tree = parsed(textwrap.dedent(_indented(text) or _at_margin(text)))
    if tree is None:  # methods of the stub's class stand behind it
        return True
    if any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in within(tree)):
        return True
    return None if any(isinstance(node, Definition) for node in tree.body) else False


def _as_it_stands(blocks: list[fences.Block], outside: list[str]) -> Found | None:
    texts = [block.text for block in blocks if block.text.strip()] or ["\n".join(outside)]
    return Found(texts[-1], "as it stands") if texts[-1].strip() else None


def _completed(problem: Problem, name: str, code: str) -> str:
    """The stub with the lines that can follow its header, up to the first that is not indented; or a header with them.

    Models that are asked to go on often begin at the margin, and mean the whole text.
    """
    if problem.stub is None:
        body = textwrap.indent(textwrap.dedent(code), "    ")
        return f"def {name}({_parameters(problem.prompt, name)}):\n{body}"
    body = _indented(code)
    if not body:
        headers = re.findall(r"^([ \t]*)(?:async[ \t]+)?def\b", problem.stub, re.MULTILINE)
        body = textwrap.indent(_at_margin(code), (headers[-1] if headers else "") + "    ")
    return problem.stub.rstrip("\n") + "\n" + body + "\n"


def _indented(text: str) -> str:
    """The lines up to the first that is not indented."""
    lines = text.strip("\n").split("\n")
    ends = (index for index, line in enumerate(lines) if line.strip() and line[0] not in " \t")
    return "\n".join(lines[: next(ends, len(lines))])


def _at_margin(text: str) -> str:
    """The text, whose first line may have lost the indentation that the others have."""
    first, *rest = text.strip("\n").split("\n")
    if rest and parsed(text) is None and all(line[:1] in (" ", "\t") for line in rest if line):
        return first + "\n" + textwrap.dedent("\n".join(rest))
    return "\n".join([first, *rest])


def _parameters(prompt: str, name: str) -> str:
    """The parameter list in the prompt, without annotations (their names need not be importable here)."""
    header = re.search(rf"def\s+{re.escape(name)}\s*\(", prompt)
    given = prompt[header.end() :][:2000] if header else ""
    ends = list(islice((index for index, sign in enumerate(given) if sign == ")"), 20))
    tree = next((tree for end in ends if (tree := parsed(f"def f({given[:end]}): pass")) is not None), None)
    function = tree.body[0] if tree is not None else None
    if not isinstance(function, ast.FunctionDef):
        return "x"
    if function.args.args and function.args.args[0].arg == "self":  # of a method that is asked for: a function will do
        del function.args.args[0]
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(function.args)
