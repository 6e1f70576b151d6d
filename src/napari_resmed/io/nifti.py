"""NIfTI files to volumes and back, exactly.

NIfTI stores x first and points to Right, Anterior, Superior; here, and nowhere else, that is turned into
the house's ``(z, y, x)`` and LPS.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io import label_table
from napari_resmed.io.kind import settle_kind
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["is_nifti", "read_nifti", "write_nifti"]

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".hdr.gz")
_MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_INTENT_LABEL = 1002
# sform and qform that move a corner of the volume apart by more than this contradict each other.
FORMS_DIFFER_MM = 0.1


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.lower().endswith(_SUFFIXES)


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file.

    Parameters
    ----------
    path:
        ``.nii``, ``.nii.gz`` or one of a ``.hdr``/``.img`` pair.

    Returns
    -------
    Volume
        Stored voxels with scaling applied, no resampling; a :class:`LabelMap` where the file says or shows
        that it is one. Axes: the fourth NIfTI dimension is time, the fifth channels.

    Raises
    ------
    InputError
        If the file is missing, truncated, no NIfTI, complex-valued, or has no usable place in the patient.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = nib.load(path, mmap=False)  # a mapped file cut short by others would crash us
            if not isinstance(image, nib.Nifti1Pair):  # the base of all of NIfTI's classes
                raise InputError(
                    f"{path.name} is {type(image).__name__.removesuffix('Image')} rather than NIfTI: it does not "
                    "say for certain where left is; convert it with the program that made it"
                )
            data, axes = _voxels(image, path)
    except InputError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise InputError(f"{path.name} is truncated or damaged: the compressed data end early") from problem
    except (ImageFileError, HeaderDataError) as problem:
        raise InputError(f"{path.name} is not a NIfTI image, though its name says so") from problem
    except MemoryError as problem:
        raise InputError(f"{path.name} says it is larger than this machine's memory") from problem
    except (OSError, ValueError, KeyError, OverflowError) as problem:
        raise InputError(f"{path.name} cannot be read: it is truncated or damaged") from problem
    header = image.header
    affine = np.diag([_mm_per_unit(header)] * 3 + [1.0]) @ image.affine
    notes = _contradictions(image)
    try:
        place = geometry.check_affine(geometry.ras_to_lps(affine))
    except InputError as problem:
        raise InputError(f"{path.name}: {problem}") from problem
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    meta: dict[str, Any] = {
        "format": "NIfTI",
        "qform_code": int(header["qform_code"]),
        "sform_code": int(header["sform_code"]),
        "warnings": notes,
    }
    if "t" in axes and (step := _time_step(header)):
        meta["time_step_s"] = step
    description = bytes(header["descrip"]).split(b"\0")[0].decode("latin-1").strip()
    table = label_table.read(header.extensions)
    if description and not table:
        meta["description"] = description
    volume = Volume(data, place, axes, name=stem, meta=meta)
    says_labels = bool(table) or int(header["intent_code"]) == _INTENT_LABEL
    return settle_kind(volume, path, LabelSet(table), says_labels)


def _voxels(image: Any, path: Path) -> tuple[NDArray[Any], str]:
    """Voxels in house order, and their axes."""
    stored = image.get_data_dtype()
    if stored.kind == "c":
        raise InputError(f"{path.name} holds complex numbers; save its magnitude (or phase) and open that")
    if 0 in image.shape or len(image.shape) == 0:
        raise InputError(f"{path.name} holds no voxels: its size is {tuple(image.shape)}")
    array = np.asarray(image.dataobj)
    if array.dtype.names:  # RGB or RGBA, one record a voxel
        array = np.stack([array[channel] for channel in array.dtype.names], -1)
        while array.ndim < 4:
            array = np.expand_dims(array, -2)
        array = array.reshape(*array.shape[:3], 1, -1) if array.ndim == 4 else array
    elif array.dtype == np.float64 and (stored.itemsize <= 2 or stored == np.float32):
        array = array.astype(np.float32)  # 16 bits times a header's float32 slope hold no more than that
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    while array.ndim < 3:
        array = array[..., None]
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim > 5:
        raise InputError(f"{path.name} has {array.ndim} dimensions {array.shape}; at most 5 can be opened")
    house = array.transpose(*range(array.ndim - 1, 2, -1), 2, 1, 0)
    # NIfTI's fourth dimension is time, its fifth whatever else a voxel holds: (c, t, z, y, x) reversed.
    if house.ndim == 5:
        house = house.swapaxes(0, 1)
        return (house[0], "czyx") if house.shape[0] == 1 else (house, "tczyx")
    return house, {3: "zyx", 4: "tzyx"}[house.ndim]


def _mm_per_unit(header: Any) -> float:
    try:
        return _MM_PER_UNIT[header.get_xyzt_units()[0]]
    except KeyError:  # a code the standard does not know says nothing
        return 1.0


def _time_step(header: Any) -> float | None:
    """Seconds between two time points; None where the header does not say."""
    try:
        unit = _SECONDS_PER_UNIT[header.get_xyzt_units()[1]]
    except KeyError:
        return None
    step = float(header.get_zooms()[3]) * unit
    return step if step > 0 else None


def _contradictions(image: Any) -> list[str]:
    header = image.header
    if not (int(header["sform_code"]) and int(header["qform_code"])):
        return []
    try:
        apart = _forms_apart(image)
    except Exception:  # a broken qform beside a good sform: the sform is what counts
        return ["the qform is unreadable; the sform was taken"]
    if apart <= FORMS_DIFFER_MM:
        return []
    return [f"sform and qform differ by up to {apart:.1f} mm; the sform was taken"]


def _forms_apart(image: Any) -> float:
    """How far the qform moves a corner of the volume from where the sform puts it, in the header's unit."""
    shape = (*image.shape, 1, 1, 1)[2::-1]
    sform, qform = (geometry.ras_to_lps(form) for form in (image.header.get_sform(), image.header.get_qform()))
    return float(np.abs(geometry.corners(sform, shape) - geometry.corners(qform, shape)).max())


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a volume as NIfTI-1 (NIfTI-2 where a dimension exceeds 32 767).

    The same voxels and the same affine come back from :func:`read_nifti`. Names and colours of a label map
    travel in a header extension, the one TotalSegmentator and Connectome Workbench use.

    Parameters
    ----------
    volume:
        What to write.
    path:
        ``.nii`` or ``.nii.gz``; replaced whole or left as it was.

    Raises
    ------
    InputError
        If nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    data = volume.data
    if volume.axes == "czyx":
        data = data[None]
    if data.ndim == 5:
        data = data.swapaxes(0, 1)
    array = data.transpose(*range(data.ndim - 1, data.ndim - 4, -1), *range(data.ndim - 4, -1, -1))
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype == bool:
        array = array.astype(np.uint8)
    affine = geometry.ras_to_lps(volume.affine)
    kind = nib.Nifti2Image if max(array.shape) > np.iinfo(np.int16).max else nib.Nifti1Image
    image = kind(array, affine, dtype=array.dtype)
    step = volume.meta.get("time_step_s") if "t" in volume.axes else None
    image.header.set_xyzt_units("mm", "sec" if step else None)
    if step:
        image.header.set_zooms((*image.header.get_zooms()[:3], float(step), *image.header.get_zooms()[4:]))
    code = int(volume.meta.get("sform_code") or 0) or int(volume.meta.get("qform_code") or 0) or 1
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    if _forms_apart(image) > FORMS_DIFFER_MM:
        image.set_qform(None, 0)  # a qform cannot hold shear: rather none than a wrong one
    if isinstance(volume, LabelMap):
        image.header["intent_code"] = _INTENT_LABEL
        if len(volume.labels):
            image.header.extensions.append(label_table.extension(volume.labels))
    with whole_file(path) as part:
        nib.save(image, part)
