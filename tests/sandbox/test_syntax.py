import ast
import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from prmkit.sandbox.syntax import parse

PROGRAM = "\n".join(
    f"def f{number}(x, y=[1, 2, 3]):\n    return [x + y for _ in range(10) if x]" for number in range(100)
)


@pytest.fixture
def _collecting() -> Iterator[None]:
    """Garbage is collected often, and other threads go on meanwhile."""

    def yields(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.set_threshold(50, 1000, 1000)
    gc.callbacks.append(yields)
    yield
    gc.callbacks.remove(yields)
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_collecting")
def test_threads_parse_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(parse, [PROGRAM] * 40))
    assert {len(tree.body) for tree in found} == {100}


def test_what_is_no_python_is_refused_as_ever() -> None:
    with pytest.raises(SyntaxError) as refused:
        parse("def", "a file")
    assert refused.value.filename == "a file"
    assert ast.dump(parse("x")) == ast.dump(ast.parse("x"))
