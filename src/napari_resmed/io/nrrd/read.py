"""A NRRD file as the image that its header describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.nrrd.axes import find_axes, sizes_of
from napari_resmed.io.nrrd.header import Fields, read_fields
from napari_resmed.io.source import open_source
from napari_resmed.io.stored_image import StoredImage, check_shape
from napari_resmed.io.text_header import data_file, floats, integers

__all__ = ["SUFFIXES", "open_nrrd"]

SUFFIXES = (".nrrd", ".nhdr")

_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_TYPE = {word: code for code, words in _TYPES.items() for word in words.split(", ")}
_ENCODINGS = {
    "raw": "raw",
    "txt": "text",
    "text": "text",
    "ascii": "text",
    "gz": "gzip",
    "gzip": "gzip",
    "bz2": "bzip2",
    "bzip2": "bzip2",
}
_MOST_LINES = 1 << 20


def open_nrrd(path: Path) -> StoredImage:
    """Describe a file by its header.

    Raises
    ------
    InputError
        If it is missing, no NRRD file, its header cannot be, or it says something that we do not read.
    """
    header = read_fields(path)
    fields, name = header.fields, path.name
    sizes = sizes_of(header, name)
    check_shape(sizes, name)
    axes = find_axes(header, sizes, name)
    encoding = _ENCODINGS.get(fields.get("encoding", "raw").lower(), "")
    if not encoding:
        raise InputError(f"{name} is encoded as {fields['encoding'][:20]!r}, expected raw, gzip, bzip2 or text")
    data, start = _data(header, path)
    skip = integers(fields.get("byteskip", "0"), "byte skip", name)
    lines = integers(fields.get("lineskip", "0"), "line skip", name)
    if len(skip) != 1 or skip[0] < -1 or len(lines) != 1 or not 0 <= lines[0] <= _MOST_LINES:
        raise InputError(f"{name} is damaged: it skips {skip} bytes and {lines} lines")
    if skip[0] < 0 and encoding != "raw":
        raise InputError(f"{name} is damaged: it counts compressed voxels from the end of the file")
    meta: dict[str, Any] = {"format": "NRRD", "warnings": list(axes.notes)}
    if axes.colour:
        meta["colour"] = axes.colour
    if "measurementframe" in fields:
        frame = floats(fields["measurementframe"].translate(_NO_BRACKETS), "measurement frame", name)
        meta["measurement_frame"] = list(frame)
    return StoredImage(
        data,
        sizes[::-1],
        axes.letters[::-1],
        _stored(header, name),
        axes.affine,
        encoding,
        start=_after_lines(data, start, lines[0]),
        skip=skip[0],
        modality="MR" if header.pairs.get("modality", "").strip() == "DWMRI" else "",
        name=name.rsplit(".", 1)[0],
        meta=meta,
    ).with_missing_axes()


_NO_BRACKETS = str.maketrans("(),", "   ")


def _stored(header: Fields, name: str) -> np.dtype[Any]:
    stated = " ".join(header.fields.get("type", "").lower().split())
    if stated not in _TYPE:
        raise InputError(f"{name} holds voxels of the type {stated[:20]!r}, expected numbers of 8 to 64 bits")
    stored = np.dtype(_TYPE[stated])
    endian = header.fields.get("endian", "").lower()
    if stored.itemsize > 1 and endian not in ("little", "big"):
        if _ENCODINGS.get(header.fields.get("encoding", "raw").lower()) == "text":
            return stored
        raise InputError(f"{name} does not say its byte order ({endian[:20]!r}), expected little or big")
    return stored.newbyteorder("<" if endian == "little" else ">") if stored.itemsize > 1 else stored


def _data(header: Fields, path: Path) -> tuple[Path, int]:
    """The file of the voxels, and where in it they begin."""
    if not header.detached:
        return path, header.end
    named = header.fields["datafile"]
    if named.split()[:1] == ["LIST"] or "%" in named:
        raise InputError(f"{path.name} has its voxels in many files, expected one; join them, e.g. with `unu save`")
    return data_file(path, named), 0


def _after_lines(path: Path, start: int, count: int) -> int:
    """Where the voxels begin after so many lines."""
    if not count:
        return start
    with open_source(path, start=start) as source:
        while count > 0 and (text := source.read(1 << 16)):
            for line in text.splitlines(keepends=True):
                if not count:
                    break
                start += len(line)
                count -= line.endswith((b"\n", b"\r"))
    return start
