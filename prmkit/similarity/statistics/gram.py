"""The raw Gram matrix of activation patterns, by part of the model: all that every similarity score needs.

Shapes: M parts, N responses. Cosines over any range of layers, standard errors, chance levels and permutations follow
from it without another gradient, so it is the result that is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prmkit.errors import InputError
from prmkit.run.files import whole_folder, write_json

Float64Array = NDArray[np.float64]

SCHEMA = 2
_ARRAYS, _MANIFEST = "gram.safetensors", "gram.json"
_BASELINE = "baseline "
_OF_PARTS = ("sizes", "layers", "kinds")
_OF_RESPONSES = ("problem_ids", "predicted_tokens", "lengths", "correct", "texts")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatternGram:
    """The Gram of N responses.

    Attributes:
        grams: [M, N, N] fp64, the dots A_i . A_j within each part, not normalised.
        l1: [M, N] fp64, the sums of A_i within each part.
        sizes: number of weights of each part.
        layers: the layer of each part; -1 for what stands outside the decoder layers, -2 for all of them in a sketch.
        kinds: attention, mlp, outside or sketch, of each part.
        problem_ids: of each response.
        predicted_tokens: what the reference model would say after each response; -1 where nobody looked.
        lengths: tokens of each response, its prompt not counted.
        correct: whether each response is right; None where that is not known.
        texts: of each response.
        sets: rows of each set of responses; a response of several sets has one row.
        baselines: [N, N] other similarities of the same responses, by name.
        origin: how the patterns were made: reference model, its dtype and attention, target, parameters, engine.
    """

    grams: Float64Array
    l1: Float64Array
    sizes: tuple[int, ...]
    layers: tuple[int, ...]
    kinds: tuple[str, ...]
    problem_ids: tuple[str, ...]
    predicted_tokens: tuple[int, ...]
    lengths: tuple[int, ...]
    correct: tuple[bool | None, ...]
    texts: tuple[str, ...]
    sets: dict[str, tuple[int, ...]]
    origin: dict[str, str]
    baselines: dict[str, Float64Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count, responses = len(self.layers), len(self.problem_ids)
        square = (responses, responses)
        shapes = (self.grams.shape, self.l1.shape, *(len(getattr(self, key)) for key in (*_OF_PARTS, *_OF_RESPONSES)))
        expected = ((count, *square), (count, responses), *(count,) * 3, *(responses,) * 5)
        if shapes != expected or any(kernel_NN.shape != square for kernel_NN in self.baselines.values()):
            raise InputError("the parts of a Gram do not fit together", got=shapes, expected=str(expected))
        if any(not 0 <= row < responses for rows in self.sets.values() for row in rows):
            raise InputError("a set names a response that is not there", expected=f"rows 0 to {responses - 1}")

    def rows(self, name: str) -> tuple[int, ...]:
        """The responses of a set.

        Raises:
            InputError: there is no such set.
        """
        return rows_of(self.sets, name)

    def part_mask(self, layers: Sequence[int] | None, kind: str | None = None) -> NDArray[np.bool_]:
        """[M] bool: which parts are of the layers named (all of them for None) and of the kind (any for None).

        Raises:
            InputError: a layer is not in the Gram, or nothing is left.
        """
        unknown = set(layers or ()) - set(self.layers)
        if unknown or (layers is not None and not layers):
            raise InputError("no such layers in the Gram", got=layers, expected=f"some of {sorted(set(self.layers))}")
        pairs = zip(self.layers, self.kinds, strict=True)
        mask = np.array([(layers is None or layer in layers) and kind in (None, found) for layer, found in pairs])
        if not mask.any():
            raise InputError("no such part in the Gram", got=kind, expected=f"one of {sorted(set(self.kinds))}")
        return mask

    def save(self, folder: Path) -> None:
        """Write ``gram.safetensors`` (the arrays) and ``gram.json`` (the rest) into a new folder, all or nothing.

        Raises:
            InputError: the folder exists.
        """
        manifest = {
            "schema": SCHEMA,
            **{key: getattr(self, key) for key in (*_OF_PARTS, *_OF_RESPONSES)},
            "sets": self.sets,
            "origin": self.origin,
        }
        kernels = {_BASELINE + name: np.ascontiguousarray(kernel_NN) for name, kernel_NN in self.baselines.items()}
        with whole_folder(folder) as partial:
            save_file({"grams": self.grams, "l1": self.l1} | kernels, partial / _ARRAYS)
            write_json(partial / _MANIFEST, manifest)

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
                baselines={
                    name.removeprefix(_BASELINE): kernel_NN
                    for name, kernel_NN in arrays.items()
                    if name.startswith(_BASELINE)
                },
                **{key: tuple(manifest[key]) for key in (*_OF_PARTS, *_OF_RESPONSES)},
            )
        except (OSError, KeyError, TypeError, AttributeError, orjson.JSONDecodeError, SafetensorError) as error:
            raise InputError(
                f"not a Gram of patterns ({type(error).__name__}: {error})",
                where=folder,
                expected=f"a folder with {_ARRAYS} and {_MANIFEST}",
            ) from None


def rows_of(sets: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, ...]:
    """The rows of a set.

    Raises:
        InputError: there is no such set.
    """
    if name not in sets:
        raise InputError("no such set of responses", got=name, expected=f"one of {', '.join(sets)}")
    return sets[name]
