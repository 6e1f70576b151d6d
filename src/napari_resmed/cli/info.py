"""``napari-resmed info``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from napari_resmed.cli.output import Json, messages, print_json, print_table
from napari_resmed.errors import InputError
from napari_resmed.io import Entry, find_images

__all__ = ["info"]


def info(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Image files or folders.")],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Say what is there: one entry per image or series."""
    entries: list[Entry] = []
    problems: list[InputError] = []
    for path in paths:
        try:
            entries += find_images(path)
        except InputError as problem:
            problems.append(problem)
    if entries or not problems:
        _print(entries, as_json)
    # What can be read was said; what cannot makes the call a wrong one.
    for other in problems[:-1]:
        messages.print(str(other), markup=False)
    if problems:
        raise problems[-1]


def _print(entries: Sequence[Entry], as_json: bool) -> None:
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
