"""Formats of one image a file (or pair of files), told by name: NIfTI, NRRD, MetaImage, MGH, AFNI."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io import afni, itk, mgh
from napari_resmed.io.kind import settle_kind
from napari_resmed.io.nifti import is_nifti, peek_nifti, read_nifti
from napari_resmed.io.peek import Peek
from napari_resmed.io.stored_image import StoredImage
from napari_resmed.volume import Volume

__all__ = ["ENDINGS", "SECOND_HALVES", "is_image_name", "peek_image", "read_image"]

# The longest of those that fit stands first.
ENDINGS = (
    *(".nii.gz", ".img.gz", ".hdr.gz", ".nii", ".img", ".hdr"),
    *itk.SUFFIXES,
    *mgh.SUFFIXES,
    *reversed(afni.SUFFIXES),
)
# Of formats in pairs, the file of the voxels: its header stands for both.
SECOND_HALVES = (".img", ".img.gz", ".brik", ".brik.gz")


def is_image_name(path: Path) -> bool:
    """Whether the name is that of an image file that can be read, other than DICOM."""
    return path.name.lower().endswith(ENDINGS)


def read_image(path: Path, *, magnitude: bool = False) -> Volume:
    """Read a file of one of these formats.

    Parameters
    ----------
    path:
        The file, or either file of a pair.
    magnitude:
        Of complex numbers (NIfTI), take the magnitude; without it they are refused.

    Returns
    -------
    Volume
        Never resampled; a ``LabelMap`` where the file says or shows that it is one.

    Raises
    ------
    InputError
        If it is missing, damaged, cut off, longer than it says, or something else.
    """
    if is_nifti(path):
        return read_nifti(path, magnitude=magnitude)
    stored = _open_stored(path)
    return settle_kind(stored.read() if stored else afni.read_afni(path), path)


def peek_image(path: Path) -> Peek | None:
    """What a file holds, reading its header and few voxels; None where all of it must be read.

    Raises
    ------
    InputError
        As :func:`read_image`, as far as it shows up to there.
    """
    if is_nifti(path):
        return peek_nifti(path)
    stored = _open_stored(path)
    return stored.peek() if stored else None


def _open_stored(path: Path) -> StoredImage | None:
    """The formats that are a header and voxels, and no more."""
    name = path.name.lower()
    if not path.is_file():
        raise InputError(f"found no file {path.name}; check the path")
    if name.endswith(itk.SUFFIXES):
        return itk.open_itk(path)
    return mgh.open_mgh(path) if name.endswith(mgh.SUFFIXES) else None
