"""3D Slicer's segmentation files (.seg.nrrd): label maps in layers, with names, colours and codes.

The format is a NRRD file with fields of Slicer's own, described in its developer guide under "Segmentations".
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.itk import SHEAR_COSINE, read_itk
from napari_resmed.io.nrrd.header import read_fields
from napari_resmed.io.overlap import Piece, crop, pack
from napari_resmed.io.slicer_terms import codes_of, terminology_entry
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import Label, LabelMap, LabelSet, count_values, default_colour, smallest_integer_type

__all__ = ["SUFFIX", "is_seg_nrrd", "read_seg_nrrd", "write_seg_nrrd"]

SUFFIX = ".seg.nrrd"

_FIELD = re.compile(r"Segment(\d+)_(\w+)")


def is_seg_nrrd(path: Path) -> bool:
    """Whether a file is a NRRD file that describes segments, whatever its name."""
    if path.suffix.lower() not in (".nrrd", ".nhdr"):
        return False
    try:
        with path.open("rb") as file:
            # Slicer sorts its fields, and none of those before is long.
            start = file.read(2**16)
    except OSError:
        return False
    return start.startswith(b"NRRD") and b"\nSegment0_" in start.partition(b"\n\n")[0]


def read_seg_nrrd(path: Path | str) -> list[LabelMap]:
    """Read a segmentation of 3D Slicer.

    Returns
    -------
    list of LabelMap
        One for each layer, with the values of the file. Files of older versions have a layer for each
        segment: those are packed into as few maps as possible, with the values 1, 2, ...

    Raises
    ------
    InputError
        If the file is damaged, holds fractions, or no voxels.
    """
    path = Path(path)
    volume = read_itk(path)
    fields = _fields(path)
    kind = fields.get("Segmentation_SourceRepresentation") or fields.get("Segmentation_MasterRepresentation", "")
    if "fractional" in kind.lower():
        raise InputError(f"{path.name} holds fractions, expected a binary label map; save it as one in Slicer")
    if volume.axes not in ("zyx", "czyx") or volume.data.dtype.kind not in "iu" or volume.data.min() < 0:
        raise InputError(f"{path.name} holds no layers of labels, expected whole numbers of 0 or more; save it again")
    layers = volume.data if volume.axes == "czyx" else volume.data[None]
    if max(volume.grid_shape) == 1:
        raise InputError(f"{path.name} is a segmentation without voxels; draw something in it first")
    segments = _segments(fields, len(layers))
    valued = ["LabelValue" in segment for segment in segments.values()]
    if any(valued) and not all(valued):
        raise InputError(f"{path.name} is damaged: it gives only some of its segments a value; save it again in Slicer")
    if all(valued):
        by_layer = [_labels(segments, index) for index in range(len(layers))]
        arrays = [(np.ascontiguousarray(array), labels) for array, labels in zip(layers, by_layer, strict=True)]
    else:
        arrays = _packed(layers, segments)
    name = re.sub(r"(\.seg)?\.\w+$", "", path.name, flags=re.IGNORECASE)
    return [
        LabelMap(
            array.astype(smallest_integer_type(int(array.max())), copy=False),
            volume.affine,
            "zyx",
            name=name if len(arrays) == 1 else f"{name} {index + 1}",
            meta={"format": "seg.nrrd"} | _note(index, len(arrays)),
            labels=labels.completed(count_values(array)[0].tolist()),
        )
        for index, (array, labels) in enumerate(arrays)
    ]


def _note(index: int, count: int) -> dict[str, Any]:
    return {"warnings": [f"its segments overlap: this is label map {index + 1} of {count}"]} if count > 1 else {}


def _fields(path: Path) -> dict[str, str]:
    pairs = read_fields(path).pairs
    # A backslash stands before what cannot stand in a line (NRRD, "Key/value pairs").
    return {key: re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), pairs[key]) for key in pairs}


def _segments(fields: Mapping[str, str], layers: int) -> dict[int, dict[str, str]]:
    """The fields of every segment, by its index."""
    segments: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for key, value in fields.items():
        if match := _FIELD.fullmatch(key):
            segments[int(match[1])][match[2]] = value
    for index, segment in segments.items():
        if not segment.get("LabelValue", "1").isdecimal() or not segment.get("Layer", "0").isdecimal():
            raise InputError(f"segment {index} has no whole numbers as label value and layer; save it again in Slicer")
        if int(segment.get("Layer", index if "LabelValue" not in segment else 0)) >= layers:
            raise InputError(f"segment {index} states a layer that the file does not have; save it again in Slicer")
    return dict(sorted(segments.items()))


def _labels(segments: Mapping[int, Mapping[str, str]], layer: int) -> LabelSet:
    labels: dict[int, Label] = {}
    for index, segment in segments.items():
        value = int(segment["LabelValue"])
        # A segment of the value 0 would be background; two of one value cannot be told apart.
        if int(segment.get("Layer", 0)) == layer and value > 0:
            labels.setdefault(value, _label(segment, value, index))
    return LabelSet(tuple(labels.values()))


def _packed(layers: NDArray[Any], segments: Mapping[int, Mapping[str, str]]) -> list[tuple[NDArray[Any], LabelSet]]:
    """Layers of one segment each in as few label maps as possible; values are 1, 2, ..."""
    pieces: dict[int, dict[int, Piece]] = {}
    for index, array in enumerate(layers):
        found = {plane: crop(mask != 0) for plane, mask in enumerate(array)}
        pieces[index + 1] = {plane: piece for plane, piece in found.items() if piece}
    labels = {index + 1: _label(segments.get(index, {}), index + 1, index) for index in range(len(layers))}
    return [
        (array, LabelSet(tuple(labels[value] for value in values))) for array, values in pack(pieces, layers.shape[1:])
    ]


def _label(segment: Mapping[str, str], value: int, index: int) -> Label:
    name = " ".join(segment.get("Name", "").split()) or segment.get("ID") or f"segment {index + 1}"
    try:
        red, green, blue = (min(255, max(0, round(float(part) * 255))) for part in segment["Color"].split())
    except (KeyError, ValueError, OverflowError):
        red, green, blue = default_colour(value)
    tags = segment.get("Tags", "").split("|")
    entry = next((tag for tag in tags if tag.startswith("TerminologyEntry:")), "")
    return Label(value, name, (red, green, blue), **codes_of(entry.removeprefix("TerminologyEntry:")))


def write_seg_nrrd(labels: LabelMap | Sequence[LabelMap], path: Path | str) -> None:
    """Write label maps as a segmentation of 3D Slicer; the whole file or nothing.

    Every map is a layer, in which each label keeps its value, name, colour and codes.

    Raises
    ------
    InputError
        If there is no map, the maps are not of one grid, they are sheared, or nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    path = Path(path)
    maps = [labels] if isinstance(labels, LabelMap) else list(labels)
    if not maps:
        raise InputError("found no label map to write, expected at least one")
    if any(one.axes != "zyx" for one in maps):
        raise InputError("found labels with time or channels, expected z, y, x; write each time by itself")
    if any(not maps[0].same_grid(one) for one in maps):
        raise InputError("found label maps of different grids, expected one; write them into separate files")
    if geometry.shear_cosine(maps[0].affine) > SHEAR_COSINE:
        raise InputError(
            f"cannot write {path.name}: the volume is sheared, which Slicer takes for a rotation; write NIfTI "
            "(.nii.gz) instead"
        )
    dtype = np.result_type(*(smallest_integer_type(int(one.data.max())) for one in maps))
    header = "".join(f"{line}\n" for line in _header(maps, dtype))
    with whole_file(path) as part, part.open("wb") as file:
        file.write(header.encode() + b"\n")
        # Deflate's fastest level: labels shrink to a hundredth at any.
        packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        little = dtype.newbyteorder("<")
        for planes in zip(*(one.data for one in maps), strict=True):
            file.write(packer.compress(np.stack(planes, axis=-1).astype(little).tobytes()))
        file.write(packer.flush())


def _header(maps: Sequence[LabelMap], dtype: np.dtype[Any]) -> Iterator[str]:
    first, layered = maps[0], len(maps) > 1
    z, y, x = first.grid_shape
    columns = [_vector(first.affine[:3, axis]) for axis in (2, 1, 0)]
    lead = (["none"], ["list"], [str(len(maps))]) if layered else ([], [], [])
    yield "NRRD0004"
    yield f"type: {dtype.name}"
    yield f"dimension: {3 + layered}"
    yield "space: left-posterior-superior"
    yield f"sizes: {' '.join([*lead[2], str(x), str(y), str(z)])}"
    yield f"space directions: {' '.join([*lead[0], *columns])}"
    yield f"kinds: {' '.join([*lead[1], 'domain', 'domain', 'domain'])}"
    yield "endian: little"
    yield "encoding: gzip"
    yield f"space origin: {_vector(first.affine[:3, 3])}"
    segments: list[tuple[int, Label, str]] = []
    for layer, one in enumerate(maps):
        labels = one.labels.completed(count_values(one.data)[0])
        segments += [(layer, *pair) for pair in zip(labels, _extents(one.data, labels.values), strict=True)]
    for index, (layer, label, extent) in enumerate(segments):
        fields = {
            "ID": f"Segment_{index + 1}",
            "Name": label.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part / 255:.6f}" for part in label.colour),
            "ColorAutoGenerated": "0",
            "Extent": extent,
            "LabelValue": str(label.value),
            "Layer": str(layer),
            "Tags": f"TerminologyEntry:{terminology_entry(label)}|",
        }
        for key, value in sorted(fields.items()):
            yield f"Segment{index}_{key}:={_escaped(value)}"
    yield "Segmentation_ContainedRepresentationNames:=Binary labelmap|"
    yield "Segmentation_ReferenceImageExtentOffset:=0 0 0"
    yield "Segmentation_SourceRepresentation:=Binary labelmap"


def _vector(values: NDArray[np.float64]) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def _extents(data: NDArray[Any], values: Sequence[int]) -> list[str]:
    """First and last voxel of each label along x, y and z; Slicer's sign for none is an end before its start."""
    known = np.array([0, *sorted(values)])
    numbered = np.stack([np.searchsorted(known, plane).astype(smallest_integer_type(len(known))) for plane in data])
    boxes = dict(zip(known[1:].tolist(), find_objects(numbered, len(values)), strict=True))
    return [
        " ".join(f"{side.start} {side.stop - 1}" for side in reversed(boxes[value]))
        if boxes[value]
        else "0 -1 0 -1 0 -1"
        for value in values
    ]


def _escaped(value: str) -> str:
    """A field's value on one line (NRRD, "Key/value pairs")."""
    return " ".join(value.split()).replace("\\", "\\\\")
