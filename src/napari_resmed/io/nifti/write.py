"""Writing a NIfTI file that reads back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.io import label_table
from napari_resmed.io.nifti.place import FORMS_DIFFER_MM, forms_apart
from napari_resmed.io.nifti.read import INTENT_LABEL
from napari_resmed.io.source import deflating
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["write_nifti"]

_INTENT_VECTOR = 1007
_MOST_CODE = 5  # of the coordinate systems that nifti1.h names


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
    array = _stored(volume)
    affine = geometry.ras_to_lps(volume.affine)
    kind = nib.Nifti2Image if max(array.shape) > np.iinfo(np.int16).max else nib.Nifti1Image
    image = kind(array, affine, dtype=array.dtype)
    step = volume.meta.get("time_step_s") if "t" in volume.axes else None
    image.header.set_xyzt_units("mm", "sec" if step else None)
    if step:
        image.header.set_zooms((*image.header.get_zooms()[:3], float(step), *image.header.get_zooms()[4:]))
    stated = (volume.meta.get(name) for name in ("sform_code", "qform_code"))
    code = next((code for code in stated if isinstance(code, int) and 1 <= code <= _MOST_CODE), 1)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    shape = (*array.shape, 1, 1)[2::-1]
    if forms_apart(volume.affine, geometry.ras_to_lps(image.get_qform()), shape) > FORMS_DIFFER_MM:
        image.set_qform(None, 0)  # a qform cannot hold shear: rather none than a wrong one
    if "c" in volume.axes and not array.dtype.names:
        image.header["intent_code"] = _INTENT_VECTOR
    if isinstance(volume, LabelMap):
        image.header["intent_code"] = INTENT_LABEL
        if len(volume.labels):
            image.header.extensions.append(label_table.extension(volume.labels))
    with whole_file(path) as part, part.open("wb") as file:
        if not path.name.lower().endswith(".gz"):
            image.to_stream(file)
            return
        # No name and no time in it: the same image is the same file.
        with deflating(file) as stream:
            image.to_stream(stream)


def _stored(volume: Volume) -> NDArray[Any]:
    """The voxels as NIfTI has them: x first, channels after time, colour as one record a voxel."""
    data = volume.data
    colour = str(volume.meta.get("colour", ""))
    if volume.channels == len(colour) and colour in ("RGB", "RGBA") and data.dtype == np.uint8:
        record = np.dtype([(name, "u1") for name in colour])
        packed = np.ascontiguousarray(np.moveaxis(data, volume.axes.index("c"), -1))
        data = packed.view(record)[..., 0]
    elif "c" in volume.axes:
        data = data[:, None] if volume.axes == "czyx" else data.swapaxes(0, 1)
    if data.dtype == np.float16:
        data = data.astype(np.float32)
    elif data.dtype == bool:
        data = data.astype(np.uint8)
    return data.transpose(*range(data.ndim - 1, -1, -1))
