"""Tables to CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.io.whole_file import check_place, whole_file

__all__ = ["check_table", "significant", "write_table"]


def significant(share: float) -> float:
    """A probability for a table, with as many digits as tell two cases of a rare class apart."""
    return float(f"{share:.12g}")


def check_table(path: Path) -> None:
    """Refuse, before any work is done, a file name or place that a table cannot be written to.

    Raises
    ------
    InputError
        If the name does not end in ``.csv``, or nothing can be written there.
    """
    if path.suffix.lower() != ".csv":
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected .csv")
    check_place(path)


def write_table(rows: Sequence[Mapping[str, Any]], path: Path, columns: Iterable[str] = ("value",)) -> None:
    """Write rows with equal keys as CSV (UTF-8, comma), the keys as the first line; whole or not at all.

    Parameters
    ----------
    rows, path:
        What goes where.
    columns:
        The first line of a table without rows.

    Raises
    ------
    InputError
        If nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0] if rows else columns))
        writer.writeheader()
        writer.writerows(rows)
