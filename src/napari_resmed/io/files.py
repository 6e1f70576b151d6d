"""One door for every file format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.io.dicom.places import is_archive
from napari_resmed.io.dicom.write import write_series
from napari_resmed.io.itk import SUFFIXES as ITK_SUFFIXES
from napari_resmed.io.itk import read_itk, write_itk
from napari_resmed.io.kind import settle_kind
from napari_resmed.io.nifti import is_nifti, read_nifti, write_nifti
from napari_resmed.io.whole_file import check_place
from napari_resmed.volume import Volume

__all__ = [
    "ENDINGS",
    "ITK_SUFFIXES",
    "check_not_input",
    "check_target",
    "is_dicom",
    "is_readable",
    "is_study",
    "read",
    "write",
]

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# What an image file's name may end in; the longest of those that fit stands first.
ENDINGS = (".nii.gz", ".img.gz", ".hdr.gz", ".nii", ".img", ".hdr", *ITK_SUFFIXES, *_DICOM_SUFFIXES)
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


def is_study(path: Path) -> bool:
    """Whether a file is DICOM, an index of such files, or an archive that may hold some."""
    return is_dicom(path) or is_archive(path)


def is_readable(path: Path) -> bool:
    """Whether the name is that of an image file that can be read, or the file is DICOM or a zip archive."""
    return is_nifti(path) or path.suffix.lower() in ITK_SUFFIXES or is_study(path)


def read(path: Path | str, series: str = "", *, irregular: str = "") -> Volume:
    """Read one image.

    Parameters
    ----------
    path:
        An image file, or a folder, a DICOMDIR or a zip archive of DICOM files.
    series:
        Which series of a folder, as ``id`` from :func:`find_images`; may be left out where there is one.
    irregular:
        What to do about DICOM slices that form no regular grid: ``"largest-block"`` or ``"resample"``; empty
        refuses them.

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
        return read_nifti(path)
    if path.is_file() and path.suffix.lower() in ITK_SUFFIXES:
        return settle_kind(read_itk(path), path)
    if path.is_file() and not is_study(path):
        raise InputError(
            f"{path.name} is not a medical image that can be read; expected NIfTI, NRRD, MetaImage or DICOM"
        )
    found = find_series(path)
    if series:
        found = [entry for entry in found if entry.id == series]
        if not found:
            raise InputError(f"{path.name} holds no series {series!r}; `napari-resmed info` lists them")
    remedy = irregular.replace("-", "_")
    readable = [entry for entry in found if not entry.problem]
    readable = readable or [entry for entry in found if remedy in entry.remedies]
    if not readable:
        reasons = "; ".join(dict.fromkeys(entry.problem + _ways_out(entry) for entry in found))
        raise InputError(f"{path.name} holds no series that can be read: {reasons}")
    if len(readable) > 1:
        names = ", ".join(f"{entry.id} ({entry.description or entry.modality})" for entry in readable[:5])
        more = f" and {len(readable) - 5} more" if len(readable) > 5 else ""
        raise InputError(f"{path.name} holds {len(readable)} series: {names}{more}; choose one with --series")
    return read_series(readable[0], remedy if readable[0].problem else "")


def _ways_out(series: Series) -> str:
    """What a person can ask for where slices form no regular grid."""
    does = {
        "largest_block": "--irregular largest-block reads the largest regular part",
        "resample": "--irregular resample interpolates between slices",
    }
    ways = ", ".join(does[remedy] for remedy in series.remedies)
    return f"; {ways}" if ways else ""


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
