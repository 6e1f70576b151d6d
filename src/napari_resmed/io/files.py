"""One door for every file format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.below import files_below
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.io.dicom.places import is_archive
from napari_resmed.io.dicom.write import check_folder, write_series
from napari_resmed.io.image_file import ENDINGS as IMAGE_ENDINGS
from napari_resmed.io.image_file import is_image_name, read_image
from napari_resmed.io.itk import SUFFIXES as ITK_SUFFIXES
from napari_resmed.io.itk import write_itk
from napari_resmed.io.mgh import SUFFIXES as MGH_SUFFIXES
from napari_resmed.io.mgh import write_mgh
from napari_resmed.io.nifti import write_nifti
from napari_resmed.io.seg_nrrd import SUFFIX as SEGMENTS_SUFFIX
from napari_resmed.io.seg_nrrd import is_seg_nrrd, read_seg_nrrd, write_seg_nrrd
from napari_resmed.io.whole_file import check_place
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = [
    "ENDINGS",
    "FILE_ENDINGS",
    "HOLDS_SEVERAL",
    "ITK_SUFFIXES",
    "check_not_input",
    "check_output",
    "check_target",
    "is_dicom",
    "is_image_name",
    "is_readable",
    "is_study",
    "read",
    "read_all",
    "write",
]

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# What a file that holds several label maps ends in.
HOLDS_SEVERAL = (SEGMENTS_SUFFIX, *_DICOM_SUFFIXES)
# What holds one volume and is written.
FILE_ENDINGS = (".nii.gz", ".nii", *ITK_SUFFIXES, *MGH_SUFFIXES)
# How many of the things that were left out are told one by one.
_TOLD = 3
# What an image file's name may end in; the longest of those that fit stands first.
ENDINGS = (SEGMENTS_SUFFIX, *IMAGE_ENDINGS, *_DICOM_SUFFIXES)
WRITABLE_FILES = ".nii.gz, .nii, .nrrd, .mha, .mgz"
WRITABLE_LABELS = f"{WRITABLE_FILES}, .seg.nrrd, or .dcm for a DICOM segmentation"
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
    return is_image_name(path) or is_study(path)


def read(
    path: Path | str,
    series: str = "",
    like: Path | str | None = None,
    *,
    irregular: str = "",
    magnitude: bool = False,
) -> Volume:
    """Read one image or label map.

    Parameters
    ----------
    path:
        An image file, or a folder, a DICOMDIR or a zip archive of DICOM files.
    series:
        Which series of a folder, or which map of a file with several, as ``id`` from :func:`find_images`; may be
        left out where there is one. Where a folder holds one image series and segmentations of it, the image is
        read.
    like:
        Where the image series is that a DICOM segmentation or structure set belongs to, if it is not in its folder.
    irregular:
        What to do about DICOM slices that form no regular grid: ``"largest-block"`` or ``"resample"``; empty
        refuses them.
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
    path, series = _named_in(_there(path), series)
    if path.is_file() and is_seg_nrrd(path):
        return _choose(read_seg_nrrd(path), path.name, series)
    if not _holds_dicom(path):
        if series and series != path.name:
            raise InputError(f"{path.name} holds one image and no series {series!r}; leave --series out")
        return read_image(path, magnitude=magnitude)
    every = find_series(path)
    identity, _, part = series.partition(":")
    found = [entry for entry in every if not series or entry.id == identity]
    if not found:
        raise InputError(f"{path.name} holds no series {series!r}; `napari-resmed info` lists them")
    remedy = irregular.replace("-", "_")
    pictures = [entry for entry in found if entry.kind == "image"]
    readable = [entry for entry in pictures if not entry.problem]
    readable = readable or [entry for entry in pictures if remedy in entry.remedies]
    # Labels of an image that cannot be read are not what was asked for.
    readable = readable or ([] if pictures else [entry for entry in found if entry.kind == "labels"])
    if not readable:
        reasons = "; ".join(dict.fromkeys(entry.problem + _ways_out(entry) for entry in found))
        raise InputError(f"{path.name} holds no series that can be read: {reasons}")
    if len(readable) > 1:
        names = ", ".join(f"{entry.id} ({entry.description or entry.modality})" for entry in readable[:5])
        more = f" and {len(readable) - 5} more" if len(readable) > 5 else ""
        raise InputError(f"{path.name} holds {len(readable)} series: {names}{more}; choose one with --series")
    if readable[0].kind == "labels":
        from napari_resmed.io.dicom.objects import read_part

        return read_part(readable[0], part, _images(path, every, like))
    volume = read_series(readable[0], remedy if readable[0].problem else "")
    return _with_notes(volume, _left_out(path, every, readable[0]))


def _ways_out(series: Series) -> str:
    """What a person can ask for where slices form no regular grid."""
    does = {
        "largest_block": "--irregular largest-block reads the largest regular part",
        "resample": "--irregular resample interpolates between slices",
    }
    ways = ", ".join(does[remedy] for remedy in series.remedies)
    return f"; {ways}" if ways else ""


def _left_out(path: Path, found: Sequence[Series], chosen: Series) -> list[str]:
    """What lies beside a series and may be a part of it: a damaged slice at its end leaves no gap."""
    if not path.is_dir():
        return []
    # Reports and the like beside a series are no part of it; what does not say of which series it is may be.
    uids = ("", chosen.slices[0].series_uid)
    own = [entry for entry in found if entry.kind == "image" or entry.slices[0].series_uid in uids]
    broken = [entry.problem for entry in own if entry is not chosen and entry.problem]
    listed = {file for entry in found for file in entry.files}
    unread = sorted(
        file.name for file in files_below(path) if file.suffix.lower() in _DICOM_SUFFIXES and file not in listed
    )
    broken += [f"{name} is no DICOM file, though its name says so" for name in unread]
    more = [f"{len(broken) - _TOLD} more files or series"] if len(broken) > _TOLD else []
    return [f"left out: {reason}" for reason in (*broken[:_TOLD], *more)]


def _with_notes(volume: Volume, notes: list[str]) -> Volume:
    if not notes:
        return volume
    return replace(volume, meta={**volume.meta, "warnings": [*volume.meta.get("warnings", ()), *notes]})


def read_all(path: Path | str, series: str = "", like: Path | str | None = None) -> list[Volume]:
    """Read everything that a path holds, or that one of its series holds: every image, every label map.

    Parameters
    ----------
    path, series, like:
        As for :func:`read`.

    Returns
    -------
    list of Volume
        At least one. Series of a folder that cannot be read are left out, unless none can: :func:`find_images`
        says why.

    Raises
    ------
    InputError
        As for :func:`read`.
    """
    path, series = _named_in(_there(path), series)
    if path.is_file() and is_seg_nrrd(path) and not series:
        return list(read_seg_nrrd(path))
    if not _holds_dicom(path) or ":" in series:
        return [read(path, series, like)]
    every = find_series(path)
    found = [entry for entry in every if not series or entry.id == series]
    volumes: list[Volume] = []
    for entry in found:
        if entry.kind == "labels":
            from napari_resmed.io.dicom.objects import read_objects

            try:
                volumes += read_objects(entry, _images(path, every, like))
            except InputError:
                if len(found) == 1:
                    raise
        elif not entry.problem:
            volumes.append(read_series(entry))
    return volumes or [read(path, series, like)]


def _there(path: Path | str) -> Path:
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_file() and not path.is_dir():  # reading a pipe or a device may never end
        raise InputError(f"{path.name} is neither a file nor a folder; save the image to a file first")
    return path


def _named_in(path: Path, series: str) -> tuple[Path, str]:
    """The image file of a folder that has this id, and the id in it; else both as they are."""
    if not path.is_dir():
        return path, series
    name, _, part = series.rpartition(":")
    for wanted, inner in ((series, ""), (name, f":{part}")):
        if not is_image_name(Path(wanted)):
            continue
        file = path / wanted
        if not file.is_file():
            # The name alone will do where there is one of it.
            found = [one for one in files_below(path) if one.name == wanted]
            if len(found) > 1:
                ids = ", ".join(one.relative_to(path).as_posix() for one in found[:_TOLD])
                raise InputError(f"{path.name} holds {len(found)} files named {wanted}: {ids}; choose one of these ids")
            if not found:
                continue
            file = found[0]
        return file, file.name + inner
    return path, series


def _holds_dicom(path: Path) -> bool:
    """Whether a path is DICOM's business, and not that of a format of one file."""
    if path.is_dir():
        return True
    if is_image_name(path):
        return False
    if not is_study(path):
        raise InputError(
            f"{path.name} is not a medical image that can be read; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM"
        )
    return True


def _images(path: Path, found: list[Series], like: Path | str | None) -> list[Series]:
    """The series among which the image that an object refers to may be."""
    if like:
        return find_series(like)
    # Of a single file, the series found are the object alone.
    return found if path.is_dir() or is_archive(path) else find_series(path.parent)


def _choose(maps: Sequence[LabelMap], name: str, identity: str) -> LabelMap:
    ids = [name] if len(maps) == 1 else [f"{name}:{number + 1}" for number in range(len(maps))]
    if identity in ids:
        return maps[ids.index(identity)]
    if identity:
        raise InputError(f"{name} holds no label map {identity!r}; `napari-resmed info` lists them")
    if len(maps) > 1:
        raise InputError(f"{name} holds {len(maps)} label maps: {', '.join(ids[:5])}; choose one with --series")
    return maps[0]


def check_not_input(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is being read.

    Raises
    ------
    InputError
        If the target is one of the inputs.
    """
    if target.exists() and any(path.exists() and target.samefile(path) for path in inputs):
        raise InputError(f"{target} is the image itself; choose another name, so that it is not lost")


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
    if source is not None and name.endswith(_DICOM_SUFFIXES):
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
    if name.endswith(_DICOM_SUFFIXES):
        _check_is_dicom(path, like)
    elif not path.suffix:
        check_folder(path)
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

    Parameters
    ----------
    volume:
        What to write. Several label maps of one grid go into one ``.seg.nrrd`` or ``.dcm``.
    path:
        ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.mgz``; for label maps ``.seg.nrrd`` (3D Slicer) or ``.dcm``
        (DICOM segmentation); or a new folder (no suffix) for a DICOM series.
    like, series:
        For ``.dcm``: the folder of the DICOM series that was segmented, and which series of it.

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
        write_series(volume, path)
    else:
        raise InputError(f"cannot write {path.name}: found the ending {path.suffix!r}, expected {WRITABLE}")


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
