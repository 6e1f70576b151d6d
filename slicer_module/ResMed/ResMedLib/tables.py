"""Tables as nodes of the scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import vtk

from ResMedLib.undo import add_node

__all__ = ["add_table", "add_volume_table"]


def add_table(name: str, columns: Sequence[tuple[str, str, Sequence[Any]]]) -> Any:
    """A new table node.

    Parameters
    ----------
    columns:
        Title, unit (empty for none) and cells of each; texts, or numbers.
    """
    node = add_node("vtkMRMLTableNode", name)
    changing = node.StartModify()
    node.SetLocked(True)
    for title, unit, cells in columns:
        column = vtk.vtkStringArray() if any(isinstance(cell, str) for cell in cells) else vtk.vtkDoubleArray()
        if cells and all(isinstance(cell, int) for cell in cells):
            column = vtk.vtkLongLongArray()
        column.SetName(title)
        for cell in cells:
            column.InsertNextValue(cell)
        node.AddColumn(column)
        if unit:
            node.SetColumnUnitLabel(title, unit)
    node.EndModify(changing)
    return node


def _figure(value: float | None) -> float:
    """A number; none where nothing is known."""
    return math.nan if value is None else float(value)


def add_volume_table(name: str, rows: Sequence[dict[str, Any]]) -> Any:
    """Structures with voxels and volume, and how unsure the model is where that was asked for.

    Parameters
    ----------
    rows:
        ``value, name, voxels, volume_ml`` and perhaps ``uncertainty``, as a segmentation gives them.
    """
    columns: list[tuple[str, str, Sequence[Any]]] = [
        ("Structure", "", [str(row["name"]) for row in rows]),
        ("Value", "", [int(row["value"]) for row in rows]),
        ("Voxels", "", [int(row["voxels"]) for row in rows]),
        ("Volume (mL)", "mL", [float(row["volume_ml"]) for row in rows]),
    ]
    if any(row.get("uncertainty") is not None for row in rows):
        columns.append(("Unsure", "", [_figure(row.get("uncertainty")) for row in rows]))
    return add_table(name, columns)
