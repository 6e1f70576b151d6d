"""FreeSurfer's MGH and MGZ files, read and written: big-endian, RAS, frames last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.source import deflating, encoding_of, open_source
from napari_resmed.io.stored_image import StoredImage, check_shape
from napari_resmed.io.whole_file import whole_file
from napari_resmed.volume import Volume

__all__ = ["SUFFIXES", "open_mgh", "write_mgh"]

SUFFIXES = (".mgz", ".mgh.gz", ".mgh")

_STRUCTURE = 90  # bytes of the header's fields; voxels begin at 284 (FreeSurfer's mri.c, mghRead)
_VOXELS = 284
_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
# Behind the voxels stand five numbers of the scan, then tagged pieces such as the file's history (mri.c, tags.c).
_SCAN = 20
# Of these old tags the length is not written, or in four bytes; of all others in eight.
_LENGTH_BYTES = {1: 0, 2: 0, 20: 0, 30: 4}
# Types that are written, the smallest first; FreeSurfer before version 7 knows no unsigned 16 bits.
_WRITTEN = (np.uint8, np.int16, np.int32, np.float32)
# How far a corner may lie from its place: the header holds it in 32 bits, this is far above their rounding.
_OFF_MM = 1e-3


def open_mgh(path: Path) -> StoredImage:
    """Describe a file by its header.

    Raises
    ------
    InputError
        If it is missing, no MGH file, or its header cannot be.
    """
    encoding = encoding_of(path)
    with open_source(path, encoding) as source:
        raw = source.read(_STRUCTURE)
        version = int.from_bytes(raw[:4], "big")
        if len(raw) < _STRUCTURE or version != 1:
            raise InputError(f"{path.name} is not an MGH image, though its name says so; check where it came from")
        fields = nib.MGHImage.header_class(raw, check=False)
        shape = tuple(int(size) for size in fields["dims"][::-1])
        check_shape(shape, path.name)
        code = int(fields["type"])
        if code not in _TYPES:
            raise InputError(f"{path.name} holds voxels of the unknown type {code}; convert it with mri_convert")
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused
                affine = geometry.check_affine(geometry.ras_to_lps(fields.get_affine()))
        except InputError as problem:
            raise InputError(f"{path.name}: {problem}") from problem
    meta: dict[str, Any] = {"format": "MGH"}
    if not int.from_bytes(raw[28:30], "big"):
        meta["warnings"] = ["the header gives no place in the patient; FreeSurfer's own, coronal at 1 mm, was taken"]
    name = path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]
    stored = np.dtype(_TYPES[code])
    return StoredImage(
        path, shape, "tzyx", stored, affine, encoding, skip=_VOXELS, footer=_is_footer, name=name, meta=meta
    )


def write_mgh(volume: Volume, path: Path) -> None:
    """Write an MGH file, or MGZ, which is compressed; the whole file or nothing.

    Voxels go into the smallest of the format's types that holds every value exactly, their own where it is one.

    Raises
    ------
    InputError
        If the volume has channels or values that the format does not hold, lies where its 32-bit header does not
        reach to a thousandth of a millimetre, or nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    if "c" in volume.axes:
        raise InputError(f"cannot write {path.name}: this format holds no channels; write NIfTI (.nii.gz) instead")
    data = _exactly(volume.data, path.name)
    if data.ndim > len(volume.grid_shape) and len(data) == 1:
        data = data[0]  # one time is no series: nibabel drops a last axis of 1 from its header, not from the voxels
    ras = geometry.ras_to_lps(volume.affine)
    image = nib.MGHImage(data.transpose(*range(data.ndim - 1, -1, -1)), ras)
    image.update_header()
    kept = geometry.ras_to_lps(image.header.get_affine())
    shape = volume.grid_shape
    if np.abs(geometry.corners(kept, shape) - geometry.corners(volume.affine, shape)).max() > _OFF_MM:
        raise InputError(f"cannot write {path.name}: its header cannot hold the place; write NIfTI (.nii.gz) instead")
    with whole_file(path) as part, part.open("wb") as file:
        if path.suffix.lower() == ".mgh":
            image.to_stream(file)
            return
        with deflating(file) as stream:
            image.to_stream(stream)


def _exactly(data: NDArray[Any], name: str) -> NDArray[Any]:
    """The values in a type of the format."""
    kinds = "f" if data.dtype.kind == "f" else "iu"
    for dtype in map(np.dtype, _WRITTEN):
        if dtype.kind in kinds and np.can_cast(data.dtype, dtype):
            return data.astype(dtype)
    # A wider type, whose values may fit all the same.
    dtype = np.dtype(np.float32 if kinds == "f" else np.int32)
    with np.errstate(all="ignore"):
        narrow = data.astype(dtype)
    if np.array_equal(narrow, data, equal_nan=kinds == "f"):
        return narrow
    raise InputError(
        f"cannot write {name}: it holds values of type {data.dtype} that {dtype}, the widest of this format, does not "
        "hold exactly; write NIfTI (.nii.gz) instead"
    )


def _is_footer(left: bytes) -> bool:
    """Whether what follows the voxels is what FreeSurfer puts there, to the last byte.

    Of an uncompressed file, that is the only sign that nothing was lost or put in before.
    """
    at = _SCAN
    while at + 4 <= len(left):
        tag = int.from_bytes(left[at : at + 4], "big")
        count = _LENGTH_BYTES.get(tag, 8)
        at += 4
        if not tag or not count:  # no tag is 0; of an old piece only its reader knows the length
            return tag != 0
        at += count + int.from_bytes(left[at : at + count], "big")
    return at == len(left)
