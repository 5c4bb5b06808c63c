"""Test-time search: one strategy a file, each a coroutine over a session that returns the last step it chose.

ROOT means that there is no finished solution to choose.
"""

from prmkit.seam import Seam

STRATEGIES = Seam(
    "strategy",
    {
        "adaptive-best-of-n": "prmkit.search.adaptive:adaptive_best_of_n",
        "beam": "prmkit.search.beam:beam",
        "best-of-n": "prmkit.search.best_of_n:best_of_n",
        "dvts": "prmkit.search.dvts:dvts",
        "greedy": "prmkit.search.greedy:greedy",
        "majority": "prmkit.search.majority:majority",
        "mcts": "prmkit.search.mcts:mcts",
        "particle-filtering": "prmkit.search.particle_filtering:particle_filtering",
        "weighted-best-of-n": "prmkit.search.weighted_best_of_n:weighted_best_of_n",
    },
)
