"""Do responses use a model in the same way? Activation patterns |theta * dF/dtheta| and their similarity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.gram import PatternGram
from prmkit.similarity.random_selection import SelectionTest, random_selection_test
from prmkit.similarity.response import Response
from prmkit.similarity.scores import SetScore, set_score, set_score_difference
from prmkit.similarity.table import similarity_table

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def similarity(
    model: "PreTrainedModel", sets: Mapping[str, Sequence[Response]], config: SimilarityConfig
) -> PatternGram:
    """The Gram of the activation patterns of all responses under a reference model.

    Args:
        model: any causal LM of Hugging Face; it is left as it was.
        sets: responses by name of their set, encoded by the model's tokenizer. A response may be in several sets.
        config: the scalar, the weights, the memory.

    Raises:
        InputError: a set is empty, a response does not suit the model, or the patterns do not fit the memory limit.
        RunError: a gradient is not finite (the layer is named), or all of a response's are zero.

    Source: the paper, section "Pattern Similarity"; Wang et al. 2025 (AAAI-25).
    """
    # Here, so that recipes and tables, which read the rest of this package, need no torch.
    from prmkit.similarity.accumulate import pattern_gram

    return pattern_gram(model, sets, config)
