"""A NIfTI header: where the voxels are, what they are, how many. Nothing of it is believed unchecked."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io import label_table
from napari_resmed.io.source import Source, encoding_of, open_source
from napari_resmed.labels import Label

__all__ = ["Header", "open_nifti", "other_half"]

# Bytes of the header's structure, its first field (nifti1.h, nifti2.h).
_NIFTI_1, _NIFTI_2 = 348, 540
_MAGIC = {b"n+1\0": True, b"ni1\0": False, b"n+2\0": True, b"ni2\0": False}  # True: voxels follow in the file
_MOST_DIMENSIONS = 7
# Header extensions larger than this are passed over; a table of labels takes a few kB.
_MOST_EXTENSIONS = 1 << 24
_HALVES = {".hdr": ".img", ".img": ".hdr", ".hdr.gz": ".img.gz", ".img.gz": ".hdr.gz"}


@dataclass(frozen=True)
class Header:
    """What a NIfTI header says, checked.

    Parameters
    ----------
    fields:
        All of it, as nibabel's header.
    shape:
        In the file's order, x first.
    stored:
        Type of a voxel in the file, in the file's byte order.
    offset:
        Where the voxels begin in their file, in bytes.
    slope, intercept:
        ``value = slope * stored + intercept``; 1 and 0 where the header says nothing usable.
    labels:
        The label table of its extensions.
    notes:
        What a person should know, a sentence each.
    """

    fields: Any
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()


@contextmanager
def open_nifti(path: Path) -> Iterator[tuple[Header, Source]]:
    """Open an image: its header, and the source of its voxels, which stands where they begin.

    Raises
    ------
    InputError
        If it is no NIfTI, its header cannot be, or the voxels are not there.
    """
    half = _suffix(path)
    first = other_half(path) if half.startswith(".img") else path
    compressed = encoding_of(first)
    with open_source(first, compressed) as source:
        header, single = _read(source, first)
        header = replace(header, notes=_misnamed(first, compressed))
        size = math.prod(header.shape) * header.stored.itemsize
        if single:
            source.expect(size)
            yield header, source
            return
    if not half:
        raise InputError(
            f"{path.name} says that its voxels are in another file, whose name is only known for .hdr and .img; "
            "rename it to .hdr, beside its .img"
        )
    second = other_half(first) if path == first else path
    with open_source(second, encoding_of(second)) as source:
        source.skip(header.offset)
        source.expect(size)
        yield header, source


def other_half(path: Path) -> Path:
    """The ``.img`` of a ``.hdr``, or the ``.hdr`` of an ``.img``; either may be compressed.

    Raises
    ------
    InputError
        If it is not there.
    """
    suffix = _suffix(path)
    stem, wanted = path.name[: -len(suffix)], _HALVES[suffix]
    plain = wanted.removesuffix(".gz")
    for ending in (wanted, plain, f"{plain}.gz"):
        for name in (stem + ending, stem + ending.upper()):
            if path.with_name(name).is_file():
                return path.with_name(name)
    raise InputError(f"{path.name} is half of a pair: found no {stem}{wanted} beside it; copy both files")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return next((suffix for suffix in _HALVES if name.endswith(suffix)), "")


def _misnamed(path: Path, encoding: str) -> tuple[str, ...]:
    if path.name.lower().endswith(".gz") == (encoding == "gzip"):
        return ()
    said, found = ("compressed", "not") if encoding == "raw" else ("not compressed", "it is")
    return (f"the name says {said}, but {found}; it opens here, other programs may refuse it",)


def _read(source: Source, path: Path) -> tuple[Header, bool]:
    """The header at the start of a source, and whether the voxels follow it there."""
    raw = source.read(4)
    order, kind = _byte_order(raw, path)
    cls = nib.Nifti1Header if kind == _NIFTI_1 else nib.Nifti2Header
    raw += source.read(kind - 4)
    magic = raw[344:348] if kind == _NIFTI_1 else raw[4:8]
    if len(raw) < kind or magic not in _MAGIC:
        if kind == _NIFTI_1 and len(raw) == kind and magic[:2] != b"n+" and _suffix(path):
            raise InputError(
                f"{path.name} is Analyze 7.5 rather than NIfTI: it does not say for certain where left is; convert "
                "it with the program that made it"
            )
        raise _no_nifti(path)
    single = _MAGIC[magic]
    fields = cls(raw, endianness=order, check=False)
    shape = _shape(fields, path)
    stored = _stored(fields, path)
    stated = float(fields["vox_offset"])
    if not (math.isfinite(stated) and stated >= 0 and stated == int(stated)):
        raise InputError(f"{path.name} is damaged: its voxels begin at byte {stated:g}, expected a whole number")
    offset = int(stated)
    if single:
        # Zero says nothing; what lies inside the header cannot be meant.
        if 0 < offset < kind:
            raise InputError(f"{path.name} is damaged: its voxels begin at byte {offset}, inside the header")
        offset = max(offset, kind + 4)
        source.expect(offset - kind)
        block = source.read(min(offset - kind, _MOST_EXTENSIONS))
        source.skip(offset - kind - len(block))
    else:
        block = source.read(_MOST_EXTENSIONS)
    labels = _extensions(block, order)
    slope, intercept = _scaling(fields)
    return Header(fields, shape, stored, offset, slope, intercept, labels), single


def _no_nifti(path: Path) -> InputError:
    return InputError(f"{path.name} is not a NIfTI image, though its name says so; check where it came from")


def _byte_order(start: bytes, path: Path) -> tuple[str, int]:
    for order, name in (("<", "little"), (">", "big")):
        kind = int.from_bytes(start, name)  # type: ignore[arg-type]
        if len(start) == 4 and kind in (_NIFTI_1, _NIFTI_2):
            return order, kind
    raise _no_nifti(path)


def _shape(fields: Any, path: Path) -> tuple[int, ...]:
    dim = [int(size) for size in fields["dim"]]
    if not 1 <= dim[0] <= _MOST_DIMENSIONS:
        raise InputError(f"{path.name} is damaged: it says it has {dim[0]} dimensions, expected 1 to 7")
    shape = dim[1 : dim[0] + 1]
    if min(shape) < 1:
        raise InputError(f"{path.name} holds no voxels: its size is {tuple(shape)}")
    return tuple(shape)


def _stored(fields: Any, path: Path) -> np.dtype[Any]:
    code = int(fields["datatype"])
    try:
        stored: np.dtype[Any] = np.dtype(nib.nifti1.data_type_codes.dtype[code]).newbyteorder(fields.endianness)
    except KeyError:
        stored = np.dtype("V0")
    if not stored.itemsize:
        raise InputError(f"{path.name} holds voxels of the unknown type {code}; save it as numbers and open that")
    # Said twice: where they contradict each other, one of them is damaged.
    if int(fields["bitpix"]) not in (0, 8 * stored.itemsize):
        raise InputError(
            f"{path.name} is damaged: it says {int(fields['bitpix'])} bits a voxel and a type of "
            f"{8 * stored.itemsize} bits"
        )
    return stored


def _scaling(fields: Any) -> tuple[float, float]:
    """Slope and intercept; a slope of 0, NaN or infinity means that values are as stored."""
    slope, intercept = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        return 1.0, 0.0
    return slope, intercept


def _extensions(block: bytes, order: str) -> tuple[Label, ...]:
    """The label table among the header's extensions; a broken one costs no image."""
    if len(block) < 4 or not block[0]:
        return ()
    swapped = np.dtype("=i4") != np.dtype(f"{order}i4")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = nib.nifti1.Nifti1Extensions.from_fileobj(io.BytesIO(block[4:]), len(block) - 4, swapped)
            return label_table.read(found)
    except Exception:  # nibabel meets a broken extension with any of several kinds
        return ()
