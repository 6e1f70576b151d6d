"""A table with a row per case: images, labels, and what is known of them."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.description import read_description
from napari_resmed.io.datasets.folders import NAMES_FILE
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.image_columns import as_path, find_image_columns, images_in_row, is_file
from napari_resmed.io.datasets.meaning import Meaning, read_json, read_meaning
from napari_resmed.io.datasets.naming import case_names
from napari_resmed.io.datasets.rows import (
    GROUP,
    LABEL,
    NAME,
    Row,
    first_column,
    group_in,
    is_none,
    is_yes,
    read_rows,
    several,
    split_in,
)

__all__ = ["find", "lists_cases", "meaning_in"]


def find(path: Path) -> Found:
    """The cases of a CSV file.

    Columns, in any case of letters: ``image`` (several files separated by semicolons), or ``image_1``, ``image_2``,
    ..., or one column of files per channel under the channel's name; ``label``; and where wanted ``case``, ``split``,
    ``patient`` (or ``group``), ``annotated`` (names or values of structures separated by semicolons; empty: all of
    them), ``only_painted`` (yes or no). Paths are relative to the file.

    Raises
    ------
    InputError
        If a column is missing, or an entry cannot be understood.
    """
    rows = read_rows(path)
    label = first_column(rows, *LABEL)
    _refuse_classes(path, rows, label)
    images = find_image_columns(rows, path)
    if not images.names or not label:
        raise InputError(
            f"{path.name} has the columns {', '.join(rows[0])}; expected image (or one column of files per channel) "
            "and label"
        )
    meaning = meaning_in(path.parent)
    files = [[file for _, file in images_in_row(row, images, path)] for row in rows]
    column = first_column(rows, *NAME)
    names = [row[column] for row in rows] if column else case_names([found[0] for found in files], path.parent)
    split, group = first_column(rows, "split"), first_column(rows, *GROUP)
    annotated, painted = first_column(rows, "annotated"), first_column(rows, "only_painted")
    cases = [
        Case(
            name.removesuffix("_0000") if len(found) > 1 and not column else name,
            tuple(found),
            path.parent / as_path(row[label]) if not is_none(row[label]) else None,
            annotated=_annotated(row[annotated], meaning, path) if annotated else None,
            only_painted=is_yes(row[painted], f"{path.name}, only_painted") if painted else False,
            split=split_in(row[split], f"{path.name}, line {row.line}") if split else "",
            group=group_in(row, group),
        )
        for name, row, found in zip(names, rows, files, strict=True)
    ]
    if any(not case.name for case in cases):
        raise InputError(f"{path.name} has a row without a name in {column!r}; give every case one")
    return Found(tuple(cases), meaning, images.channels, images.notes)


def lists_cases(path: Path) -> bool:
    """Whether a CSV file has columns of images and of labels, so that it is one for :func:`find`.

    Raises
    ------
    InputError
        If it cannot be read, or an entry of a column of images is none.
    """
    rows = read_rows(path)
    return bool(first_column(rows, *LABEL)) and bool(find_image_columns(rows, path).names)


def _refuse_classes(path: Path, rows: list[Row], label: str) -> None:
    column = first_column(rows, "class") or label
    entries = [row[column] for row in rows if not is_none(row[column])] if column else []
    if entries and not any(is_file(entry) or "/" in entry or "\\" in entry for entry in entries):
        raise InputError(
            f"{path.name} gives each image a class ({column!r} is e.g. {entries[0][:40]!r}) rather than a label map; "
            "train it with --task classify, or for segmentation put paths into the column label"
        )


def meaning_in(folder: Path) -> Meaning | None:
    """What the files of names in a folder say, ``labels.json`` before ``dataset.json``; None where there is neither.

    Raises
    ------
    InputError
        If one is damaged or says nothing usable.
    """
    names = folder / NAMES_FILE
    return read_meaning(read_json(names), NAMES_FILE) if names.is_file() else read_description(folder).meaning


def _annotated(cell: str, meaning: Meaning | None, path: Path) -> tuple[int, ...] | None:
    parts = several(cell)
    if not parts or [part.casefold() for part in parts] == ["all"]:
        return None
    if [part.casefold() for part in parts] == ["none"]:
        return ()
    known = {label.name.casefold(): label.value for label in meaning.labels} if meaning else {}
    values = [known.get(part.casefold(), int(part) if part.isdecimal() else 0) for part in parts]
    if 0 in values:
        names = ", ".join(known) or f"values, as no {NAMES_FILE} beside it gives names"
        raise InputError(f"{path.name} has {parts[values.index(0)]!r} under annotated; expected {names}")
    return tuple(sorted(values))
