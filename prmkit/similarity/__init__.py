"""Do responses use a model in the same way? Activation patterns |theta * dF/dtheta| and their similarity."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.random_selection import random_selection_test
from prmkit.similarity.statistics.result import SelectionTest, SetScore
from prmkit.similarity.statistics.scores import set_score, set_score_difference
from prmkit.similarity.statistics.set_means import SetMeans
from prmkit.similarity.statistics.table import similarity_table

if TYPE_CHECKING:
    from prmkit.similarity.patterns.parameters import Reference


def similarity(
    model: "Reference",
    sets: Mapping[str, Sequence[Response]],
    config: SimilarityConfig,
    *,
    folder: Path | None = None,
    process: Process | None = None,
    progress: Callable[[int], AbstractContextManager[Callable[[], None]]] | None = None,
) -> PatternGram | SetMeans | None:
    """The Gram of the activation patterns of all responses under a reference model; with engine ``mean``, set scores.

    Args:
        model: any causal LM of Hugging Face, or a PRM; it is left as it was.
        sets: responses by name of their set, encoded by the model's tokenizer. A response may be in several sets.
        config: the scalar, the weights, the engine, the memory.
        folder: where parts are kept as they are finished, so that a killed run goes on; without, in memory.
        process: which of several processes this is, that share the folder and have started
            torch.distributed; only the first gets the Gram, the others None.
        progress: told how many batches will be differentiated, it gives a function to call after each.

    Raises:
        InputError: a set is empty, a response does not suit the model, or memory does not suffice.
        RunError: a gradient is not finite (the layer is named), or all of a response's are zero.

    Source: the paper, section "Pattern Similarity"; Wang et al. 2025 (AAAI-25).
    """
    # Here, so that recipes and tables, which read the rest of this package, need no torch.
    from prmkit.similarity.patterns.engine import compare

    return compare(model, sets, config, folder=folder, process=process, progress=progress)
