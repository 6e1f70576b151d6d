"""MetaImage files (``.mha``, ``.mhd``): LPS, as ITK writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.source import encoding_of, open_source
from napari_resmed.io.stored_image import StoredImage, check_shape
from napari_resmed.io.text_header import data_file, floats, integers

__all__ = ["COLOUR", "SUFFIXES", "open_metaimage"]

SUFFIXES = (".mha", ".mhd")
# A field of ours, which other programs pass over: MetaImage has none that tells colour from other channels.
COLOUR = "Colour"
_COLOURS = ("RGB", "RGBA")

# MetaIO's long is of 32 bits wherever it is written.
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "um": 0.001}
_MOST_HEADER = 1 << 20
_LAST = "ElementDataFile"
# A fourth axis that leans into space by more than this is no time axis.
_TIME_LEAN = 1e-6
# Direction vectors may be this much off length 1, as by printing few digits.
_LENGTH_OFF = 0.02


def open_metaimage(path: Path) -> StoredImage:
    """Describe a file by its header.

    Raises
    ------
    InputError
        If it is missing, no MetaImage, its header cannot be, or it says something that we do not read.
    """
    fields, end = _fields(path)
    name = path.name
    count = integers(fields.get("NDims", ""), "NDims", name)
    sizes = integers(fields.get("DimSize", ""), "DimSize", name)
    if len(count) != 1 or len(sizes) != count[0]:
        raise InputError(f"{name} is damaged: it says {len(sizes)} sizes for {list(count)} dimensions")
    check_shape(sizes, name)
    if not 2 <= len(sizes) <= 4:
        raise InputError(f"{name} has {len(sizes)} dimensions, expected 2, 3 or 4")
    channels = integers(fields.get("ElementNumberOfChannels", "1"), "channels", name)
    if len(channels) != 1 or channels[0] < 1:
        raise InputError(f"{name} is damaged: it says {channels} channels")
    kind = fields.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in _TYPES:
        raise InputError(f"{name} holds voxels of the type {kind[:20]!r}, expected numbers of 8 to 64 bits")
    big = _says(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    stored = np.dtype(_TYPES[kind])
    named = fields[_LAST]
    if named == "LIST" or named.startswith("LIST ") or "%" in named:
        raise InputError(f"{name} has its voxels in many files, expected one; write it again as one file")
    data, start = (path, end) if named.upper() == "LOCAL" else (data_file(path, named), 0)
    encoding, length = _encoding(fields, data, start, name)
    skip = integers(fields.get("HeaderSize", "0"), "HeaderSize", name)
    if len(skip) != 1 or skip[0] < -1 or (skip[0] < 0 and encoding != "raw"):
        raise InputError(f"{name} is damaged: it says a header of {skip} bytes before its voxels")
    meta: dict[str, Any] = {"format": "MetaImage", "warnings": _notes(fields)}
    colour = fields.get(COLOUR, "")
    if colour in _COLOURS and len(colour) == channels[0] and stored == np.uint8:
        meta["colour"] = colour
    return StoredImage(
        data,
        (*sizes[::-1], channels[0]),
        "tzyx"[4 - len(sizes) :] + "c",
        stored.newbyteorder(">" if big else "<") if stored.itemsize > 1 else stored,
        _affine(fields, len(sizes), name),
        encoding,
        start=start,
        length=length,
        skip=skip[0],
        modality=_modality(fields),
        name=name.rsplit(".", 1)[0],
        meta=meta,
    ).with_missing_axes()


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Fields up to the one that names the data, and where the header ends."""
    with open_source(path) as source:
        text = source.read(_MOST_HEADER)
    fields: dict[str, str] = {}
    start = 0
    while (end := text.find(b"\n", start)) >= 0 or start < len(text):
        end = len(text) - 1 if end < 0 else end
        key, equals, value = text[start : end + 1].decode("latin-1").partition("=")
        start = end + 1
        if not equals:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == _LAST:
            return fields, start
    raise InputError(f"{path.name} cannot be read: it is no MetaImage file, though its name says so, or is cut off")


def _says(fields: dict[str, str], *names: str) -> bool:
    return any(fields.get(name, "").lower() in ("true", "t", "1", "yes") for name in names)


def _encoding(fields: dict[str, str], data: Path, start: int, name: str) -> tuple[str, int | None]:
    """How the voxels are stored, and in how many bytes where the header says."""
    if fields.get("BinaryData", "True").lower() in ("false", "f", "0", "no"):
        return "text", None
    if not _says(fields, "CompressedData"):
        return "raw", None
    size = integers(fields.get("CompressedDataSize", ""), "CompressedDataSize", name)
    stored = data.stat().st_size - start
    if size and size[0] > stored:
        raise InputError(
            f"{name} is truncated or damaged: its header says {size[0]:,} compressed bytes, the file holds {stored:,}"
        )
    gzipped = start == 0 and encoding_of(data) == "gzip"
    return "gzip" if gzipped else "zlib", size[0] if size else None


@np.errstate(all="ignore")  # what is not finite is refused
def _affine(fields: dict[str, str], count: int, name: str) -> geometry.Affine:
    def stated(*names: str) -> tuple[float, ...]:
        return next((floats(fields[key], key, name) for key in names if key in fields), ())

    matrix = stated("TransformMatrix", "Rotation", "Orientation") or tuple(np.eye(count).ravel())
    origin = stated("Offset", "Position", "Origin") or (0.0,) * count
    spacing = stated("ElementSpacing", "ElementSize") or (1.0,) * count
    if (len(matrix), len(origin), len(spacing)) != (count * count, count, count):
        raise InputError(f"{name} is damaged: its place is given for another number of dimensions than {count}")
    if not min(spacing) > 0:
        raise InputError(f"{name} is damaged: it says voxel sizes of {list(spacing)} mm, expected lengths above 0")
    if np.abs(np.linalg.norm(np.reshape(matrix, (count, count)), axis=1) - 1).max() > _LENGTH_OFF:
        raise InputError(f"{name} is damaged: its directions {list(matrix)} are not of length 1")
    direction = np.array(matrix).reshape(count, count).T  # a row of the file is the direction of one axis
    if count == 4 and max(np.abs(direction[:3, 3]).max(), np.abs(direction[3, :3]).max()) > _TIME_LEAN:
        raise InputError(f"{name} has four axes mixed in space, expected three of space and one of time")
    full, place, step = np.eye(3), np.zeros(3), np.ones(3)
    space = min(3, count)
    full[:space, :space], place[:space], step[:space] = direction[:space, :space], origin[:space], spacing[:space]
    if count == 2:
        full[2, 2] = np.sign(np.linalg.det(direction)) or 1.0
    mm = _MM_PER_UNIT.get(fields.get("DistanceUnits", "mm"), 1.0)
    try:
        return geometry.compose(place * mm, step[::-1] * mm, full)
    except InputError as problem:
        raise InputError(f"{name}: {problem}") from problem


def _modality(fields: dict[str, str]) -> str:
    """Give DICOM's letters for what MetaImage calls ``MET_MOD_CT``."""
    stated = fields.get("Modality", "")
    return stated.removeprefix("MET_MOD_") if stated.startswith("MET_MOD_") and "UNK" not in stated else ""


def _notes(fields: dict[str, str]) -> list[str]:
    notes = []
    if not {"ElementSpacing", "ElementSize"} & set(fields):
        notes.append("the header states no voxel sizes; 1 mm was taken")
    if not {"TransformMatrix", "Rotation", "Orientation"} & set(fields):
        notes.append("the header states no directions; the axes were taken as Left, Posterior, Superior")
    slope = fields.get("ElementToIntensityFunctionSlope", "1")
    offset = fields.get("ElementToIntensityFunctionOffset", "0")
    try:
        plain = (float(slope), float(offset)) == (1.0, 0.0)
    except ValueError:
        plain = False
    return (
        notes if plain else [*notes, "the header states a scaling of values that programs ignore; they are as stored"]
    )
