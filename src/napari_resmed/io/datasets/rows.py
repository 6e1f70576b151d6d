"""Tables that people write: any separator, any spelling of yes."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from napari_resmed.errors import InputError

__all__ = [
    "GROUP",
    "LABEL",
    "NAME",
    "YES_OR_NO",
    "Row",
    "first_column",
    "group_in",
    "is_none",
    "is_yes",
    "plain",
    "read_rows",
    "several",
    "split_in",
    "split_of",
]

_YES = ("yes", "y", "true", "x")
_NO = ("no", "n", "false", "")
YES_OR_NO = (*_YES, *_NO)
# What people and programs write where there is nothing.
_NONE = frozenset(
    [
        *("n/a", "n.a.", "n.a", "na", "nan", "none", "null", "-", "--", "\N{EN DASH}", "\N{EM DASH}"),
        *("missing", "absent", "not available", "not acquired", "not done"),
    ]
)
NAME = ("case", "name", "id")
LABEL = ("label", "labels", "mask", "seg", "segmentation")
# Columns that say whose a case is; a group may be an arm of a study, so a column that names people goes first.
GROUP = ("patient", "subject", "participant", "patient_id", "subject_id", "participant_id", "group")
_SPLITS = (("train", "train"), ("val", "validation"), ("test", "test"))
# A cell in quotes, which may hold any separator.
_QUOTED = re.compile(r'(^|[,\t;])"(?:[^"]|"")*("|$)')


class Row(dict[str, str]):
    """Entries by column, and the line of the file that they end in."""

    def __init__(self, line: int, entries: Iterable[tuple[str, str]]) -> None:
        super().__init__(entries)
        self.line = line


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file, by column; names of columns and entries without blanks around them.

    The separator is a comma, a tab or a semicolon, whichever the first line has outside quotes; or what ``sep=;`` says
    in a line before it, as spreadsheets take it.

    Raises
    ------
    InputError
        If it cannot be read, has no rows, two columns of one name, a row with more entries than there are columns (its
        other entries may stand under wrong ones), or a quotation mark that no other closes.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise InputError(f"{path.name} cannot be read: {(problem.strerror or 'unknown reason').lower()}") from problem
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # "Unicode text" of spreadsheets
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:  # spreadsheets on Windows
        text = data.decode("cp1252", "replace")
    lines = re.split(r"\r\n|\r|\n", text)
    told = re.fullmatch(r"sep=(.)", lines[0].strip('"'), re.IGNORECASE)
    if told:
        lines[0] = ""
    first = _QUOTED.sub(r"\1", next((line for line in lines if line.strip()), ""))
    separator = told[1] if told else next((mark for mark in ",\t;" if mark in first), ",")
    reader = csv.reader(lines, delimiter=separator)
    try:
        cells = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as problem:
        raise InputError(f"{path.name} is no table that can be read ({problem}); save it as CSV again") from problem
    _check_quotes(path, lines, [line for line, _ in cells], separator)
    table = [(line, row) for line, row in cells if any(row)]
    if len(table) < 2:
        raise InputError(f"{path.name} has no rows; expected a line of column names and one line per case")
    head = table[0][1]
    twice = sorted({name for name in head if name and head.count(name) > 1})
    if twice:
        raise InputError(f"{path.name} has two columns called {twice[0]!r}; give each its own name")
    for line, row in table[1:]:
        if any(row[len(head) :]):
            raise InputError(
                f"{path.name} has {len(row)} entries in line {line} and {len(head)} columns; put what holds a "
                f"{separator!r} into quotation marks, or give each entry a column"
            )
    return [Row(line, zip(head, [*row, *[""] * (len(head) - len(row))], strict=False)) for line, row in table[1:]]


def _check_quotes(path: Path, lines: Sequence[str], ends: Iterable[int], separator: str) -> None:
    """Refuse a row that takes the lines of others for its own, as a quotation mark in it is not closed."""
    before = 0
    for end in ends:
        if end - before > 1:
            try:
                list(csv.reader(lines[before:end], delimiter=separator, strict=True))
            except csv.Error as problem:
                raise InputError(
                    f"{path.name} has a quotation mark from line {before + 1} on that is not closed where its entry "
                    "ends; close it there, or remove it"
                ) from problem
        before = end


def first_column(rows: Sequence[Mapping[str, str]], *names: str) -> str:
    """The column that has one of these names, in any case of letters and however its words are parted; or empty.

    ``patient_id`` is also ``Patient ID`` and ``PatientID``. Of several the first that has anything in it.
    """
    order = {plain(name): place for place, name in reversed(list(enumerate(names)))}
    known = sorted((column for column in rows[0] if plain(column) in order), key=lambda column: order[plain(column)])
    return next((column for column in known if any(row[column] for row in rows)), known[0] if known else "")


def plain(column: str) -> str:
    """A column's name in small letters, without what parts its words."""
    return re.sub(r"[\s_-]+", "", column.casefold())


def is_none(cell: str) -> bool:
    """Whether a cell is empty or says in a word that there is nothing."""
    return not cell or cell.casefold() in _NONE


def group_in(row: Mapping[str, str], column: str) -> str:
    """Whose a case is, by that column; empty where that is not known, or there is no column."""
    return row[column] if column and not is_none(row[column]) else ""


def several(cell: str) -> list[str]:
    """The parts of a cell, separated by semicolons."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def is_yes(cell: str, source: str) -> bool:
    """Whether a cell says yes: a word, or a number other than 0.

    Raises
    ------
    InputError
        If it is neither.
    """
    word = cell.casefold()
    if word in YES_OR_NO:
        return word in _YES
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise InputError(f"{source} has the entry {cell[:40]!r}, expected yes or no")
    return number != 0


def split_in(cell: str, source: str) -> str:
    """The part of a split that a cell says; empty where it is empty.

    Raises
    ------
    InputError
        If it is a word for none: left undecided, what someone put aside would be learnt from.
    """
    split = split_of(cell)
    if cell and not split:
        raise InputError(
            f"{source} has the split {cell[:40]!r}, expected a word that begins with train, val or test, or nothing "
            "where it is undecided"
        )
    return split


def split_of(cell: str) -> str:
    """The part of a split that a word begins with (``train-pats``, ``val``, ``Testing``); empty for any other."""
    word = cell.casefold()
    return next((split for start, split in _SPLITS if word.startswith(start)), "")
