"""FreeSurfer's MGH and MGZ files: big-endian, RAS, frames last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.source import encoding_of, open_source
from napari_resmed.io.stored_image import StoredImage, check_shape

__all__ = ["SUFFIXES", "open_mgh"]

SUFFIXES = (".mgz", ".mgh.gz", ".mgh")

_STRUCTURE = 90  # bytes of the header's fields; voxels begin at 284 (FreeSurfer's mri.c, mghRead)
_VOXELS = 284
_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
# Behind the voxels stand five numbers of the scan, then tagged pieces such as the file's history (mri.c, tags.c).
_SCAN = 20
# Of these old tags the length is not written, or in four bytes; of all others in eight.
_LENGTH_BYTES = {1: 0, 2: 0, 20: 0, 30: 4}


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
