"""Which segmenter ends steps, and what it is told. No torch, so that recipes bind in milliseconds."""

from pydantic import BaseModel, ConfigDict, Field

from prmkit.options import checked_options
from prmkit.segment import SEGMENTERS, Segmenter


class SegmenterConfig(BaseModel):
    """A segmenter and its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("separator", description="built-in segmenter, or my_package.module:factory")
    options: dict[str, bool | int | float | str] = Field(
        {}, description="keyword arguments of the segmenter, such as length"
    )


def bind_segmenter(config: SegmenterConfig, step_end: str) -> Segmenter:
    """The segmenter with its options, for a format whose separator is ``step_end``.

    Raises:
        InputError: unknown segmenter.
        InputErrors: an option that it does not take, lacks, or that is out of range.
    """
    factory = SEGMENTERS.load(config.name)
    options = checked_options(factory, config.options, where=f"segmenter {config.name}", key="format.steps.options")
    segmenter: Segmenter = factory(step_end, **options)
    return segmenter
