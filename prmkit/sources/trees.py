"""prmkit's own trees (docs/trees.md): what annotate and search write."""

from prmkit.rows_io import Fields
from prmkit.tree import StepTree
from prmkit.trees_io import from_record


def tree_of(row: Fields, where: str) -> StepTree:
    """The tree of a record. Raises InputError if it is none."""
    return from_record(dict(row))
