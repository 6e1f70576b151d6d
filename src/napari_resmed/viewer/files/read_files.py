"""Reading what was dropped: one layer for every image and every label map."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from napari.utils.notifications import show_error, show_warning

from napari_resmed.errors import ResMedError
from napari_resmed.io.below import files_below
from napari_resmed.io.dicom import Series, describe, find_series
from napari_resmed.io.files import is_dicom, is_image_name, is_study, read_all
from napari_resmed.io.image_file import SECOND_HALVES
from napari_resmed.viewer.layers import LayerData
from napari_resmed.viewer.parts.series_volumes import can_open, light, volumes_of
from napari_resmed.viewer.parts.shown_volume import Origin, shown_volume
from napari_resmed.volume import Volume

__all__ = ["read_files"]

# What napari takes for "read, but nothing to show"; the person has been told why.
NOTHING: list[tuple[None]] = [(None,)]
# napari hands over dropped files one by one. Those of a series that was read from the first of them are passed over
# as long as no more than this lies between two.
ONE_DROP_SECONDS = 2.0
# Of a folder of image files: more layers than this are no help.
MOST_FILES = 24


def read_files(paths: Sequence[Path]) -> list[LayerData] | list[tuple[None]]:
    """Read what is behind paths; what cannot be read is said in a notification each."""
    folders = [path for path in paths if path.is_dir()]
    single = [path for path in paths if path not in folders]
    dicom = [path for path in single if not is_image_name(path) and is_study(path)]
    files = [path for path in single if path not in dicom]
    for folder in folders:
        images, others = _inside(folder)
        files += images
        # A folder of image files alone is no study, and one with anything else may be.
        if not images or any(is_dicom(file) for file in others):
            dicom.append(folder)
    layers: list[LayerData] = []
    for path in files:
        layers += _read_file(path)
    if dicom and not _last_drop.holds(dicom):
        layers += _read_dicom(dicom)
    return layers or NOTHING


def _inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files in a folder and below it, no more than can be looked at as layers; and all others."""
    files = sorted(files_below(folder))
    images = [file for file in files if is_image_name(file) and not file.name.lower().endswith(SECOND_HALVES)]
    if len(images) > MOST_FILES:
        show_warning(
            f"{folder.name} holds {len(images)} images, the first {MOST_FILES} are opened; Cases in the menu ResMed "
            "lists a whole folder"
        )
    return images[:MOST_FILES], [file for file in files if not is_image_name(file)]


class _Drop:
    """Files that were read a moment ago as part of a series."""

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._ended = -ONE_DROP_SECONDS

    def holds(self, paths: Sequence[Path]) -> bool:
        """Whether all of these were just read; goes on for as long as they keep coming."""
        if time.monotonic() - self._ended > ONE_DROP_SECONDS:
            self._files.clear()
        known = all(path in self._files for path in paths)
        if known:
            self._files.difference_update(paths)  # dropped again, it is read again
            self._ended = time.monotonic()
        return known

    def add(self, paths: Sequence[Path], series: Sequence[Series]) -> None:
        """Remember the files of series that were read from these paths."""
        self._files |= {file for one in series for file in one.files} - set(paths)
        self._ended = time.monotonic()


_last_drop = _Drop()


def _read_file(path: Path) -> list[LayerData]:
    try:
        volumes = read_all(path)
    except ResMedError as problem:
        show_error(str(problem))
        return []
    return _shown(volumes, None, Origin(path=path))


def _read_dicom(paths: Sequence[Path]) -> list[LayerData]:
    try:
        found = find_series(paths[0] if len(paths) == 1 else list(paths))
    except ResMedError as problem:
        show_error(str(problem))
        return []
    layers: list[LayerData] = []
    for series in found:
        if not can_open(series):
            _tell_why(series, among=len(found))
            continue
        try:
            volumes = volumes_of(series, found)
        except ResMedError as problem:
            show_error(str(problem))
            continue
        layers += _shown(volumes, series, Origin(light(series)))
    _last_drop.add(paths, found)
    return layers


def _tell_why(series: Series, among: int) -> None:
    """Why a series is not shown; of reports and plans that lie beside images nobody needs to be told."""
    if series.kind == "other" and among > 1:
        return
    way_out = "; Load DICOM in the menu ResMed offers what can be done" if series.remedies else ""
    show_error(f"{series.description or series.modality or series.id}: {series.problem}{way_out}")


def _shown(volumes: Sequence[Volume], series: Series | None, origin: Origin) -> list[LayerData]:
    facts = describe(series) if series is not None else None
    layers: list[LayerData] = []
    for volume in volumes:
        try:
            layer, notes = shown_volume(volume, facts, origin)
        except ResMedError as problem:
            show_error(str(problem))
            continue
        layers.append(layer)
        for note in notes:
            show_warning(note)
    return layers
