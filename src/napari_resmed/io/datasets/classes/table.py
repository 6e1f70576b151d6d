"""A table with a row per case: image or images, class, and what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.found import Found, a_few
from napari_resmed.io.datasets.image_columns import ImageColumns, find_image_columns, images_in_row
from napari_resmed.io.datasets.naming import case_names
from napari_resmed.io.datasets.rows import GROUP, NAME, Row, first_column, group_in, read_rows, split_in

__all__ = ["CLASS", "IMAGE", "find", "read_unlabelled"]

CLASS = ("class", "class_name", "diagnosis", "category", "label", "target")
IMAGE = ("path", "image", "images", "file", "filename")
# The columns that a table without them is told of.
_WHOSE = ("patient", "patient_id")


def find(path: Path) -> Found:
    """The cases of a CSV file.

    Columns, in any case of letters: ``path`` (or ``image``), or ``image_1``, ``image_2``, ..., or one column of files
    per modality under its name, empty where a case has none of it; ``class``; and where wanted ``case``, ``split`` and
    ``patient`` (or ``group``). Paths are relative to the file. Several files in one cell, separated by semicolons, are
    modalities too.

    Raises
    ------
    InputError
        If a column is missing, no row has a class, or a row that has one has no image or no name.
    """
    rows = read_rows(path)
    column = first_column(rows, *CLASS)
    images = find_image_columns(rows, path, IMAGE)
    if not column or not images.names:
        raise InputError(
            f"{path.name} has the columns {', '.join(rows[0])}; expected path (or one column of files per modality) "
            "and class"
        )
    known = [row for row in rows if row[column]]
    if not known:
        raise InputError(
            f"{path.name} has no class in any line, its column {column!r} is empty; write there what each image shows"
        )
    unknown = [str(row.line) for row in rows if not row[column]]
    notes = [f"left out, as they have no class: the lines {a_few(unknown)}"] if unknown else []
    cases, channels = _cases(path, known, images, column)
    notes += images.notes
    if not first_column(rows, *GROUP):
        notes.append(
            f"every case counts as a patient of its own: {path.name} has no column {' or '.join(_WHOSE)}, which would "
            "say which belong together"
        )
    return Found(tuple(cases), None, channels, tuple(notes))


def read_unlabelled(path: Path, channels: Sequence[str]) -> list[Case]:
    """The cases of a CSV file whose classes are not known, or are not asked for.

    Parameters
    ----------
    path:
        As of :func:`find`, without the class.
    channels:
        What a model takes. The table's columns are put in this order where they have these names; where none has, and
        there are as many, they are taken as they stand.

    Raises
    ------
    InputError
        If a column is missing or none of the channels, or a row has no image or no name.
    """
    rows = read_rows(path)
    images = find_image_columns(rows, path, IMAGE)
    if not images.names:
        raise InputError(
            f"{path.name} has the columns {', '.join(rows[0])}; expected path, or one column of files per modality"
        )
    cases, named = _cases(path, rows, images, "")
    places = {name.casefold(): number for number, name in enumerate(channels)}
    order = [places.get(name.casefold(), -1) for name in named]
    strange = [name for name, place in zip(named, order, strict=True) if place < 0]
    if images.channels and strange and (len(strange) < len(named) or len(named) != len(channels)):
        raise InputError(
            f"{path.name} has the column {strange[0]!r}, which is none of the model's channels, {', '.join(channels)}; "
            "call the columns as these are called, and leave out the others"
        )
    if not named or strange:
        return cases
    return [
        replace(case, channels=tuple(order[place] for place in case.channels or range(len(case.images))))
        for case in cases
    ]


def _cases(path: Path, rows: list[Row], images: ImageColumns, column: str) -> tuple[list[Case], tuple[str, ...]]:
    """Cases of rows, and the names of their channels where there are any.

    ``column`` has the class; where there is none, nothing is learnt, and a split says nothing.
    """
    found = [images_in_row(row, images, path) for row in rows]
    named = first_column(rows, *NAME)
    names = [row[named] for row in rows] if named else case_names([files[0][1] for files in found], path.parent)
    if not named:
        # One file may stand in several rows, as another modality or of another case.
        counts = Counter(names)
        names = [f"{name} ({number})" if counts[name] > 1 else name for number, name in enumerate(names, 1)]
    split, group = first_column(rows, "split") if column else "", first_column(rows, *GROUP)
    most = max(place + 1 for files in found for place, _ in files)
    cases = []
    for row, name, files in zip(rows, names, found, strict=True):
        if not name:
            raise InputError(f"{path.name} has a row without a name in {named!r}; give every case one")
        places = tuple(place for place, _ in files)
        cases.append(
            Case(
                name,
                tuple(file for _, file in files),
                split=split_in(row[split], f"{path.name}, line {row.line}") if split else "",
                group=group_in(row, group),
                class_name=row[column] if column else "",
                channels=() if places == tuple(range(max(most, len(images.names)))) else places,
            )
        )
    return cases, images.channels or (tuple(f"image {number + 1}" for number in range(most)) if most > 1 else ())
