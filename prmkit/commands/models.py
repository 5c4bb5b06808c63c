"""``prmkit models``: language models as folders that every engine reads."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from prmkit.commands.console import JsonOption, print_record

app = typer.Typer(help="Language models: import from GGUF, inspect.", rich_markup_mode=None, no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file with a whole language model.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder.")],
    dtype: Annotated[
        Literal["bfloat16", "float32"],
        typer.Option("--dtype", help="Of the weights written; float32 keeps each number as the file means it."),
    ] = "bfloat16",
    as_json: JsonOption = False,
) -> None:
    """Write the model of a GGUF file as a Hugging Face folder, which generator.name and model.name take."""
    from dataclasses import asdict

    from prmkit.models.gguf.contents import check_contents, stored_kind
    from prmkit.models.gguf.header import read_header
    from prmkit.run.activity import busy
    from prmkit.run.files import refuse_existing, writing

    refuse_existing(out)
    header = read_header(file)
    check_contents(header)
    stored, size = stored_kind(header), f"{header.size / 1e6:.0f} MB"
    typer.echo(f"{file}: {header.architecture}, {header.numbers:,} numbers, mostly {stored}, {size}", err=True)
    os.environ.setdefault("TQDM_DISABLE", "1")  # transformers' own bar, which it offers no way to keep back
    with writing(out), busy(f"converting {file}"):
        from prmkit.models.facts import inspect_model
        from prmkit.models.gguf.imports import import_gguf

        import_gguf(header, out, dtype)
    print_record({"wrote": str(out), "stored": stored, **asdict(inspect_model(str(out)))}, as_json=as_json)


@app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A causal LM: folder or org/name[@revision].")],
    as_json: JsonOption = False,
) -> None:
    """Print what a language model is: size, type, context, and the tokens that end its texts."""
    from dataclasses import asdict

    from prmkit.models.facts import inspect_model

    print_record({"model": model, **asdict(inspect_model(model))}, as_json=as_json)
