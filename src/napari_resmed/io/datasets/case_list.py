"""``cases.csv`` beside the images: who decided on the split, and which structures were looked for in which case.

The first column names the case. A column per structure says whether it was annotated there: a count of voxels, or yes;
0, no or nothing means that nobody looked, so that its absence from the labels says nothing. A structure that has no
column counts as annotated in every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.found import Found, a_few
from napari_resmed.io.datasets.meaning import Meaning, meaning_of
from napari_resmed.io.datasets.rows import (
    GROUP,
    YES_OR_NO,
    Row,
    first_column,
    group_in,
    is_yes,
    plain,
    read_rows,
    split_in,
)
from napari_resmed.io.structure_names import match_names
from napari_resmed.io.umlauts import in_one_way
from napari_resmed.labels import Label, default_colour

__all__ = ["FILE", "add_case_list"]

FILE = "cases.csv"

# Columns that speak of the case as a whole, however much their entries look like counts.
_NOT_STRUCTURES = frozenset(
    [
        *("case", "name", "id", "split", "status", *map(plain, GROUP), "image", "images", "label", "labels"),
        *(
            "annotated",
            plain("only_painted"),
            "fold",
            "site",
            "centre",
            "center",
            "scanner",
            "age",
            "sex",
            "year",
            "date",
        ),
        *("time", "vx", "vy", "vz", "nx", "ny", "nz", "x", "y", "z", "slices", "spacing"),
    ]
)


def add_case_list(found: Found, path: Path, seen: Mapping[str, frozenset[int]]) -> Found:
    """What ``cases.csv`` says, added to the cases.

    Where the structures have no names yet, the last columns of counts are taken for them, in the order of the label
    values; ``seen`` proves or disproves that.

    Parameters
    ----------
    found:
        The cases without it.
    path:
        The file.
    seen:
        Label values that a few cases hold, by name of the case.

    Raises
    ------
    InputError
        If it cannot be read, has two rows for one case, a split of another name, or contradicts the labels.
    """
    rows = read_rows(path)
    key = next(iter(rows[0]))
    names = [in_one_way(row[key]) for row in rows]
    by_name = dict(zip(names, rows, strict=True))
    if len(by_name) < len(rows):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path.name} has two rows for the case {twice}; keep one")
    meaning, columns = _columns(found.meaning, rows, key)
    _check(path, by_name, columns, seen, guessed=found.meaning is None)
    split, group = first_column(rows, "split"), first_column(rows, *GROUP)
    splits = (
        {name: split_in(row[split], f"{path.name}, line {row.line}") for name, row in by_name.items()} if split else {}
    )
    notes = list(found.notes)
    everywhere = [label for label in meaning.labels if label.value not in columns] if meaning and columns else []
    if everywhere:
        listed = a_few([label.name for label in everywhere])
        notes.append(f"{path.name} has no column for {listed}: taken as annotated everywhere")
    cases = []
    for case in found.cases:
        row = by_name.get(in_one_way(case.name))
        if row is None:
            cases.append(case)
            continue
        said = [value for value, column in columns.items() if is_yes(row[column], f"{path.name}, {case.name}")]
        annotated = tuple(sorted([*said, *(label.value for label in everywhere)]))
        cases.append(
            replace(
                case,
                split=splits.get(case.name, case.split),
                group=group_in(row, group) if group else case.group,
                annotated=annotated if columns else case.annotated,
            )
        )
    known = {in_one_way(case.name) for case in cases}
    if missing := [name for name in by_name if name not in known]:
        notes.append(f"{path.name} lists cases that are not there: {a_few(missing)}")
    if unlisted := [case.name for case in cases if in_one_way(case.name) not in by_name]:
        notes.append(f"{path.name} does not list {a_few(unlisted)}: there every structure is taken as annotated")
    return replace(found, cases=tuple(cases), meaning=meaning, notes=tuple(notes))


def _columns(meaning: Meaning | None, rows: list[Row], key: str) -> tuple[Meaning | None, dict[int, str]]:
    """The column of each structure: by its name, or where there are no names, by the order."""
    if meaning is not None and meaning.is_named:
        found = match_names([label.name for label in meaning.labels], [column for column in rows[0] if column])
        return meaning, {label.value: found[label.name] for label in meaning.labels if label.name in found}
    last: list[str] = []
    for column in reversed(list(rows[0])):
        if column == key or not column or plain(column) in _NOT_STRUCTURES:
            break
        if not all(row[column].isdecimal() or row[column].casefold() in YES_OR_NO for row in rows):
            break
        last.insert(0, column)
    if not last:
        return meaning, {}
    labels = (Label(value, name, default_colour(value)) for value, name in enumerate(last, 1))
    return meaning_of(labels), dict(enumerate(last, 1))


def _check(
    path: Path,
    rows: Mapping[str, Mapping[str, str]],
    columns: Mapping[int, str],
    seen: Mapping[str, frozenset[int]],
    guessed: bool,
) -> None:
    """Refuse columns that were guessed wrongly."""
    if not (guessed and columns):
        return
    for name, values in seen.items():
        row = rows.get(in_one_way(name))
        if row is None:
            continue
        denied = [value for value in sorted(values) if value not in columns or not is_yes(row[columns[value]], "")]
        if denied:
            raise InputError(
                f"{path.name} was taken to name the structures {', '.join(columns.values())} in the order of the label "
                f"values, but {name} holds the value {denied[0]} all the same; name the structures in labels.json"
            )
