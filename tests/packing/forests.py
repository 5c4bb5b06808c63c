"""Random trees of every shape, for properties."""

from hypothesis import strategies as st

from prmkit.tree import ROOT, Label, Problem, StepTree

_WORDS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "x"]


@st.composite
def trees(draw: st.DrawFn, sources: tuple[str, ...] = ("human",)) -> StepTree:
    """Any shape of tree of up to nine steps, labelled hard, softly or not at all."""
    tree = StepTree(
        Problem(
            id=draw(st.sampled_from("pqr")),
            prompt=" ".join(draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4))),
        )
    )
    for node in range(draw(st.integers(1, 9))):
        label = draw(st.none() | st.sampled_from([0.0, 0.25, 0.7, 1.0]))
        tree.add(
            draw(st.integers(ROOT, node - 1)),
            " ".join(draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4))),
            label=None if label is None else Label(value=label, source=draw(st.sampled_from(sources))),
        )
    return tree


def forests(largest: int = 5) -> st.SearchStrategy[list[StepTree]]:
    """Some trees, or none."""
    return st.lists(trees(sources=("human", "monte-carlo")), max_size=largest)
