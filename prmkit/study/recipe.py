"""What the recipe of a study may say: a grid of runs, described once, and what is read from it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scale = Literal["synthetic", "small", "paper"]
"""synthetic: the embedded world, on a laptop; small: one GPU and real benchmarks; paper: the paper's models."""

AxisValue = str | int | float


class RunConfig(BaseModel):
    """One verb, run at every value of the axes that it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str | None = Field(None, description="the recipe that is run, by its verb")
    set: dict[str, Any] = Field({}, description="values in place of the recipe's, by dotted key")
    command: list[AxisValue] | None = Field(None, description="in place of a recipe, a verb with its arguments")
    after: list[str] = Field([], description="runs that must be done before, though none of their folders is named")
    gpus: int | str = Field(0, description="GPUs of each machine, for the launchers ray and slurm")
    nodes: int | str = Field(1, description="machines, for the launcher slurm")


class Reading(BaseModel):
    """A figure in what a run printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str | None = Field(None, description="the run; without, the item of each")
    at: str = Field(
        description="its dotted key, or history.N.NAME in the training's history.csv, N from 0, -1 the last"
    )
    error: str | None = Field(None, description="the key of its standard error, where that stands apart")
    times: float = Field(1.0, description="is multiplied by this; 100 makes percent of a share")


class RowsConfig(BaseModel):
    """Rows of the result: one for each value of the axes that its texts name. Over other axes figures are averaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    each: Reading | None = Field(None, description="a list; each of its items makes a row")
    where: dict[str, AxisValue] = Field({}, description="of each: only the items that have these values")
    columns: dict[str, AxisValue | Reading] = Field(description="texts and figures, by the name of the column")


class PairsConfig(BaseModel):
    """Paired differences between searches of the same problems."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str = Field(description="the search runs that are compared")
    by: str = Field(description="the axis whose values are compared with each other")


class WithinConfig(BaseModel):
    """The table of what fits into a limit: of each series, the row that costs most and not more than that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost: str = Field(description="the column that is limited")
    limits: list[float] = Field(min_length=1, description="its largest value, in each block of the table")


class ResultConfig(BaseModel):
    """The rows that a study gives, and how they are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["line", "bar", "table"] = Field("table", description="how the rows are drawn, beside the table")
    x: str | None = Field(None, description="column along the figure")
    y: str | None = Field(None, description="column of its height")
    series: str | None = Field(None, description="column that tells its lines or colours apart")
    log: bool = Field(False, description="whether x is drawn logarithmically")
    leap: bool = Field(False, description="look in each line for a plateau and a sudden leap, and mark it")
    rows: list[RowsConfig] = Field([], description="where the rows come from")
    pairs: PairsConfig | None = Field(None, description="differences, paired over problems")
    tables: dict[str, RowsConfig] = Field({}, description="further tables, by title")
    within: WithinConfig | None = Field(None, description="a second table, at equal cost")


class PaperConfig(BaseModel):
    """What the paper says, to be held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: str = Field("", description="in words")
    rows: list[dict[str, AxisValue | None]] = Field([], description="the values that it prints")


class StudyPart(BaseModel):
    """What a scale may say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axes: dict[str, list[AxisValue] | dict[str, dict[str, Any]]] = Field(
        {},
        description="values that runs range over: a list, or names with what each stands for, which may name axes "
        "that stand before",
    )
    runs: dict[str, RunConfig] = Field({}, description="what is run; only what the result needs is")
    result: ResultConfig | None = Field(None, description="what is read from the runs")
    notes: list[str] = Field([], description="what a reader should know, a sentence each")


class StudyRecipe(StudyPart):
    """A figure or table of the paper, as a grid of runs (``prmkit study``)."""

    stage: Literal["study"] = Field(description="the verb that runs this recipe")
    title: str = Field(description="what it shows")
    paper: PaperConfig = Field(PaperConfig(), description="what the paper says")
    scales: dict[Scale, StudyPart] = Field({}, description="what differs at each scale")
