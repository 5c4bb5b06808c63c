"""The form in which a model lies in its folder, where it is not that of its modules: other names, and tensors that
transformers joins as it loads, such as the experts of a mixture. What transformers knows of an architecture decides.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    PrefixChange,
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)

Named = tuple[str, Tensor]


def stored_form(model: PreTrainedModel, weights: Iterable[Named]) -> Iterator[Named]:
    """The weights of a model as its published folders hold them, and so as transformers and vLLM read them.

    Args:
        model: whose weights these are.
        weights: names within the model and whole tensors. No more are held at once than belong to one joined tensor.
    """
    # What transformers' save_pretrained does, tensor by tensor. A change of prefix depends on the folder that was read.
    transforms = [each for each in get_model_conversion_mapping(model, add_legacy=False) if not _is_prefix(each)]
    renamings, converters = _parted([each.reverse_transform() for each in reversed(transforms)])
    prefix = f"{model.base_model_prefix or 'model'}."
    waiting: dict[str, Any] = {}
    for name, tensor in weights:
        key, pattern = rename_source_key(prefix + name, renamings, converters, reverse=True)
        if pattern is None:
            yield key, tensor
            continue
        converter = waiting.setdefault(key, deepcopy(_with(pattern, converters)))
        converter.add_tensor(key, prefix + name, pattern, tensor)
        if len(converter.collected_tensors) == len(converter.source_patterns):
            yield from _converted(waiting.pop(key), key, model)


@dataclass(slots=True)
class StoredWeight:
    """Where a weight lies: the stored tensors that it is made of, by their patterns; one and no converter where it is
    stored as it is.
    """

    keys: list[tuple[str, str | None]] = field(default_factory=list)
    converter: Any = None

    def made(self, name: str, tensors: Mapping[str, Tensor], model: PreTrainedModel) -> Iterator[Named]:
        """The weights that the stored tensors become: the one of this name, and others where one tensor is cut."""
        if self.converter is None:
            return iter([(name, tensors[self.keys[0][0]])])
        converter = deepcopy(self.converter)
        for key, pattern in self.keys:
            converter.add_tensor(name, key, pattern, tensors[key])
        return _converted(converter, name, model)


def stored_weights(model: PreTrainedModel, keys: Iterable[str]) -> tuple[dict[str, StoredWeight], set[str]]:
    """Where each weight of a model lies in a folder with these keys, and the weights of which nothing is there.

    The first is by the name of the weight, or of the first of several that are cut from one tensor.
    """
    wanted = model.state_dict()
    renamings, converters = _parted(get_model_conversion_mapping(model))
    found: dict[str, StoredWeight] = {}
    missing = set(wanted)
    for key in sorted(keys, key=dot_natural_key):
        name, pattern = rename_source_key(key, renamings, converters, model.base_model_prefix, wanted)
        if name not in wanted and key in wanted:
            name, pattern = key, None
        if name not in wanted:
            continue
        weight = found.setdefault(name, StoredWeight())
        weight.keys.append((key, pattern))
        missing.discard(name)
        if pattern is not None:
            weight.converter = _with(pattern, converters)
            others = weight.converter.target_patterns
            missing -= {name.replace(others[0], other) for other in others[1:]}
    return found, missing


def _is_prefix(transform: Any) -> bool:
    return isinstance(transform, PrefixChange)


def _parted(transforms: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    every = list(transforms)
    renamings = [each for each in every if isinstance(each, WeightRenaming)]
    return renamings, [each for each in every if isinstance(each, WeightConverter)]


def _with(pattern: str, converters: list[Any]) -> Any:
    return next(each for each in reversed(converters) if pattern in each.source_patterns)


def _converted(converter: Any, name: str, model: PreTrainedModel) -> Iterator[Named]:
    made = converter.convert(name, model=model, config=model.config)
    for key in list(made):
        value = made.pop(key)
        yield key, value[0] if isinstance(value, list) else value
