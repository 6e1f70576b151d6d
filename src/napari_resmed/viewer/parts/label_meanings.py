"""What the values of a Labels layer in the window mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from napari_resmed.labels import Label, LabelSet
from napari_resmed.viewer.layers import KEY

__all__ = ["label_of", "labels_in", "rename"]


def label_of(layer: Any, value: int) -> Label:
    """What a value of a Labels layer means: its name in the layer's features, its colour in the window."""
    name = _said(layer.features).get(value, "").strip()
    colour = np.asarray(layer.colormap.map(value), dtype=float).reshape(-1)[:3]
    red, green, blue = (round(255 * part) for part in colour)
    return Label(value, name or f"label {value}", (red, green, blue))


def labels_in(layer: Any, values: Iterable[int]) -> tuple[Label, ...]:
    """What the values above 0 of a Labels layer mean."""
    return tuple(label_of(layer, value) for value in values if value > 0)


def rename(layer: Any, value: int, name: str) -> None:
    """Give a value of a Labels layer a name, where the window and the file writers find it."""
    names = {value: name} if _said(layer.features) else {0: "background", value: name}
    layer.features = _named(layer.features, names)
    ours = layer.metadata.get(KEY)
    if ours is not None:
        known = LabelSet.from_json(ours.get("labels", ()))
        now = label_of(layer, value)
        new = replace(known[value].called(name), colour=now.colour) if value in known else now
        ours["labels"] = LabelSet((*(label for label in known if label.value != value), new)).to_json()


def _named(features: pd.DataFrame, names: dict[int, str]) -> pd.DataFrame:
    """A layer's features with these names; whatever else stands in them stays."""
    table = features.copy()
    if "index" not in table:
        table.insert(0, "index", range(len(table)))  # as napari reads it: the row of a value is its number
    table["structure"] = table["structure"].astype(object) if "structure" in table else ""
    new = [value for value in names if value not in set(table["index"])]
    if new:
        rows = pd.DataFrame({"index": new, "structure": [""] * len(new)})
        table = pd.concat([table, rows], ignore_index=True) if len(table) else rows
    for value, name in names.items():
        table.loc[table["index"] == value, "structure"] = name
    return table.sort_values("index", ignore_index=True)


def _said(features: pd.DataFrame) -> dict[int, str]:
    """The names that stand in a layer's features."""
    if "index" not in features or "structure" not in features:
        return {}
    rows = zip(features["index"], features["structure"], strict=True)
    return {int(index): "" if pd.isna(name) else str(name) for index, name in rows if not pd.isna(index)}
