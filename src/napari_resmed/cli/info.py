"""``napari-resmed info``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_resmed.cli.output import Json, messages, print_json, print_table
from napari_resmed.io import find_images

__all__ = ["info"]


def info(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Image files or folders.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Say what is there: one entry per image or series."""
    entries = [entry for path in paths for entry in find_images(path)]
    if as_json:
        print_json([entry.to_json() for entry in entries])
        return
    print_table(
        ("id", "kind", "modality", "shape", "spacing mm", "type", "description"),
        [
            (
                entry.id,
                entry.kind,
                entry.modality,
                "×".join(str(size) for size in entry.shape),
                "×".join(f"{mm:g}" for mm in entry.spacing_mm),
                entry.dtype,
                entry.description,
            )
            for entry in entries
        ],
    )
    for entry in entries:
        for warning in entry.warnings:
            messages.print(f"{entry.id}: {warning}", markup=False)
