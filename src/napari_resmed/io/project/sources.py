"""What a folder of images holds, as cases-to-be; nothing is written."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.io.files import is_dicom, is_image_name, read
from napari_resmed.io.project.names import case_names, channels_by_name, stem
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["Source", "find_sources", "images_folder", "labels_folder", "read_source"]

_HEADER_OF_PAIR = (".img", ".img.gz", ".brik", ".brik.gz")


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


def images_folder(folder: Path) -> Path:
    """Where the images of a chosen folder lie: in its ``images``, if it has one beside ``labels``."""
    return folder / "images" if labels_folder(folder) else folder


def labels_folder(folder: Path) -> Path | None:
    """The ``labels`` of a folder that has ``images`` and ``labels``; None for any other."""
    both = (folder / "images").is_dir() and (folder / "labels").is_dir()
    return folder / "labels" if both else None


def find_sources(folder: Path) -> list[Source]:
    """List the cases-to-be of a folder and the folders below it, by name; no image is read.

    Files called ``CASE_0000``, ``CASE_0001`` throughout are channels of one case, as nnU-Net has it.

    Raises
    ------
    InputError
        If the folder is none, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.name} is not a folder; expected a folder of images")
    root, labels = images_folder(folder), labels_folder(folder)
    files = sorted(_files(root))
    images = [file for file in files if _is_image(file)]
    paths = [file.relative_to(root).with_name(stem(file.name)) for file in images]
    channels = channels_by_name([path.as_posix() for path in paths])
    if channels is None:
        cases: list[tuple[Path, tuple[Path, ...]]] = [
            (path, (image,)) for path, image in zip(paths, images, strict=True)
        ]
    else:
        cases = [(Path(name), tuple(images[place] for place in places)) for name, places in channels.items()]
    names = case_names([path for path, _ in cases])
    sources = [
        Source(name, files_of_one, None, _labels_of(path, labels))
        for name, (path, files_of_one) in zip(names, cases, strict=True)
    ]
    if any(is_dicom(file) for file in files if not _is_image(file)):
        series = find_series(root)
        called = case_names([Path(_tidy(entry)) for entry in series])
        sources += [Source(name, (), entry) for name, entry in zip(called, series, strict=True)]
    if not sources:
        raise InputError(f"{folder.name} holds no image; expected NIfTI, NRRD, MetaImage or DICOM files")
    return sources


def _tidy(series: Series) -> str:
    """What a series is called; a slash in it is no folder."""
    return (series.description or series.modality or "series").replace("/", "_")


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in names if not name.startswith("."))


def _is_image(file: Path) -> bool:
    # Of a header and its image, the header stands for both.
    return is_image_name(file) and not file.name.lower().endswith(_HEADER_OF_PAIR)


def _labels_of(case: Path, labels: Path | None) -> Path | None:
    if labels is None:
        return None
    place = labels / case.parent
    found = [file for file in sorted(place.glob(f"{glob.escape(case.name)}.*")) if _is_image(file)]
    return found[0] if found else None


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
