"""One door for every file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io import dicom
from napari_resmed.io.archive import is_archive
from napari_resmed.io.below import files_below
from napari_resmed.io.formats import CHOOSE_ONE, DICOM_SUFFIXES, ENDINGS, HOLDS_SEVERAL, is_dicom, is_readable, is_study
from napari_resmed.io.image_file import is_image_name, read_image
from napari_resmed.io.itk import SUFFIXES as ITK_SUFFIXES
from napari_resmed.io.seg_nrrd import is_seg_nrrd, read_seg_nrrd
from napari_resmed.io.targets import FILE_ENDINGS, check_apart, check_not_input, check_output, check_target, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = [
    "ENDINGS",
    "FILE_ENDINGS",
    "HOLDS_SEVERAL",
    "ITK_SUFFIXES",
    "check_apart",
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

# How a note begins that tells, by file names, what lies beside a series and was not read with it.
LEFT_OUT = "left out: "
# How many of the things that were left out are told one by one.
_TOLD = 3


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
    every = dicom.find_series(path)
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
        raise InputError(f"{path.name} holds {len(readable)} series: {names}{more}; {CHOOSE_ONE}")
    if readable[0].kind == "labels":
        from napari_resmed.io.dicom.objects import read_part

        return read_part(readable[0], part, _images(path, every, like))
    volume = dicom.read_series(readable[0], remedy if readable[0].problem else "")
    return _with_notes(volume, _left_out(path, every, readable[0]))


def _ways_out(series: dicom.Series) -> str:
    """What a person can ask for where slices form no regular grid."""
    does = {
        "largest_block": "napari-resmed convert --irregular largest-block saves the largest regular part",
        "resample": "napari-resmed convert --irregular resample interpolates between slices",
    }
    ways = ", ".join(does[remedy] for remedy in series.remedies)
    return f"; {ways}" if ways else ""


def _left_out(path: Path, found: Sequence[dicom.Series], chosen: dicom.Series) -> list[str]:
    """What lies beside a series and may be a part of it: a damaged slice at its end leaves no gap."""
    if not path.is_dir():
        return []
    # Reports and the like beside a series are no part of it; what does not say of which series it is may be.
    uids = ("", chosen.slices[0].series_uid)
    own = [entry for entry in found if entry.kind == "image" or entry.slices[0].series_uid in uids]
    broken = [entry.problem for entry in own if entry is not chosen and entry.problem]
    listed = {file for entry in found for file in entry.files}
    unread = sorted(
        file.name for file in files_below(path) if file.suffix.lower() in DICOM_SUFFIXES and file not in listed
    )
    broken += [f"{name} is no DICOM file, though its name says so" for name in unread]
    more = [f"{len(broken) - _TOLD} more files or series"] if len(broken) > _TOLD else []
    return [f"{LEFT_OUT}{reason}" for reason in (*broken[:_TOLD], *more)]


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
    every = dicom.find_series(path)
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
            volumes.append(dicom.read_series(entry))
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


def _images(path: Path, found: list[dicom.Series], like: Path | str | None) -> list[dicom.Series]:
    """The series among which the image that an object refers to may be."""
    if like:
        return dicom.find_series(like)
    # Of a single file, the series found are the object alone.
    return found if path.is_dir() or is_archive(path) else dicom.find_series(path.parent)


def _choose(maps: Sequence[LabelMap], name: str, identity: str) -> LabelMap:
    ids = [name] if len(maps) == 1 else [f"{name}:{number + 1}" for number in range(len(maps))]
    if identity in ids:
        return maps[ids.index(identity)]
    if identity:
        raise InputError(f"{name} holds no label map {identity!r}; `napari-resmed info` lists them")
    if len(maps) > 1:
        raise InputError(f"{name} holds {len(maps)} label maps: {', '.join(ids[:5])}; {CHOOSE_ONE}")
    return maps[0]
