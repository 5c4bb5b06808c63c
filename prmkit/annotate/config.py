"""What a recipe may say about annotation."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prmkit.generate import GeneratorConfig


class AnnotatorConfig(BaseModel):
    """One annotator: an estimator, and the model that it asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "labels", pattern=r"^[A-Za-z0-9_.-]+$", description="names its file in the run folder and its row in the report"
    )
    estimator: str = Field("monte-carlo", description="a label estimator by name, or my_package.module:coroutine")
    options: dict[str, Any] = Field({}, description="what the estimator takes, such as rollouts")
    generator: GeneratorConfig | None = Field(
        None, description="the model that it asks; by default the policy of the recipe"
    )

    @field_validator("name")
    @classmethod
    def _not_taken(cls, name: str) -> str:
        if name in ("problems", "solutions", "kept"):
            raise ValueError(f"{name} names another file of the run folder")
        return name
