"""``napari-resmed models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table
from napari_resmed.models.catalogue import find_model, list_models, remove_model
from napari_resmed.models.folder import read_card
from napari_resmed.models.model import Model

__all__ = ["app"]

app = typer.Typer(help="The models that can be used.", no_args_is_help=True)


def _summary(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "task": model.task,
        "description": model.description,
        "channels": list(model.channels),
        "spacing_mm": list(model.preparation.spacing_mm),
        "quick_spacing_mm": model.quick_spacing_mm or None,
        "found_by": model.found_by.to_json() if model.found_by else None,
        "labels": model.labels.to_json(),
        "classes": list(model.classes),
        "folder": str(model.folder),
    }


def _networks(model: Model) -> str:
    return "network" if model.members == 1 else "networks"


@app.command("list")
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List every model, built in and your own."""
    found, problems = list_models()
    if as_json:
        print_json([_summary(model) for model in found])
    else:
        print_table(
            ("name", "version", "task", "answers", "description"),
            [(m.name, m.version, m.task, len(m.labels) or len(m.classes), m.description) for m in found],
        )
    for problem in problems:
        messages.print(f"Left out: {problem}", markup=False)


@app.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A trained nnU-Net v2 or a MONAI bundle: its folder, one around it, or a zip file."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write; its name is the model's.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Make another program's trained model one that can be used here."""
    with loading.whole():
        from napari_resmed.models.bring_in import import_model  # brings torch, which other commands do without

    made = import_model(source, out)
    if as_json:
        print_json(_summary(made))
    else:
        messages.print(f"Wrote {out}: {len(made.labels)} structures, {made.members} {_networks(made)}", markup=False)


@app.command()
def combine(
    names: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Two or more, trained alike.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write; its name is the model's.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Make one model of several, whose answers are averaged: trainings with other seeds, folds."""
    found = [find_model(name) for name in names]
    with loading.whole():
        from napari_resmed.models.combine import combine_models  # brings torch, which other commands do without

    made = combine_models(found, out)
    if as_json:
        print_json(_summary(made))
    else:
        messages.print(f"Wrote {out}: {made.members} {_networks(made)}", markup=False)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A name from the list, or a model folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write; a bundle may be a folder or a .zip.")],
    kind: Annotated[str, typer.Option("--format", help="bundle, torchscript or onnx.")] = "bundle",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Write a model for other programs: a plain MONAI bundle, TorchScript or ONNX."""
    with loading.whole():
        from napari_resmed.models.export import export_model  # brings torch, which other commands do without

    model = find_model(name)
    note = export_model(model, out, kind)
    if note:
        messages.print(f"Warning: {note}", markup=False)
    if as_json:
        print_json({"model": model.name, "output": str(out), "format": kind, "note": note})
    else:
        messages.print(f"Wrote {out}", markup=False)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="One of your own models, by name.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Delete one of your own models."""
    from napari_resmed.train.own_trainings import forget_training  # brings what no other command here needs

    folder = remove_model(name)
    forget_training(folder)
    if as_json:
        print_json({"model": name, "removed": str(folder)})
    else:
        messages.print(f"Removed {folder}", markup=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A name from the list, or a model folder.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show a model's card: what it is for, how it was made, how well it does."""
    model = find_model(name)
    if as_json:
        print_json({**_summary(model), "measured": dict(model.measured), "card": read_card(model)})
        return
    from rich.console import Console

    Console().print(Markdown(read_card(model)))
