"""``prmkit checkpoint``: what a PRM is, its other forms, and its way to others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_record
from prmkit.packing.format import Template

if TYPE_CHECKING:
    from prmkit.models.checkpoint import CheckpointMeta

app = typer.Typer(help="Inspect, export, import, merge and publish PRMs.", rich_markup_mode=None, no_args_is_help=True)

FolderArgument = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="A checkpoint, such as RUN/checkpoint; or org/name[@revision].")
]
RunOrFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN|CHECKPOINT", help="The run folder of a training, or a checkpoint.")
]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")]
StepEndOption = Annotated[str, typer.Option("--step-end", help=r"What ends a step; \n stands for a line break.")]
TemplateOption = Annotated[
    Template, typer.Option("--template", help="The text around a problem; chat is the model's own chat template.")
]
LabelsOption = Annotated[
    str, typer.Option("--label-source", help="What the labels were, such as human: decides the default aggregation.")
]
LengthOption = Annotated[int, typer.Option("--max-length", min=1, help="The longest sequence it was trained on.")]


@app.command("inspect")
def inspect(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Print what a checkpoint is, and which servers read it as it is."""
    from dataclasses import asdict

    from prmkit.models.checkpoint import inspect_checkpoint

    facts = inspect_checkpoint(folder)
    record = asdict(facts) | {"meta": facts.meta.model_dump(mode="json", by_alias=True)}
    print_record({"checkpoint": folder, **record}, as_json=as_json)


@app.command("export")
def export(folder: FolderArgument, out: OutArgument, as_json: JsonOption = False) -> None:
    """Write the two-label form (Qwen2ForProcessRewardModel), as Qwen's own PRMs have it; the scores are the same."""
    from prmkit.models.checkpoint import export_process_reward_model
    from prmkit.run.files import writing

    with writing(out):
        export_process_reward_model(folder, out)
    print_record({"wrote": str(out), "architecture": "Qwen2ForProcessRewardModel"}, as_json=as_json)


@app.command("import")
def import_(
    name: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A PRM of TRL's or Qwen's form, or with a value head; here or on a hub."),
    ],
    out: OutArgument,
    step_end: StepEndOption = r"\n",
    template: TemplateOption = "bare",
    label_source: LabelsOption = "human",
    max_length: LengthOption = 4096,
    as_json: JsonOption = False,
) -> None:
    """Write someone else's PRM as a checkpoint. For Qwen2.5-Math-PRM: --step-end '<extra_0>' --template qwen-math."""
    from prmkit.models.foreign.imports import import_prm
    from prmkit.run.files import writing

    meta = _meta(step_end, template, label_source, max_length)
    with writing(out):
        form = import_prm(name, out, meta)
    print_record({"wrote": str(out), "form": form}, as_json=as_json)


@app.command("merge")
def merge(
    adapter: Annotated[
        str,
        typer.Argument(metavar="ADAPTER", help="What peft wrote, its head included: a folder, or org/name[@revision]."),
    ],
    out: OutArgument,
    base: Annotated[str | None, typer.Option("--base", help="The model beneath; default: as the adapter says.")] = None,
    step_end: StepEndOption = r"\n",
    template: TemplateOption = "bare",
    label_source: LabelsOption = "human",
    max_length: LengthOption = 4096,
    as_json: JsonOption = False,
) -> None:
    """Merge someone's LoRA adapter of a PRM into its model, and write a checkpoint. prmkit's own come merged."""
    from prmkit.models.foreign.imports import merge_adapter
    from prmkit.run.files import writing

    meta = _meta(step_end, template, label_source, max_length)
    with writing(out):
        merge_adapter(adapter, out, meta, base=base)
    print_record({"wrote": str(out)}, as_json=as_json)


@app.command("card")
def card(
    path: RunOrFolderArgument,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="RUN", help="A search or step evaluation of this PRM to show. Repeatable."),
    ] = None,
    license: Annotated[str | None, typer.Option("--license", help="As the hub names it, such as apache-2.0.")] = None,
    repository: Annotated[
        str | None, typer.Option("--repo", metavar="OWNER/NAME", help="Where it will stand on the hub.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the model card of a checkpoint, README.md: what it is, data, recipe, figures with errors, cost, limits."""
    from prmkit.publish.card import write_card
    from prmkit.publish.training import checkpoint_of
    from prmkit.run.files import writing

    checkpoint = checkpoint_of(path)
    with writing(checkpoint):
        file = write_card(checkpoint, runs=runs or [], license=license, repository=repository, overwrite=overwrite)
    print_record({"wrote": str(file)}, as_json=as_json)


@app.command("push")
def push(
    path: RunOrFolderArgument,
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="With --create: only you can see it.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the repository if it does not exist.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be uploaded.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Upload a checkpoint and its card to the Hugging Face hub. The token comes from HF_TOKEN or `hf auth login`."""
    from prmkit.publish.card import CARD
    from prmkit.publish.push import push as upload
    from prmkit.publish.push import to_upload
    from prmkit.publish.training import checkpoint_of

    checkpoint = checkpoint_of(path)
    done = {} if dry_run else {"commit": upload(checkpoint, repository, private=private, create=create)}
    files = to_upload(checkpoint, repository)
    if CARD not in files:
        done["card"] = "would be made first"
    rows = [{"file": name, "bytes": size} for name, size in files.items()]
    total = "would upload" if dry_run else "uploaded"
    print_record({"repository": repository, "files": rows, total: sum(files.values()), **done}, as_json=as_json)


def _meta(step_end: str, template: Template, label_source: str, max_length: int) -> "CheckpointMeta":
    from prmkit.errors import InputError
    from prmkit.models.checkpoint import CheckpointMeta
    from prmkit.packing.format import StepFormat

    if not step_end:
        raise InputError(
            "nothing ends a step", where="--step-end", cure=r"Leave it out, or name what does, such as \n."
        )
    format = StepFormat(template=template, step_end=step_end.replace(r"\n", "\n"))
    return CheckpointMeta(format=format, label_source=label_source, max_length=max_length)
