"""Where the voxels of a NIfTI file lie: sform, qform or neither, and what is odd about it.

Section "3D image (volume) orientation and location in space" of ``nifti1.h``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.nifti.header import Header

__all__ = ["FORMS_DIFFER_MM", "forms_apart", "place", "time_step"]

_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # metre, millimetre, micron; other codes say nothing
_SECONDS_PER_UNIT = {8: 1.0, 16: 1e-3, 24: 1e-6}
# sform and qform that move a corner of the volume apart by more than this contradict each other.
FORMS_DIFFER_MM = 0.1
# Squares of a quaternion's first part below this are zero: float32 cannot tell them from it (nibabel's limit too,
# so that a half turn is the same half turn for both).
_HALF_TURN = 3 * float(np.finfo(np.float32).eps)
# Stated voxel sizes that differ from the sform's by more than this share: beyond what printing loses.
_SIZES_DIFFER = 0.01


@np.errstate(all="ignore")  # what is not finite is refused
def place(header: Header) -> tuple[geometry.Affine, list[str]]:
    """The affine in the house's convention, and what a person should know of it.

    Returns
    -------
    affine, notes
        4x4, index ``(z, y, x)`` to LPS mm; a sentence for each contradiction.

    Raises
    ------
    InputError
        If what the header says is no place at all.
    """
    fields = header.fields
    shape = (*header.shape, 1, 1)[:3]
    mm = _MM_PER_UNIT.get(int(fields["xyzt_units"]) & 7, 1.0)
    sform = _usable(_sform(fields), mm, shape) if int(fields["sform_code"]) > 0 else None
    qform = _usable(_qform(fields, shape), mm, shape) if int(fields["qform_code"]) > 0 else None
    has_sform, has_qform = int(fields["sform_code"]) > 0, int(fields["qform_code"]) > 0
    if sform is not None:
        if has_qform and qform is None:
            return sform, ["the qform is unreadable; the sform was taken"]
        if qform is not None and (apart := forms_apart(sform, qform, shape[::-1])) > FORMS_DIFFER_MM:
            return sform, [f"sform and qform differ by up to {apart:.1f} mm; the sform was taken"]
        return sform, [] if qform is not None else _sizes_differ(fields, sform, mm, shape)
    if qform is not None:
        return qform, ["the sform is unreadable; the qform was taken"] if has_sform else []
    if has_sform or has_qform:
        # Says why: NaN, infinity or flat.
        return geometry.check_affine((_sform if has_sform else _qform)(fields, shape)), []
    return _bare(fields, shape, mm), [
        "the header gives no place in the patient (sform and qform code 0): only voxel sizes are known; left and "
        "right, front and back are a guess"
    ]


def time_step(header: Header) -> float | None:
    """Seconds between two time points; None where the header does not say."""
    unit = _SECONDS_PER_UNIT.get(int(header.fields["xyzt_units"]) & 0x38)
    step = float(header.fields["pixdim"][4])
    return step * unit if unit and math.isfinite(step) and step > 0 else None


def forms_apart(first: geometry.Affine, second: geometry.Affine, shape: tuple[int, ...]) -> float:
    """How far the second affine moves a corner of the volume from where the first puts it."""
    return float(np.abs(geometry.corners(first, shape) - geometry.corners(second, shape)).max())


def _sform(fields: Any, _: tuple[int, ...] = ()) -> geometry.Affine:
    affine = np.eye(4)
    affine[:3] = [fields[row].astype(np.float64) for row in ("srow_x", "srow_y", "srow_z")]
    return affine


def _qform(fields: Any, shape: tuple[int, ...]) -> geometry.Affine:
    b, c, d = (float(fields[name]) for name in ("quatern_b", "quatern_c", "quatern_d"))
    affine = np.full((4, 4), np.nan)
    length = b * b + c * c + d * d
    # Rounding takes three numbers of float32 a little over length 1; anything further is no rotation.
    if not length <= 1 + 1e-5:
        return affine
    a = math.sqrt(1 - length) if 1 - length > _HALF_TURN else 0.0
    norm = math.sqrt(a * a + length)
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sizes = np.abs(fields["pixdim"][1:4].astype(np.float64))
    sizes[(sizes == 0) & (np.array(shape) == 1)] = 1.0  # of a 2D image
    rotation[:, 2] *= -1 if float(fields["pixdim"][0]) < 0 else 1  # qfac
    affine[:3, :3] = rotation * sizes
    affine[:3, 3] = [float(fields[name]) for name in ("qoffset_x", "qoffset_y", "qoffset_z")]
    affine[3] = 0, 0, 0, 1
    return affine


def _usable(ras: geometry.Affine, mm: float, shape: tuple[int, ...]) -> geometry.Affine | None:
    """The affine as ours, in mm; None where it is no place."""
    if not np.isfinite(ras).all():
        return None
    matrix = np.diag([mm] * 3 + [1.0]) @ ras
    columns = matrix[:3, :3]
    if shape[2] == 1 and not columns[:, 2].any():  # a 2D image whose third axis nobody filled in
        normal = np.cross(columns[:, 0], columns[:, 1])
        columns[:, 2] = normal / (np.linalg.norm(normal) or 1.0)
    try:
        return geometry.check_affine(geometry.ras_to_lps(matrix))
    except InputError:
        return None


def _bare(fields: Any, shape: tuple[int, ...], mm: float) -> geometry.Affine:
    """Voxel sizes alone, around the middle of the volume; axes as in Analyze: Left, Anterior, Superior."""
    sizes = np.abs(fields["pixdim"][1:4].astype(np.float64))
    sizes[(sizes == 0) & (np.array(shape) == 1)] = 1.0
    affine = np.diag([*sizes * mm * (-1, 1, 1), 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return geometry.check_affine(geometry.ras_to_lps(affine))


def _sizes_differ(fields: Any, sform: geometry.Affine, mm: float, shape: tuple[int, ...]) -> list[str]:
    stated = [abs(float(size)) * mm for size in fields["pixdim"][3:0:-1]]
    found = geometry.spacing(sform)
    if all(
        not size or count == 1 or abs(size - edge) <= _SIZES_DIFFER * edge
        for size, edge, count in zip(stated, found, shape[::-1], strict=True)
    ):
        return []
    said, taken = (" x ".join(f"{edge:.4g}" for edge in reversed(edges)) for edges in (stated, found))
    return [f"the header says voxels of {said} mm, its sform {taken} mm; the sform was taken"]
