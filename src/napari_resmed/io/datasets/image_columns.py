"""Which columns of a table hold images, and which files a cell names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.rows import GROUP, LABEL, NAME, Row, first_column, is_none, plain, several
from napari_resmed.io.files import ENDINGS
from napari_resmed.io.pictures import ENDINGS as PICTURES

__all__ = ["ImageColumns", "as_path", "find_image_columns", "images_in_row", "is_file"]

_NUMBERED = re.compile(r"^images?[ _-]?(\d+)$", re.IGNORECASE)
# Columns that are never a modality.
_WORDS = frozenset(
    plain(word)
    for word in (
        *(*LABEL, *NAME, *GROUP, "split", "annotated", "only_painted"),
        *("class", "class_name", "diagnosis", "category", "target"),
    )
)


@dataclass(frozen=True)
class ImageColumns:
    """The columns of a table that hold images.

    Parameters
    ----------
    names:
        In the order of the channels; empty where there are none.
    channels:
        What the channels are called; empty where the columns do not say.
    notes:
        A sentence for each column that is not taken though some of its entries are images.
    """

    names: tuple[str, ...]
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_image_columns(rows: Sequence[Row], path: Path, words: Sequence[str] = ("image", "images")) -> ImageColumns:
    """The column that has one of these names; else those that are numbered; else those that are of images.

    A column is of images if most of its entries are: files by their names, or folders that are there.

    Parameters
    ----------
    rows:
        All of the table.
    path:
        The table, for messages; its folder is where paths begin.
    words:
        Names of a column with all the images of a case.

    Raises
    ------
    InputError
        If another entry of a column of images is neither an image nor a word for none.
    """
    if column := first_column(rows, *words):
        return ImageColumns((column,))
    numbered = sorted((int(match[1]), column) for column in rows[0] if (match := _NUMBERED.match(column)))
    if numbered:
        return ImageColumns(tuple(column for _, column in numbered))
    with os.scandir(path.parent) as entries:
        beside = frozenset(entry.name for entry in entries if entry.is_dir())
    names, notes = [], []
    for column in rows[0]:
        if plain(column) in _WORDS:
            continue
        said = [row for row in rows if _in_cell(row[column])]
        are = _are_images([row[column] for row in said], path.parent, beside)
        if 2 * sum(are) <= len(said):
            if any(are):
                notes.append(
                    f"{path.name}: the column {column} is not used, as only {sum(are)} of its {len(said)} entries look "
                    "like images"
                )
            continue
        if not all(are):
            slip = said[are.index(False)]
            raise InputError(
                f"{path.name} has {slip[column][:40]!r} under {column} in line {slip.line}, where other lines have "
                "images; expected the path of one, or nothing where there is none"
            )
        names.append(column)
    return ImageColumns(tuple(names), tuple(names), tuple(notes) if names else ())


def images_in_row(row: Row, columns: ImageColumns, path: Path) -> list[tuple[int, Path]]:
    """Channel and file of every image of a case.

    Parameters
    ----------
    row, columns:
        Of the table. The only column may hold all images of a case, unless it is called like a modality.
    path:
        The table; its folder is where paths begin.

    Raises
    ------
    InputError
        If there is none, or several stand where one belongs: they would be taken for those of other columns.
    """
    found = [_in_cell(row[column]) for column in columns.names]
    if len(found) > 1 or columns.channels:
        if many := next((column for column, files in zip(columns.names, found, strict=True) if len(files) > 1), None):
            raise InputError(
                f"{path.name} has several files under {many} in line {row.line}, expected one; give each a column of "
                "its own"
            )
        found = [[(channel, file) for channel, files in enumerate(found) for _, file in files]]
    if not found[0]:
        raise InputError(f"{path.name} has no image in line {row.line}; expected a path in {columns.names[0]!r}")
    return [(channel, path.parent / as_path(file)) for channel, file in found[0]]


def is_file(cell: str) -> bool:
    """Whether all images in a cell are files by their names."""
    return all(part.lower().endswith((*ENDINGS, *PICTURES)) for _, part in _in_cell(cell))


def as_path(cell: str) -> str:
    """A path as this system has it."""
    return cell.replace("\\", "/")  # written on Windows


def _in_cell(cell: str) -> list[tuple[int, str]]:
    """Place and path of the images in a cell, separated by semicolons; a word for none keeps its place free."""
    return [(place, part) for place, part in enumerate(several(cell)) if not is_none(part)]


def _are_images(cells: list[str], folder: Path, beside: frozenset[str]) -> list[bool]:
    """Whether each is a file's name, or where a folder is, as DICOM series are; ``beside`` are those in ``folder``.

    A mere word that stands in several rows is none, as that of a class may be a folder's by chance.
    """
    counts = Counter(cells)

    def is_folder(cell: str) -> bool:
        place = as_path(cell)
        return os.path.isdir(folder / place) if "/" in place else counts[cell] == 1 and cell in beside  # noqa: PTH112

    return [is_file(cell) or is_folder(cell) for cell in cells]
