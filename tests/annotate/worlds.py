"""A world without noise: whether a solution can still succeed is written in its steps."""

from prmkit.session import Session
from prmkit.tree import Finish, Node, Problem, StepTree
from tests.fakes import ScriptedGenerator, make_session

PROBLEM = Problem(id="p", prompt="?", answer="4")


def script(prompt: str, sample: int) -> tuple[str, Finish]:
    """A rollout reaches the answer unless a bad step stands before it."""
    return ("5" if "bad" in prompt else "4"), "eos"


def policy() -> ScriptedGenerator:
    return ScriptedGenerator(script)


def path(*steps: str, finish: Finish | None = "eos") -> StepTree:
    """A tree of one solution; its last step ends it."""
    tree = StepTree(PROBLEM)
    add_path(tree, *steps, finish=finish)
    return tree


def add_path(tree: StepTree, *steps: str, parent: int = -1, finish: Finish | None = "eos") -> int:
    for place, text in enumerate(steps, start=1):
        parent = tree.add(parent, text, finish=finish if place == len(steps) else "stop")
    return parent


def session_on(tree: StepTree, generator: ScriptedGenerator) -> Session:
    return make_session(generator, tree=tree)


def values(tree: StepTree) -> list[float | None]:
    return [value_of(node) for node in tree]


def value_of(node: Node) -> float | None:
    return node.label.value if node.label is not None else None
