"""Which structures were annotated in which case at all: a table, one row a case."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.structure_names import match_names
from napari_resmed.review.pairing import find_case, spoken

__all__ = ["Annotated", "read_annotated"]

_CASE_COLUMNS = ("case", "name", "id", "image", "file", "path", "label")
# What stands in a cell where nobody looked for the structure.
_NO = ("", "0", "0.0", "no", "false", "nan", "none", "-")


@dataclass(frozen=True)
class Annotated:
    """The table as it stands: for each case, the columns that are filled in.

    Parameters
    ----------
    cases:
        By the name or file of the case; the headings whose cell is not empty or 0.
    columns:
        Every heading but the first.
    file:
        For messages.
    """

    cases: Mapping[str, frozenset[str]]
    columns: tuple[str, ...]
    file: str

    def known_columns(self, labels: Mapping[int, str]) -> dict[int, str]:
        """The heading of every label that has one: by its name, or its value as ``3`` or ``label 3``.

        Raises
        ------
        InputError
            If no heading stands for any label.
        """
        found: dict[int, str] = {}
        for words in (labels, {value: str(value) for value in labels}, {value: f"label {value}" for value in labels}):
            headings = match_names(words.values(), self.columns)
            found |= {value: headings[word] for value, word in words.items() if word in headings and value not in found}
        if not found and labels:
            raise InputError(
                f"no column of {self.file} ({spoken(self.columns)}) is the name of a label "
                f"({spoken(labels.values())}); name the labels with --names, as 1=Brainstem,2=Mandible"
            )
        return found

    def unknown(self, truth: Path, columns: Mapping[int, str]) -> frozenset[int] | None:
        """The labels nobody looked for in the case of a file; None where the table has no row for it."""
        row = find_case(truth, self.cases)
        if row is None:
            return None
        return frozenset(value for value, column in columns.items() if column not in self.cases[row])


def read_annotated(path: Path) -> Annotated:
    """Read a CSV of one row a case: a column with its name (or file), then one column a structure.

    A cell that is empty, 0, no or false says that the structure was not annotated in that case; anything else, such as
    a voxel count, that it was. Columns that are no structure do no harm.

    Raises
    ------
    InputError
        If the file is missing, is no table, or has a case twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path} cannot be read as a table, expected a CSV file in UTF-8") from problem
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise InputError(f"{path.name} holds no table, expected a heading and one row a case, with commas between")
    heading = [cell.strip() for cell in rows[0][1]]
    place = next((heading.index(c) for word in _CASE_COLUMNS for c in heading if c.lower() == word), 0)
    cases: dict[str, frozenset[str]] = {}
    for number, row in rows[1:]:
        if len(row) != len(heading):
            raise InputError(f"line {number} of {path.name} has {len(row)} cells, expected {len(heading)}")
        name = Path(row[place].strip()).name
        if name in cases:
            raise InputError(f"{path.name} has the case {name} twice; keep one row of it")
        filled = (c for c, cell in zip(heading, row, strict=True) if cell.strip().lower() not in _NO)
        cases[name] = frozenset(filled)
    columns = tuple(c for index, c in enumerate(heading) if index != place)
    return Annotated(cases, columns, path.name)
