"""Reading a NIfTI file, whole or its header alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.kind import settle_kind, surely_image
from napari_resmed.io.nifti.header import Header, open_nifti
from napari_resmed.io.nifti.place import place, time_step
from napari_resmed.io.nifti.voxels import arrange, arrange_shape, converter, read_voxels, result_type
from napari_resmed.io.odd_place import odd_place
from napari_resmed.io.peek import Peek, first_planes
from napari_resmed.labels import LabelSet
from napari_resmed.volume import Volume

__all__ = ["INTENT_LABEL", "is_nifti", "peek_nifti", "read_nifti", "says_labels"]

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".hdr.gz")
INTENT_LABEL = 1002


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.lower().endswith(_SUFFIXES)


def read_nifti(path: Path, *, magnitude: bool = False) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file.

    Parameters
    ----------
    path:
        ``.nii``, ``.nii.gz`` or one of a ``.hdr``/``.img`` pair. What is compressed is told by content, not name.
    magnitude:
        Of complex numbers, take the magnitude; without it they are refused.

    Returns
    -------
    Volume
        Stored voxels with scaling applied, no resampling; a :class:`LabelMap` where the file says or shows
        that it is one. Axes: the fourth NIfTI dimension is time, the fifth channels; colour becomes channels and
        says so as ``meta["colour"]``, ``"RGB"`` or ``"RGBA"``.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, no NIfTI, complex-valued, or has no usable place in the patient.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    with open_nifti(path) as (header, source):
        affine, meta = _describe(header, path)
        arrange_shape(header, path.name)
        array, notes = read_voxels(header, source, magnitude)
    data, axes = arrange(header, array, path.name)
    meta["warnings"] += notes
    if header.stored.kind == "c":
        meta["part"] = "magnitude"
    volume = Volume(data, affine, axes, name=_stem(path), meta=meta)
    return settle_kind(volume, path, LabelSet(header.labels), says_labels(header))


def peek_nifti(path: Path) -> Peek:
    """What a file holds, without reading more of its voxels than tells an image from labels.

    Raises
    ------
    InputError
        As :func:`read_nifti`, as far as it shows up to there.
    """
    with open_nifti(path) as (header, source):
        affine, meta = _describe(header, path)
        shape, axes = arrange_shape(header, path.name)
        dtype = result_type(header, magnitude=True, name=path.name)
        certain = header.stored.kind == "c" or "c" in axes or ("t" in axes and not says_labels(header))
        size = math.prod(header.shape) * header.stored.itemsize
        if not source.looks_whole(size, max(header.shape)):
            certain = False
        elif not certain and not says_labels(header):
            convert = None if dtype == header.stored.newbyteorder("=") else converter(header, dtype)
            certain = surely_image(first_planes(source, shape, header.stored, convert and dtype, convert))
    if header.stored.kind == "c":
        meta["warnings"].append(
            "holds complex numbers: only their magnitude can be opened (napari-resmed convert --magnitude)"
        )
    return Peek(shape, axes, affine, dtype, certain, meta=meta)


def says_labels(header: Header) -> bool:
    """Whether the header declares that the voxels are labels."""
    return bool(header.labels) or int(header.fields["intent_code"]) == INTENT_LABEL


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name.rsplit(".", 1)[0]


def _describe(header: Header, path: Path) -> tuple[geometry.Affine, dict[str, Any]]:
    """Place and facts."""
    fields = header.fields
    try:
        affine, notes = place(header)
    except InputError as problem:
        raise InputError(f"{path.name}: {problem}") from problem
    meta: dict[str, Any] = {
        "format": "NIfTI",
        "qform_code": int(fields["qform_code"]),
        "sform_code": int(fields["sform_code"]),
        "warnings": [*header.notes, *notes, *odd_place(affine, (*header.shape, 1, 1)[2::-1])],
    }
    if "t" in arrange_shape(header, path.name)[1] and (step := time_step(header)):
        meta["time_step_s"] = step
    if header.stored.names:
        meta["colour"] = "".join(header.stored.names)
    description = bytes(fields["descrip"]).split(b"\0")[0].decode("latin-1").strip()
    if description and not header.labels:
        meta["description"] = description
    return affine, meta
