"""Layers to files, with the geometry that came in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.provenance import write_provenance
from napari_resmed.labels import LabelMap
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume

__all__ = ["write_image", "write_labels"]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an Image layer; the file's ending chooses the format."""
    write(layer_to_volume(data, attributes), Path(path))
    return [path]


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer, and beside it the note that says how it was made.

    Labels drawn by hand over an image of ours get that image's geometry.
    """
    if KEY not in (attributes.get("metadata") or {}):
        attributes = _borrow_place(data, attributes)
    volume = layer_to_volume(data, attributes, labels=True)
    if not isinstance(volume, LabelMap):
        raise InputError("found an image, expected labels")
    volume = _smallest(volume)
    write(volume, Path(path))
    if volume.meta.get("made_by") or len(volume.labels):
        write_provenance(Path(path), volume)
    return [path]


def _smallest(volume: LabelMap) -> LabelMap:
    """The same labels in the smallest type that holds them, never a narrower one (no wrapping)."""
    from napari_resmed.labels import smallest_integer_type

    return volume.with_data(volume.data.astype(smallest_integer_type(int(volume.data.max()))))


def _borrow_place(data: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes with the metadata of an image of ours that lies exactly under this layer."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return attributes
    shape = np.shape(data)
    for layer in viewer.layers:
        ours = layer.metadata.get(KEY)
        if not ours or np.shape(layer.data)[-len(shape) :] != shape:
            continue
        place = attributes_of(layer)
        if all(
            np.allclose(np.asarray(place[name])[-len(shape) :], np.asarray(attributes[name])[-len(shape) :])
            for name in ("scale", "translate")
        ):
            borrowed = {**ours, "meta": {k: v for k, v in ours["meta"].items() if k != "made_by"}}
            borrowed.pop("labels", None)
            metadata = {**(attributes.get("metadata") or {}), KEY: borrowed}
            return {**attributes, "metadata": metadata, "units": place["units"]}
    return attributes
