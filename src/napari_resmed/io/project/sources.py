"""What a folder of images holds, as cases-to-be; nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.below import files_below
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.io.files import is_dicom, is_image_name, read
from napari_resmed.io.formats import stem
from napari_resmed.io.image_file import SECOND_HALVES
from napari_resmed.io.label_words import without_label_word
from napari_resmed.io.project.names import case_names, channels_by_name
from napari_resmed.io.project.project import is_project
from napari_resmed.io.umlauts import in_one_way
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = [
    "Source",
    "find_sources",
    "images_folder",
    "is_all_dicom",
    "labels_folder",
    "not_taken",
    "read_source",
]


@dataclass(frozen=True)
class Source:
    """One case-to-be.

    Parameters
    ----------
    name:
        The case's, made from file names; for DICOM from what the series is called, never from the patient.
    files:
        Image files, one per channel; empty for DICOM.
    series:
        The DICOM series, where it is one.
    labels:
        Its label file, where the folder has one.
    """

    name: str
    files: tuple[Path, ...] = ()
    series: Series | None = None
    labels: Path | None = None

    @property
    def fingerprint(self) -> str:
        """What tells a DICOM series from any other: a hash of its images' UIDs, which names nobody and no place.

        Empty for image files, and where the images have no UIDs.
        """
        images = sorted((one.uid, one.frame or 0) for one in self.series.slices) if self.series else []
        if not images or not images[0][0]:
            return ""
        return hashlib.sha256(repr(images).encode()).hexdigest()

    @property
    def told_by(self) -> tuple[Path, ...]:
        """The files by whose contents it is known; none where its fingerprint tells it already."""
        return self.files if self.series is None else () if self.fingerprint else self.series.files


def images_folder(folder: Path) -> Path:
    """Where the images of a chosen folder lie: in its ``images``, if it has one beside ``labels``."""
    return folder / "images" if labels_folder(folder) else folder


def labels_folder(folder: Path) -> Path | None:
    """The ``labels`` of a folder that has ``images`` and ``labels``; None for any other."""
    both = (folder / "images").is_dir() and (folder / "labels").is_dir()
    return folder / "labels" if both else None


def is_all_dicom(folder: Path) -> bool:
    """Whether the images of a chosen folder are DICOM alone; no image is read."""
    some = False
    for file in _files(images_folder(folder)):
        if _is_image(file):
            return False
        some = some or is_dicom(file)
    return some


def find_sources(folder: Path) -> list[Source]:
    """List the cases-to-be of a folder and the folders below it, by name; no image is read.

    Files called ``CASE_0000``, ``CASE_0001`` throughout are channels of one case, as nnU-Net has it. The labels of
    ``CASE`` are called like it, or ``CASE_seg``, ``CASE-label``, ``CASE_mask``, ...

    Raises
    ------
    InputError
        If the folder is none, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.name} is not a folder; expected a folder of images")
    root = images_folder(folder)
    files = _files(root)
    images = [file for file in files if _is_image(file)]
    paths = [file.relative_to(root).with_name(stem(file.name)) for file in images]
    channels = channels_by_name([path.as_posix() for path in paths])
    if channels is None:
        cases: list[tuple[Path, tuple[Path, ...]]] = [
            (path, (image,)) for path, image in zip(paths, images, strict=True)
        ]
    else:
        cases = [(Path(name), tuple(images[place] for place in places)) for name, places in channels.items()]
    series = find_series(root) if any(is_dicom(file) for file in files if not _is_image(file)) else []
    # Names of both kinds together: none is that of another case.
    names = case_names([*(path for path, _ in cases), *(Path(_tidy(entry)) for entry in series)])
    labels = _labels_of(cases, folder)
    sources = [
        Source(name, files_of_one, None, labels.get(files_of_one))
        for name, (_, files_of_one) in zip(names, cases, strict=False)
    ]
    sources += [Source(name, (), entry) for name, entry in zip(names[len(cases) :], series, strict=True)]
    if not sources:
        raise InputError(
            f"{folder.name} holds no image; expected NIfTI, NRRD, MetaImage or DICOM files, and no project's"
        )
    return sources


def _tidy(series: Series) -> str:
    """What a series is called; a slash in it is no folder."""
    return (series.description or series.modality or "series").replace("/", "_")


def _files(folder: Path) -> list[Path]:
    """Every file of a folder and below it, through links too; what a project below holds is no other's image."""
    return sorted(files_below(folder, lambda below: below.name.startswith(".") or is_project(below), dead=True))


def _is_image(file: Path) -> bool:
    # Of a header and its image, the header stands for both.
    return is_image_name(file) and not file.name.lower().endswith(SECOND_HALVES)


def _label_files(folder: Path) -> dict[Path, Path]:
    """Every label file, and its path in ``labels`` without ending."""
    root = labels_folder(folder)
    if root is None:
        return {}
    files = [file for file in _files(root) if _is_image(file)]
    return {file: file.relative_to(root).with_name(stem(file.name)) for file in files}


def _labels_of(cases: Sequence[tuple[Path, tuple[Path, ...]]], folder: Path) -> dict[tuple[Path, ...], Path]:
    """The label file of each case that has one: that of its very name, else one with a word for labels behind it.

    Of images that are called alike but for the ending, labels belong to the one with theirs; if that does not tell,
    to none.
    """
    called: dict[Path, list[tuple[Path, ...]]] = {}
    for case, images in cases:
        called.setdefault(_key(case), []).append(images)
    found: dict[tuple[Path, ...], Path] = {}
    others: list[tuple[Path, Path]] = []
    for file, path in _label_files(folder).items():
        if (key := _key(path)) not in called:
            others.append((file, key.with_name(without_label_word(key.name))))
            continue
        alike = called[key]
        if len(alike) > 1:
            alike = [images for images in alike if _ending(images[0]) == _ending(file)]
        if len(alike) == 1:
            found.setdefault(alike[0], file)
    for file, key in others:
        if len(alike := called.get(key, [])) == 1:
            found.setdefault(alike[0], file)
    return found


def _key(path: Path) -> Path:
    return Path(in_one_way(path.as_posix()))


def _ending(file: Path) -> str:
    return file.name.removeprefix(stem(file.name)).lower()


def not_taken(folder: Path, sources: Sequence[Source]) -> tuple[tuple[str, str], ...]:
    """The image and label files of a folder that are none of a case-to-be, and why: ``(file name, reason)``."""
    taken = {file for source in sources for file in (*source.files, source.labels)}
    images = [file for file in _files(images_folder(folder)) if _is_image(file)]
    reasons = {
        "another image is called so but for the ending, and was taken; give each a name of its own": images,
        "no image is called like these labels, or several are, or other labels were taken for it; give image and "
        "labels one name": list(_label_files(folder)),
    }
    return tuple((file.name, why) for why, files in reasons.items() for file in files if file not in taken)


def read_source(source: Source) -> tuple[Volume, ...]:
    """Read the images of a case-to-be, one per channel.

    Raises
    ------
    InputError
        If one is damaged, holds labels, time points or no numbers, or they do not lie on one grid.
    """
    volumes = [read_series(source.series)] if source.series is not None else [read(file) for file in source.files]
    if len(volumes) == 1 and volumes[0].axes == "czyx":
        volumes = [volumes[0].with_data(channel, "zyx") for channel in volumes[0].data]
    for volume in volumes:
        if isinstance(volume, LabelMap):
            raise InputError("it holds labels rather than an image")
        if volume.axes != "zyx":
            raise InputError(f"it has {volume.frames} time points; save the one you want as an image of its own")
        if volume.data.dtype.kind == "f" and not np.isfinite(volume.data).all():
            raise InputError("it has voxels that are NaN or infinite; replace them with a number that means nothing")
        if not volume.same_grid(volumes[0]):
            raise InputError("its channels do not lie on one grid; resample them to the first")
    return tuple(volumes)
