"""A table with a row per case: images, labels, and what is known of them."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.description import read_description
from napari_resmed.io.datasets.folders import NAMES_FILE
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.meaning import Meaning, read_json, read_meaning
from napari_resmed.io.datasets.naming import case_names
from napari_resmed.io.datasets.rows import GROUP, first_column, is_yes, plain, read_rows, several, split_in
from napari_resmed.io.files import ENDINGS
from napari_resmed.io.pictures import ENDINGS as PICTURES

__all__ = ["NAME", "as_path", "find", "image_columns", "images_in_cell", "meaning_in", "not_taken"]

_NUMBERED = re.compile(r"^images?[ _-]?(\d+)$", re.IGNORECASE)
_LABEL = ("label", "labels", "mask", "seg", "segmentation")
NAME = ("case", "name", "id")
_WORDS = frozenset(
    plain(word)
    for word in (
        *(*_LABEL, *NAME, *GROUP, "split", "annotated", "only_painted"),
        *("class", "class_name", "diagnosis", "category", "target"),
    )
)
# What people write where there is no image.
_NO_IMAGE = frozenset(
    [
        *("n/a", "n.a.", "n.a", "na", "nan", "none", "null", "-", "--", "\N{EN DASH}", "\N{EM DASH}"),
        *("missing", "absent", "not available", "not acquired", "not done"),
    ]
)


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
    label = first_column(rows, *_LABEL)
    _refuse_classes(path, rows, label)
    images, channels = image_columns(rows, path)
    if not images or not label:
        raise InputError(
            f"{path.name} has the columns {', '.join(rows[0])}; expected image (or one column of files per channel) "
            "and label"
        )
    meaning = meaning_in(path.parent)
    files = [[path.parent / as_path(part) for column in images for part in images_in_cell(row[column])] for row in rows]
    for number, found in enumerate(files, 2):
        if not found:
            raise InputError(f"{path.name} has no image in line {number}; expected a path in {images[0]!r}")
    column = first_column(rows, *NAME)
    names = [row[column] for row in rows] if column else case_names([found[0] for found in files], path.parent)
    split, group = first_column(rows, "split"), first_column(rows, *GROUP)
    annotated, painted = first_column(rows, "annotated"), first_column(rows, "only_painted")
    cases = [
        Case(
            name.removesuffix("_0000") if len(found) > 1 and not column else name,
            tuple(found),
            path.parent / as_path(row[label]) if row[label] else None,
            annotated=_annotated(row[annotated], meaning, path) if annotated else None,
            only_painted=is_yes(row[painted], f"{path.name}, only_painted") if painted else False,
            split=split_in(row[split], f"{path.name}, line {number}") if split else "",
            group=row[group] if group else "",
        )
        for number, (name, row, found) in enumerate(zip(names, rows, files, strict=True), 2)
    ]
    if any(not case.name for case in cases):
        raise InputError(f"{path.name} has a row without a name in {column!r}; give every case one")
    return Found(tuple(cases), meaning, channels, not_taken(rows, path))


def image_columns(rows: list[dict[str, str]], path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Columns with image files, in the order of the channels, and the channels' names where they have any.

    A column is of images if most of its entries are: files by their names, or folders that are there.

    Raises
    ------
    InputError
        If another entry of such a column is neither, nor a word for none.
    """
    if column := first_column(rows, "image", "images"):
        return [column], ()
    numbered = sorted((int(match[1]), column) for column in rows[0] if (match := _NUMBERED.match(column)))
    if numbered:
        return [column for _, column in numbered], ()
    shares = _shares(rows, path)
    named = [column for column, (images, said) in shares.items() if 2 * images > said]
    for column in named:
        are = _are_images([row[column] for row in rows], path.parent)
        for number, (row, is_image) in enumerate(zip(rows, are, strict=True), 2):
            if images_in_cell(row[column]) and not is_image:
                raise InputError(
                    f"{path.name} has {row[column][:40]!r} under {column} in line {number}, where other lines have "
                    "images; expected the path of one, or nothing where there is none"
                )
    return named, tuple(named)


def not_taken(rows: list[dict[str, str]], path: Path) -> tuple[str, ...]:
    """A sentence for each column that :func:`image_columns` does not take though some of its entries are images."""
    names, channels = image_columns(rows, path)
    return tuple(
        f"{path.name}: the column {column} is not used, as only {images} of its {said} entries look like images"
        for column, (images, said) in _shares(rows, path).items()
        if images and channels and column not in names
    )


def _shares(rows: list[dict[str, str]], path: Path) -> dict[str, tuple[int, int]]:
    """How many images, of how many entries, the columns have that may be of images."""
    entries = {column: [row[column] for row in rows] for column in rows[0] if plain(column) not in _WORDS}
    return {
        column: (sum(_are_images(cells, path.parent)), sum(bool(images_in_cell(cell)) for cell in cells))
        for column, cells in entries.items()
    }


def images_in_cell(cell: str) -> list[str]:
    """The paths in a cell, none where it is empty or says so in a word."""
    return [] if cell.casefold() in _NO_IMAGE else several(cell)


def _are_images(cells: list[str], folder: Path) -> list[bool]:
    """Whether each is a file's name, or where a folder is, as DICOM series are.

    A mere word that stands in several rows is none, as that of a class may be a folder's by chance.
    """
    counts = Counter(cells)
    with os.scandir(folder) as entries:
        beside = {entry.name for entry in entries if entry.is_dir()}

    def is_folder(cell: str) -> bool:
        place = as_path(cell)
        return os.path.isdir(folder / place) if "/" in place else counts[cell] == 1 and cell in beside  # noqa: PTH112

    return [bool(images_in_cell(cell)) and (_is_file(cell) or is_folder(cell)) for cell in cells]


def _refuse_classes(path: Path, rows: list[dict[str, str]], label: str) -> None:
    column = first_column(rows, "class") or label
    entries = [row[column] for row in rows if row.get(column)]
    if column and entries and not any(_is_file(entry) or "/" in entry or "\\" in entry for entry in entries):
        raise InputError(
            f"{path.name} gives each image a class ({column!r} is e.g. {entries[0][:40]!r}) rather than a label map; "
            "train it with --task classify, or for segmentation put paths into the column label"
        )


def _is_file(cell: str) -> bool:
    return all(part.lower().endswith((*ENDINGS, *PICTURES)) for part in several(cell))


def as_path(cell: str) -> str:
    """A path as this system has it."""
    return cell.replace("\\", "/")  # written on Windows


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
