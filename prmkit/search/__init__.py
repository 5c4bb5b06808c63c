"""Test-time search: one strategy a file, each a coroutine over a session that returns the last step it chose."""

from prmkit.seam import Seam

STRATEGIES = Seam(
    "strategy",
    {"majority": "prmkit.search.majority:majority", "best-of-n": "prmkit.search.best_of_n:best_of_n"},
)
