"""One door for every file format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io import afni, mgh
from napari_resmed.io.dicom import find_series, read_series
from napari_resmed.io.dicom.write import write_series
from napari_resmed.io.itk import SUFFIXES as ITK_SUFFIXES
from napari_resmed.io.itk import open_itk, write_itk
from napari_resmed.io.kind import settle_kind
from napari_resmed.io.nifti import is_nifti, peek_nifti, read_nifti, write_nifti
from napari_resmed.io.peek import Peek
from napari_resmed.io.stored_image import StoredImage
from napari_resmed.io.whole_file import check_place
from napari_resmed.volume import Volume

__all__ = [
    "ENDINGS",
    "ITK_SUFFIXES",
    "check_not_input",
    "check_target",
    "is_dicom",
    "is_image_name",
    "is_readable",
    "peek",
    "read",
    "write",
]

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# What an image file's name may end in; the longest of those that fit stands first.
ENDINGS = (
    *(".nii.gz", ".img.gz", ".hdr.gz", ".nii", ".img", ".hdr"),
    *ITK_SUFFIXES,
    *mgh.SUFFIXES,
    *reversed(afni.SUFFIXES),
    *_DICOM_SUFFIXES,
)
WRITABLE_FILES = ".nii.gz, .nii, .nrrd, .mha"
WRITABLE = f"{WRITABLE_FILES}, or a folder name without suffix for DICOM"


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its mark at byte 128, or by its suffix where the mark is missing."""
    try:
        with path.open("rb") as file:
            file.seek(128)
            return file.read(4) == b"DICM" or path.suffix.lower() in _DICOM_SUFFIXES
    except OSError:
        return False


def is_image_name(path: Path) -> bool:
    """Whether the name is that of an image file that can be read, other than DICOM."""
    return is_nifti(path) or path.name.lower().endswith((*ITK_SUFFIXES, *mgh.SUFFIXES, *afni.SUFFIXES))


def is_readable(path: Path) -> bool:
    """Whether the name is that of an image file that can be read, or the file is DICOM."""
    return is_image_name(path) or is_dicom(path)


def read(path: Path | str, series: str = "", *, magnitude: bool = False) -> Volume:
    """Read one image.

    Parameters
    ----------
    path:
        An image file, or a folder of DICOM files.
    series:
        Which series of a folder, as ``id`` from :func:`find_images`; may be left out where there is one.
    magnitude:
        Of complex numbers, take the magnitude; without it they are refused.

    Returns
    -------
    Volume
        Never resampled; a ``LabelMap`` where the file holds labels.

    Raises
    ------
    InputError
        If there is nothing there, it is no image, it is damaged, or the choice is not clear.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_file() and is_nifti(path):
        return read_nifti(path, magnitude=magnitude)
    if path.is_file() and (stored := _open_stored(path)):
        return settle_kind(stored.read(), path)
    if path.is_file() and path.name.lower().endswith(afni.SUFFIXES):
        return settle_kind(afni.read_afni(path), path)
    if path.is_file() and not is_dicom(path):
        raise InputError(
            f"{path.name} is not a medical image that can be read; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM"
        )
    found = find_series(path)
    if series:
        found = [entry for entry in found if entry.id == series]
        if not found:
            raise InputError(f"{path.name} holds no series {series!r}; `napari-resmed info` lists them")
    readable = [entry for entry in found if not entry.problem]
    if not readable:
        reasons = "; ".join(dict.fromkeys(entry.problem for entry in found))
        raise InputError(f"{path.name} holds no series that can be read: {reasons}")
    if len(readable) > 1:
        names = ", ".join(f"{entry.id} ({entry.description or entry.modality})" for entry in readable[:5])
        more = f" and {len(readable) - 5} more" if len(readable) > 5 else ""
        raise InputError(f"{path.name} holds {len(readable)} series: {names}{more}; choose one with --series")
    return read_series(readable[0])


def peek(path: Path) -> Peek | None:
    """What an image file holds, reading its header and few voxels; None where all of it must be read.

    Raises
    ------
    InputError
        As :func:`read`, as far as it shows up to there.
    """
    if is_nifti(path):
        return peek_nifti(path)
    stored = _open_stored(path)
    return stored.peek() if stored else None


def _open_stored(path: Path) -> StoredImage | None:
    """The formats that are a header and voxels, and no more."""
    name = path.name.lower()
    if name.endswith(ITK_SUFFIXES):
        return open_itk(path)
    return mgh.open_mgh(path) if name.endswith(mgh.SUFFIXES) else None


def check_not_input(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is being read.

    Raises
    ------
    InputError
        If the target is one of the inputs.
    """
    if target.exists() and any(path.exists() and target.samefile(path) for path in inputs):
        raise InputError(f"{target} is the image itself; choose another name, so that it is not lost")


def check_target(path: Path) -> None:
    """Refuse, before any work is done, a file name or place that an image cannot be written to.

    Raises
    ------
    InputError
        If the ending is not one we write, or nothing can be written there.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz", *ITK_SUFFIXES)):
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected {WRITABLE_FILES}")
    check_place(path)


def write(volume: Volume, path: Path | str) -> None:
    """Write one image in the format its name says; the whole file or nothing.

    Parameters
    ----------
    volume:
        What to write.
    path:
        ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, or a new folder (no suffix) for a DICOM series.

    Raises
    ------
    InputError
        If the format is unknown, cannot hold the volume, or nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(volume, path)
    elif path.suffix.lower() in ITK_SUFFIXES:
        write_itk(volume, path)
    elif not path.suffix:
        write_series(volume, path)
    else:
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected {WRITABLE}")
