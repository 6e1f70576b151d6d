"""A volume made ready for the window, with what is known of it; meant for a thread beside the window's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_resmed.viewer.layers import KEY, LayerData, tilt_note, volume_to_layer
from napari_resmed.volume import Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_resmed.io.dicom import Series

__all__ = ["Origin", "add_layers", "shown_volume"]


@dataclass(frozen=True)
class Origin:
    """Where a layer came from, so that its file can be asked again; goes with the layer, and into no file of ours."""

    series: Series | None = field(default=None, repr=False)
    path: Path | None = field(default=None, repr=False)

    def __deepcopy__(self, memo: Any) -> Origin:
        """The same: a copied layer came from the same files, and an unpacked archive must go but once."""
        return self


def shown_volume(
    volume: Volume, facts: Mapping[str, str] | None = None, origin: Origin | None = None
) -> tuple[LayerData, list[str]]:
    """What napari needs to show a volume, and what a person should know of it, a sentence each.

    Parameters
    ----------
    volume:
        What was read.
    facts:
        What its header says, in words, without anything that tells who the patient is.
    origin:
        Where it was read from.
    """
    data, attributes, kind = volume_to_layer(volume)
    ours = attributes["metadata"][KEY]
    if facts:
        ours["facts"] = dict(facts)
    if origin is not None:
        ours["origin"] = origin
    notes = [f"{volume.name}: {warning}" for warning in volume.meta.get("warnings", ())]
    if note := tilt_note(volume):
        notes.append(note)
    return (data, attributes, kind), notes


def add_layers(viewer: ViewerModel, layers: list[LayerData]) -> Iterator[Layer | None]:
    """Add layers one after the other; gives each when it is there, None where the window may breathe in between."""
    for data, attributes, kind in layers:
        layer = _make(data, attributes, kind)
        yield None
        yield viewer.add_layer(layer)


def _make(data: Any, attributes: dict[str, Any], kind: str) -> Layer:
    if kind == "labels":
        return Labels(np.asarray(data), **attributes)
    return Image(data, **attributes)
