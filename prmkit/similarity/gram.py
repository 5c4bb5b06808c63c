"""The raw Gram matrix of activation patterns, by layer: all that every similarity score needs.

Shapes: L layers, N responses. Cosines over any range of layers, standard errors, chance levels and permutations follow
from it without another gradient, so it is the result that is kept.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prmkit.errors import InputError

SCHEMA = 1
_ARRAYS, _MANIFEST = "gram.safetensors", "gram.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatternGram:
    """The Gram of N responses.

    Attributes:
        grams: [L, N, N] fp64, the dots A_i . A_j within each layer, not normalised.
        l1: [L, N] fp64, the sums of A_i within each layer.
        sizes: number of weights of each layer.
        layers: number of each layer in the model; -1 for what stands outside the decoder layers.
        problem_ids: of each response.
        predicted_tokens: what the reference model would say after each response.
        texts: of each response.
        sets: rows of each set of responses; a response of several sets has one row.
        origin: how the patterns were made: reference model, its dtype and attention, target, parameters.
    """

    grams: NDArray[np.float64]
    l1: NDArray[np.float64]
    sizes: tuple[int, ...]
    layers: tuple[int, ...]
    problem_ids: tuple[str, ...]
    predicted_tokens: tuple[int, ...]
    texts: tuple[str, ...]
    sets: dict[str, tuple[int, ...]]
    origin: dict[str, str]

    def __post_init__(self) -> None:
        count, responses = len(self.layers), len(self.problem_ids)
        shapes = (self.grams.shape, self.l1.shape, len(self.sizes), len(self.predicted_tokens), len(self.texts))
        expected = ((count, responses, responses), (count, responses), count, responses, responses)
        if shapes != expected:
            raise InputError("the parts of a Gram do not fit together", got=shapes, expected=str(expected))
        if any(not 0 <= row < responses for rows in self.sets.values() for row in rows):
            raise InputError("a set names a response that is not there", expected=f"rows 0 to {responses - 1}")

    def rows(self, name: str) -> tuple[int, ...]:
        """The responses of a set.

        Raises:
            InputError: there is no such set.
        """
        if name not in self.sets:
            raise InputError("no such set of responses", got=name, expected=f"one of {', '.join(self.sets)}")
        return self.sets[name]

    def layer_mask(self, layers: Sequence[int] | None) -> NDArray[np.bool_]:
        """[L] bool: which layers are among those named; all of them for None.

        Raises:
            InputError: a layer is not in the Gram, or none is named.
        """
        unknown = set(layers or ()) - set(self.layers)
        if unknown or (layers is not None and not layers):
            raise InputError("no such layers in the Gram", got=layers, expected=f"some of {list(self.layers)}")
        return np.array([layers is None or layer in layers for layer in self.layers])

    def save(self, folder: Path) -> None:
        """Write ``gram.safetensors`` (the arrays) and ``gram.json`` (the rest) into a new folder, all or nothing.

        Raises:
            InputError: the folder exists.
        """
        if folder.exists():
            raise InputError("the folder exists", where=folder, cure="Choose another name or remove it.")
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        manifest = {
            "schema": SCHEMA,
            "sizes": self.sizes,
            "layers": self.layers,
            "problem_ids": self.problem_ids,
            "predicted_tokens": self.predicted_tokens,
            "texts": self.texts,
            "sets": self.sets,
            "origin": self.origin,
        }
        save_file({"grams": self.grams, "l1": self.l1}, partial / _ARRAYS)
        (partial / _MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        partial.rename(folder)

    @classmethod
    def load(cls, folder: Path) -> "PatternGram":
        """What ``save`` wrote.

        Raises:
            InputError: the folder holds no Gram of this schema, or its parts do not fit together.
        """
        try:
            manifest = orjson.loads((folder / _MANIFEST).read_bytes())
            if manifest["schema"] != SCHEMA:
                raise InputError(
                    "unknown schema", where=folder / _MANIFEST, got=manifest["schema"], expected=f"{SCHEMA}"
                )
            arrays = load_file(folder / _ARRAYS)
            return cls(
                grams=arrays["grams"],
                l1=arrays["l1"],
                sets={name: tuple(rows) for name, rows in manifest["sets"].items()},
                origin=manifest["origin"],
                **{
                    key: tuple(manifest[key]) for key in ("sizes", "layers", "problem_ids", "predicted_tokens", "texts")
                },
            )
        except (OSError, KeyError, TypeError, AttributeError, orjson.JSONDecodeError, SafetensorError) as error:
            raise InputError(
                f"not a Gram of patterns ({type(error).__name__}: {error})",
                where=folder,
                expected=f"a folder with {_ARRAYS} and {_MANIFEST}",
            ) from None
