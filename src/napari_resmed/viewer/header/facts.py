"""What is known of a layer, in a person's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import ResMedError
from napari_resmed.labels import LabelSet
from napari_resmed.viewer.label_look import names_of
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, is_in_place, layer_to_volume
from napari_resmed.volume import Volume

__all__ = ["Fact", "facts_of"]

_SIDES = {"L": "Left", "R": "Right", "A": "Anterior", "P": "Posterior", "S": "Superior", "I": "Inferior"}
# Angles below this are a scanner's alignment noise.
TILT_WORTH_SAYING_DEGREES = 0.1
# Said elsewhere in the table, from the layer as it is now.
_SAID = ("Description", "Modality", "Size", "Spacing", "Files")
_NOT_SHOWN = ("warnings", "made_by", "window_centre", "window_width")


@dataclass(frozen=True)
class Fact:
    """One line: under which heading it stands, what it is called, what it is."""

    heading: str
    name: str
    value: str


def facts_of(layer: Any) -> list[Fact]:
    """Everything a person may want to know of a layer; nothing that tells who the patient is.

    Parameters
    ----------
    layer:
        Any layer of the window; of what is neither an image nor labels there is little to say.
    """
    kind = layer._type_string
    ours: Mapping[str, Any] = layer.metadata.get(KEY) or {}
    facts = [Fact("Image" if kind != "labels" else "Labels", name, value) for name, value in _image(layer, kind, ours)]
    volume = _volume(layer, kind)
    if volume is not None:
        facts += [Fact("Place", name, value) for name, value in _place(layer, volume, ours)]
    if kind == "labels":
        labels = names_of(LabelSet.from_json(ours.get("labels", ())), layer.features)
        facts += [Fact("Names", str(label.value), label.name) for label in labels]
    facts += [Fact("Header", name, value) for name, value in _header(ours)]
    meta = ours.get("meta", {})
    facts += [Fact("Notes", str(number), note) for number, note in enumerate(meta.get("warnings", ()), start=1)]
    facts += [Fact("How it was made", *line) for line in _flat(meta.get("made_by") or {})]
    return facts


def _image(layer: Any, kind: str, ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Name", layer.name
    if ours.get("modality"):
        yield "Modality", ours["modality"]
    data = layer.data[0] if getattr(layer, "multiscale", False) else getattr(layer, "data", None)
    if kind not in ("image", "labels") or data is None:
        yield "Kind", kind
        return
    colour = bool(getattr(layer, "rgb", False))
    shape = tuple(data.shape[:-1] if colour else data.shape)
    yield (
        "Size",
        f"{_times(reversed(shape[-3:]))} voxels (x, y, z)" if len(shape) > 2 else f"{_times(shape[::-1])} pixels",
    )
    axes = [str(label) for label in layer.axis_labels]
    for axis, size in zip(axes[:-3], shape[:-3], strict=False):
        yield {"t": "Times", "c": "Channels"}.get(axis, f"Axis {axis}"), str(size)
    if colour:
        yield "Colour", "red, green, blue" + (", opacity" if data.shape[-1] == 4 else "")
    yield "Type", str(data.dtype)
    meta = ours.get("meta", {})
    if meta.get("units"):
        yield "Units", str(meta["units"])
    if kind == "image" and not colour:
        low, high = layer.contrast_limits
        yield "Shown from", f"{low:.6g} to {high:.6g}"


def _volume(layer: Any, kind: str) -> Volume | None:
    """The layer's grid in the patient, without its voxels; None for what has none."""
    if kind not in ("image", "labels"):
        return None
    data = layer.data[0] if layer.multiscale else layer.data
    try:
        return layer_to_volume(np.broadcast_to(np.zeros(1, np.uint8), data.shape), attributes_of(layer))
    except ResMedError:
        return None


def _place(layer: Any, volume: Volume, ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    dz, dy, dx = volume.spacing_mm
    z, y, x = volume.grid_shape
    yield "Voxel", f"{_times((dx, dy, dz))} mm"
    yield "Extent", f"{_times((x * dx, y * dy, z * dz))} mm"
    slices, rows, columns = (_SIDES[side] for side in volume.orientation)
    yield "Stored", f"columns run to {columns}, rows to {rows}, slices to {slices} ({volume.orientation[::-1]})"
    origin = ", ".join(f"{value:.6g}" for value in volume.affine[:3, 3])
    yield "First voxel", f"{origin} mm (Left, Posterior, Superior)"
    tilt = geometry.tilt_degrees(geometry.snap(volume.affine))
    if tilt > TILT_WORTH_SAYING_DEGREES:
        yield "Tilt", f"{tilt:.1f}° off the patient's axes; shown along its own"
    data = layer.data[0] if layer.multiscale else layer.data
    if "order" not in ours:
        yield "Known from", "the layer's place in this window"
    elif is_in_place(attributes_of(layer), data.shape):
        yield "Known from", "the file"
    else:
        yield "Known from", "the file, and moved or cropped in this window since"


def _header(ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    facts = ours.get("facts")
    if facts:
        if facts.get("Description"):
            yield "Description", facts["Description"]
        yield from ((name, value) for name, value in facts.items() if name not in _SAID)
        return
    for name, value in ours.get("meta", {}).items():
        if name not in _NOT_SHOWN and isinstance(value, str | int | float | list | tuple) and str(value):
            words = ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
            yield name.replace("_", " ").capitalize(), words


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Values of nested mappings, one a line."""
    for name, value in values.items():
        words = f"{before}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words} ")
        elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, 1):
                yield from _flat(one, f"{words} {number} ")
        else:
            shown = ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
            yield words[:1].upper() + words[1:], shown


def _times(sizes: Any) -> str:
    return " × ".join(f"{size:.4g}" if isinstance(size, float) else str(size) for size in sizes)
