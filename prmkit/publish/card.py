"""The model card: what a checkpoint is, how it was made, what was measured, and what the numbers do not say.

The page itself is the template ``card.md`` beside this file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import jinja2
import orjson
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointFacts, inspect_checkpoint
from prmkit.publish.figures import CardFigure, figures_of, held_out
from prmkit.publish.training import Training, public, training_of
from prmkit.recipe.compose import leaves
from prmkit.report.markdown import plain
from prmkit.run.files import write_text
from prmkit.score.aggregate import default_aggregation
from prmkit.train.result import TrainingResult

CARD = "README.md"

_TEMPLATE = Path(__file__).with_name("card.md")

_MEANING = {
    "monte-carlo": "on the way to the right answer (the share of the policy's rollouts from there that reach it)",
    "consensus": "correct, as all its annotators agreed",
    "human": "correct, as people judged it",
    "judge": "correct, as a language model judged it",
}

_LABEL_LIMITS = {
    "monte-carlo": "Monte-Carlo labels say what *that* policy made of a step: a wrong step that it recovers from "
    "counts as right, and a right one that it cannot go on from as wrong.",
    "human": "Human labels seldom go past the first error, so scores of later steps rest on little.",
    "judge": "A language model made the labels, with its own blind spots; they were not checked by people.",
    "consensus": "Only solutions on which all annotators agreed were kept: those are the easier ones to judge.",
}


def write_card(
    checkpoint: Path,
    *,
    runs: Sequence[Path] = (),
    license: str | None = None,
    repository: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the card of a checkpoint into its folder, and return its place.

    Args:
        checkpoint: what training wrote; the run folder around it, where there is one, tells data, recipe and cost.
        runs: evaluated searches and step evaluations of this PRM, whose figures the card shows.
        license: as the hub names it; without, the card names none.
        repository: ``owner/name`` on the hub; without, the card says OWNER and the name of the run.
        overwrite: replace the card that is there.

    Raises:
        InputError: the folder is no checkpoint, it has a card already, or a run is not one of this PRM.
    """
    path = checkpoint / CARD
    if path.exists() and not overwrite:
        raise InputError("the checkpoint has a card", where=path, cure="Give --overwrite.")
    write_text(path, str(card_of(checkpoint, runs=runs, license=license, repository=repository)))
    return path


def card_of(
    checkpoint: Path, *, runs: Sequence[Path] = (), license: str | None = None, repository: str | None = None
) -> ModelCard:
    """The card of a checkpoint; see ``write_card``."""
    facts, training = inspect_checkpoint(checkpoint), training_of(checkpoint)
    name = _name(checkpoint, training, repository)
    figures = [figure for run in runs for figure in figures_of(run, checkpoint)]
    if training is not None:
        figures += held_out(training.result, _data_name(training))
    format = facts.meta.format
    page = _environment().from_string(_TEMPLATE.read_text(encoding="utf-8"))
    text = page.render(
        card_data=_metadata(name, facts, training, figures, license).to_yaml(),
        name=name,
        repository=repository or f"OWNER/{name}",
        facts=facts,
        meaning=_MEANING.get(facts.meta.label_source, "correct"),
        base_model=training.base_model if training else None,
        backbone=public(training.recipe["model"]["name"]).rpartition("/")[2] if training else "",
        template=f"{facts.before}{{problem}}{facts.after}",
        chat=format if format.template == "chat" else None,
        step_end=format.step_end,
        aggregation=_aggregation(facts.meta.label_source),
        training=training,
        figures=figures,
        limits=list(_limits(facts, training)),
        **(_sections(training) if training else {}),
    )
    return ModelCard(text)


def _name(checkpoint: Path, training: Training | None, repository: str | None) -> str:
    if repository is not None:
        return repository.rpartition("/")[2]
    return training.name if training is not None else checkpoint.resolve().name


def _metadata(
    name: str, facts: CheckpointFacts, training: Training | None, figures: Sequence[CardFigure], license: str | None
) -> ModelCardData:
    return ModelCardData(
        library_name="prmkit",
        pipeline_tag="token-classification",
        base_model=training.base_model if training else None,
        datasets=(training.datasets or None) if training else None,
        license=license,
        tags=["process-reward-model", "reward-model", "prm", "vllm", facts.model_type, facts.meta.label_source],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type="token-classification",
                task_name="step scores",
                dataset_type=figure.data,
                dataset_name=f"{figure.data}: {figure.setting}",
                metric_type=figure.metric,
                metric_name=figure.metric,
                metric_value=str(figure),
            )
            for figure in figures
        ],
    )


def _sections(training: Training) -> dict[str, Any]:
    """What only the training knows: its data, its recipe, its cost."""
    return {
        "corpus": _corpus(training),
        "counts": list(_counts(training.result)),
        "hashes": [(public(str(file)), digest) for file, digest in training.record.get("inputs", {}).items()],
        "recipe": [(".".join(keys), public(value)) for keys, value in leaves(training.recipe)],
        "cost": list(_cost(training)),
    }


def _data_name(training: Training) -> str:
    data = training.recipe["data"]
    return f"{data['source']} ({PurePath(str(data['path'])).name})"


def _learned_from(training: Training) -> str:
    annotation = training.annotation
    if annotation is None:
        return f"`{training.recipe['data']['source']}`"
    problems = [_named(one["benchmark"], one["options"]) for one in annotation["problems"]]
    return " and ".join([*problems, *(_named(one["source"], one["options"]) for one in annotation["data"])])


def _corpus(training: Training) -> str:
    data, annotation = training.recipe["data"], training.annotation
    read = f"Source {_named(data['source'], data['options'])}, read from `{public(data['path'])}`."
    if annotation is None:
        return read
    estimators = [_named(one["estimator"], one["options"]) for one in annotation["annotators"]]
    policy = public(annotation["generator"]["name"]).rpartition("/")[2]
    return (
        f"{read} Its steps were labelled by {' and '.join(estimators)}, on solutions of the policy `{policy}` or of "
        f"the corpus, to problems of {_learned_from(training)}."
    )


def _named(name: str, options: dict[str, Any]) -> str:
    shown = ", ".join(f"{key} = {public(value)}" for key, value in options.items())
    return f"`{name}` ({shown})" if shown else f"`{name}`"


def _counts(result: TrainingResult) -> Iterator[tuple[str, str]]:
    corpus = result.corpus
    named = (
        ("rows read", corpus.read),
        ("kept", corpus.kept),
        ("quarantined, since they were faulty", corpus.quarantined),
        ("left out on purpose", corpus.filtered),
        ("steps", corpus.nodes),
        ("steps with a label", corpus.labelled),
        ("sequences", result.rows),
        ("labels in them, held-out ones included", result.labels),
        ("sequences cut at the length limit", result.cut),
        ("labels lost by that", result.labels_lost),
    )
    yield from ((key, f"{value:,}") for key, value in named)


def _cost(training: Training) -> Iterator[tuple[str, str]]:
    result, train, versions = training.result, training.recipe["train"], training.record.get("versions", {})
    yield "devices", f"{train['devices'] or 'all'} a machine, {train['num_nodes']} machine(s)"
    yield "optimiser steps", f"{result.steps:,}"
    yield "tokens", f"{result.tokens:,}"
    yield "training FLOPs", f"{result.flops:.3g}"
    if result.pretraining_flops is not None:
        yield "FLOPs of the backbone's pre-training, 6 N D", f"{result.pretraining_flops:.3g}"
    yield "hours", f"{result.seconds / 3600:.2f}"
    yield "software", ", ".join(f"{name} {version}" for name, version in versions.items())


def _aggregation(label_source: str) -> str | None:
    try:
        return default_aggregation(label_source)
    except InputError:
        return None


def _limits(facts: CheckpointFacts, training: Training | None) -> Iterator[str]:
    source = facts.meta.label_source
    yield from (_LABEL_LIMITS[part] for part in source.split("+") if part in _LABEL_LIMITS)
    if "+" in source:
        yield f"Its labels are of several kinds ({source}), which mean different things by a probability."
    how = _aggregation(source)
    if how is not None:
        yield (
            f"`{how}` is the default way from step scores to the score of a solution, for the kind of its labels. "
            "Another may choose better on your problems: `prmkit evaluate selection RUN` tries all of them."
        )
    if training is not None:
        yield f"It has learned from {_learned_from(training)}. Problems of other kinds are not what it was made for."
        yield (
            "The figures of the training's own held-out problems come from one split of the training corpus, have no "
            "error bars, and chose the weights that were kept."
        )
    yield "The best of many solutions by any PRM finds its mistakes, too: with more samples, accuracy can fall."
    yield f"A solution longer than {facts.context:,} tokens cannot be scored."


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= {"code": _code, "plain": plain, "python": repr, "thousands": "{:,}".format}
    return environment


def _code(value: object) -> str:
    """A value within a table, as code: JSON, so that a line break stays visible."""
    text = value if isinstance(value, str) and value.isprintable() else orjson.dumps(value).decode()
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else "(empty)"
