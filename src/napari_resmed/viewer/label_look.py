"""What the values of a Labels layer look like and are called: our labels as napari's colours and features, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_resmed.labels import Label, LabelSet, default_colour

if TYPE_CHECKING:
    from napari.utils.colormaps import DirectLabelColormap

__all__ = ["label_colours", "label_look", "label_names", "names_of", "warm_labels"]

# A value that nobody named (a new label painted by hand) is shown in magenta rather than not at all.
_UNNAMED = (0.8, 0.2, 0.8, 1.0)
_CLEAR = (0.0, 0.0, 0.0, 0.0)


def label_colours(labels: Iterable[Label] = (), up_to: int = 0) -> DirectLabelColormap:
    """The colours of labels for a Labels layer.

    Parameters
    ----------
    labels:
        What is named.
    up_to:
        Values up to this one get a colour of their own even where nothing is named: told apart with any colour vision,
        as far as there are such.
    """
    from napari.utils.colormaps import DirectLabelColormap

    own = {label.value: label.colour for label in labels}
    colours: dict[int | None, Any] = {None: _UNNAMED, 0: _CLEAR}
    for value in sorted({*range(1, up_to + 1), *own}):
        colours[value] = (*(part / 255 for part in own.get(value) or default_colour(value)), 1.0)
    return DirectLabelColormap(color_dict=colours)


def label_look(labels: LabelSet, up_to: int = 0) -> dict[str, Any]:
    """Colours and names of labels, as attributes of a Labels layer."""
    return {"colormap": label_colours(labels, up_to), "features": label_names(labels)}


def label_names(labels: LabelSet) -> pd.DataFrame:
    """Names of labels, as features of a Labels layer."""
    return pd.DataFrame({"index": [0, *labels.values], "structure": ["background", *(label.name for label in labels)]})


def names_of(known: LabelSet, features: pd.DataFrame | None) -> LabelSet:
    """What labels are called: as they were read, and as they were named in the layer's features since."""
    found = {label.value: label for label in known}
    if features is None or not {"index", "structure"} <= set(features):
        return known
    for value, name in zip(features["index"], features["structure"], strict=True):
        if pd.isna(value) or pd.isna(name) or int(value) < 1 or not str(name).strip():
            continue
        old, said = found.get(int(value)), str(name).strip()
        found[int(value)] = old.called(said) if old else Label(int(value), said, default_colour(int(value)))
    return LabelSet(tuple(found.values()))


def warm_labels() -> None:
    """Have napari make now, on the caller's thread, what its first Labels layer needs.

    It compiles its colour lookup when that is drawn, and works out the dashes of its outlines when it is added: each
    would hold the window, for a second or two and for a twentieth of one.
    """
    from napari.utils.colormaps import DirectLabelColormap
    from vispy.visuals.line.dash_atlas import DashAtlas

    colours = DirectLabelColormap(color_dict={None: "red", 0: "black", 1: "white"})
    for dtype in (np.uint8, np.uint16):
        colours.map(np.zeros((2, 2), dtype))
    DashAtlas()
