"""What can be written where: asked before any work is done, and done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io import dicom
from napari_resmed.io.formats import DICOM_SUFFIXES, HOLDS_SEVERAL, is_study
from napari_resmed.io.itk import SUFFIXES as ITK_SUFFIXES
from napari_resmed.io.itk import write_itk
from napari_resmed.io.mgh import SUFFIXES as MGH_SUFFIXES
from napari_resmed.io.mgh import write_mgh
from napari_resmed.io.nifti import write_nifti
from napari_resmed.io.provenance import provenance_path, renew_provenance
from napari_resmed.io.seg_nrrd import SUFFIX as SEGMENTS_SUFFIX
from napari_resmed.io.seg_nrrd import write_seg_nrrd
from napari_resmed.io.whole_file import check_place
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["FILE_ENDINGS", "check_apart", "check_not_input", "check_output", "check_target", "write"]

# What holds one volume and is written.
FILE_ENDINGS = (".nii.gz", ".nii", *ITK_SUFFIXES, *MGH_SUFFIXES)
WRITABLE_FILES = ".nii.gz, .nii, .nrrd, .mha, .mgz"
WRITABLE_LABELS = f"{WRITABLE_FILES}, .seg.nrrd, or .dcm for a DICOM segmentation"
WRITABLE = f"{WRITABLE_FILES}, or a folder name without suffix for DICOM"


def check_not_input(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is being read.

    Raises
    ------
    InputError
        If the target is one of the inputs.
    """
    if target.exists() and any(path.exists() and target.samefile(path) for path in inputs):
        raise InputError(f"{target} is itself read; choose another name, so that it is not lost")


def check_apart(targets: Iterable[Path]) -> None:
    """Refuse to write one result over another, or over the note beside it.

    Raises
    ------
    InputError
        If two of the targets, or a target and the note of another, are one file.
    """
    taken: set[Path] = set()
    for path in targets:
        places = {path.resolve(), provenance_path(path).resolve()}
        if places & taken:
            raise InputError(f"two results would be written to {path}; give each a file of its own")
        taken |= places


def check_target(path: Path, source: Path | None = None) -> None:
    """Refuse, before any work is done, a file name or place that an image cannot be written to.

    Parameters
    ----------
    path:
        Where something will be written.
    source:
        For labels, the image that they are of: over DICOM, they can be written as a DICOM segmentation.

    Raises
    ------
    InputError
        If the ending is not one we write, or nothing can be written there.
    """
    name = path.name.lower()
    if source is not None and name.endswith(DICOM_SUFFIXES):
        if not _is_dicom_series(source):
            raise InputError(
                f"cannot write {path.name}: a DICOM segmentation is written over the DICOM series that was segmented, "
                f"and {source.name} is none; segment the series' folder itself, or choose .nii.gz or .seg.nrrd"
            )
    elif not name.endswith(FILE_ENDINGS):
        raise InputError(
            f"cannot write {path.name}: found the ending {path.suffix!r}, expected "
            f"{WRITABLE_FILES if source is None else WRITABLE_LABELS}"
        )
    check_place(path)


def check_output(path: Path, like: Path | None = None) -> None:
    """Refuse, before anything is read, what :func:`write` would refuse of any volume.

    Parameters
    ----------
    path, like:
        As for :func:`write`.

    Raises
    ------
    InputError
        If the ending is not one we write, or nothing can be written there.
    """
    name = path.name.lower()
    if name.endswith(DICOM_SUFFIXES):
        _check_is_dicom(path, like)
    elif not path.suffix:
        dicom.check_folder(path)
        return
    elif not name.endswith((SEGMENTS_SUFFIX, *FILE_ENDINGS)):
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected {WRITABLE}")
    check_place(path)


def _is_dicom_series(source: Path) -> bool:
    return source.is_dir() or is_study(source)


def _check_is_dicom(path: Path, source: Path | None) -> None:
    if source is None or not _is_dicom_series(source):
        raise InputError(
            f"cannot write {path.name}: a DICOM segmentation is written over the DICOM series that was segmented; "
            "give its folder with --like, or choose .nii.gz or .seg.nrrd"
        )


def write(
    volume: Volume | Sequence[LabelMap], path: Path | str, like: Path | str | None = None, series: str = ""
) -> None:
    """Write one image, or label maps, in the format that the name says; the whole file or nothing.

    A note beside a file that is written over (``FILE.resmed.json``) is written anew, or goes.

    Parameters
    ----------
    volume:
        What to write. Several label maps of one grid go into one ``.seg.nrrd`` or ``.dcm``.
    path:
        ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.mgz``; for label maps ``.seg.nrrd`` (3D Slicer) or ``.dcm``
        (DICOM segmentation); or a new folder (no suffix) for a DICOM series.
    like, series:
        What was segmented. For ``.dcm`` the folder of the DICOM series, and which series of it; else only a note that
        is written anew says its file's name.

    Raises
    ------
    InputError
        If the format is unknown, cannot hold the volume, or nothing can be written there.
    WorkError
        If writing fails half-way.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(HOLDS_SEVERAL):
        _write_labels([volume] if isinstance(volume, Volume) else volume, path, like, series)
        renew_provenance(path)
        return
    if not isinstance(volume, Volume):
        if len(volume) != 1:
            raise InputError(f"{path.name} holds one label map, found {len(volume)}; write .seg.nrrd or .dcm instead")
        volume = volume[0]
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(volume, path)
    elif name.endswith(ITK_SUFFIXES):
        write_itk(volume, path)
    elif name.endswith(MGH_SUFFIXES):
        write_mgh(volume, path)
    elif not path.suffix:
        dicom.write_series(volume, path)
    else:
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected {WRITABLE}")
    renew_provenance(path, volume, None if like is None else Path(like))


def _write_labels(maps: Sequence[Volume], path: Path, like: Path | str | None, series: str) -> None:
    labels = [one for one in maps if isinstance(one, LabelMap)]
    if len(labels) < len(maps):
        raise InputError(f"cannot write {path.name}: this ending is for labels, found an image; expected {WRITABLE}")
    if path.name.lower().endswith(SEGMENTS_SUFFIX):
        write_seg_nrrd(labels, path)
        return
    _check_is_dicom(path, Path(like) if like else None)
    from napari_resmed.io.dicom.objects import write_segmentation

    write_segmentation(labels, path, Path(like) if like else "", series)
