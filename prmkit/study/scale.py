"""A study at one of its scales: what the scale says, laid over what all scales share."""

from collections.abc import Sequence

from prmkit.errors import InputError, did_you_mean
from prmkit.recipe.bind import bind_stage
from prmkit.recipe.compose import Composed, merge, override
from prmkit.study.recipe import StudyRecipe


def at_scale(composed: Composed, scale: str, overrides: Sequence[str] = ()) -> tuple[Composed, StudyRecipe]:
    """The values of the study at this scale, each with its place, and the recipe that they make.

    Args:
        composed: the study's file.
        scale: one of those that it describes.
        overrides: texts of ``--set``; they win over the scale.

    Raises:
        InputErrors: the file or the overrides are no study.
        InputError: the study does not describe the scale.
    """
    described = _bound(composed).scales
    if scale not in described:
        raise InputError(
            "the study does not describe this scale",
            where=composed.origin(("scales",)),
            got=scale,
            expected=f"one of {', '.join(described)}",
            cure=did_you_mean(scale, described),
        )
    under = ("scales", scale)
    common = Composed(
        path=composed.path,
        values={key: value for key, value in composed.values.items() if key != "scales"},
        origins={keys: origin for keys, origin in composed.origins.items() if keys[0] != "scales"},
    )
    own = Composed(
        path=composed.path,
        values=composed.values["scales"][scale],
        origins={keys[2:]: origin for keys, origin in composed.origins.items() if keys[:2] == under and len(keys) > 2},
    )
    whole = override(merge(common, own), overrides)
    return whole, _bound(whole)


def _bound(composed: Composed) -> StudyRecipe:
    recipe = bind_stage(composed, "study")
    assert isinstance(recipe, StudyRecipe)
    return recipe
