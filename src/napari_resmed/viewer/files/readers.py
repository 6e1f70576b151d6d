"""Files and folders dropped on napari."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from napari_resmed.viewer.layers import LayerData

if TYPE_CHECKING:
    from napari_resmed.volume import Volume

__all__ = ["get_folder_reader", "get_reader"]

Paths = str | list[str]
# What napari takes for "read, but nothing to show"; the person has been told why.
NOTHING: list[tuple[None]] = [(None,)]
# A folder of DICOM starts with DICOM; one whose first files are not is left to other readers.
FILES_TRIED = 40


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData] | list[tuple[None]]] | None:
    """The reader for image files; cheap, for napari asks on every drop."""
    from napari_resmed.io.files import is_readable

    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    return read_layers if paths and all(is_readable(one) for one in paths) else None


def get_folder_reader(path: Paths) -> Callable[[Paths], list[LayerData] | list[tuple[None]]] | None:
    """The reader for a folder that holds DICOM files."""
    from napari_resmed.io.files import is_dicom

    if not isinstance(path, str) or not Path(path).is_dir():
        return None
    return read_layers if any(is_dicom(file) for file in islice(_files(Path(path)), FILES_TRIED)) else None


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))


def read_layers(path: Paths) -> list[LayerData] | list[tuple[None]]:
    """Read every image behind a path or a list of paths.

    What cannot be read is said in a notification, one sentence each, and the rest is shown.
    """
    from napari.utils.notifications import show_error, show_info, show_warning

    from napari_resmed.errors import ResMedError
    from napari_resmed.viewer.layers import tilt_note, volume_to_layer

    layers: list[LayerData] = []
    volumes, problems = _read_all([Path(path)] if isinstance(path, str) else [Path(one) for one in path])
    for problem in problems:
        show_error(problem)
    for volume in volumes:
        try:
            layers.append(volume_to_layer(volume))
        except ResMedError as reason:
            show_error(str(reason))
            continue
        for warning in volume.meta.get("warnings", ()):
            show_warning(f"{volume.name}: {warning}")
        if note := tilt_note(volume):
            show_info(note)
    return layers or NOTHING


def _read_all(paths: list[Path]) -> tuple[list[Volume], list[str]]:
    from napari_resmed.errors import ResMedError
    from napari_resmed.io.dicom import find_series, read_series
    from napari_resmed.io.files import is_dicom, is_image_name, read

    volumes: list[Volume] = []
    problems: list[str] = []
    dicom: list[Path] = []
    for path in paths:
        if path.is_dir() or (not is_image_name(path) and is_dicom(path)):
            dicom.append(path)
            continue
        try:
            volumes.append(read(path))
        except ResMedError as problem:
            problems.append(str(problem))
    try:
        series = find_series(dicom[0] if len(dicom) == 1 else dicom) if dicom else []
    except ResMedError as problem:
        problems.append(str(problem))
        series = []
    for entry in series:
        if entry.problem:
            problems.append(f"{entry.description or entry.id}: {entry.problem}")
            continue
        try:
            volumes.append(read_series(entry))
        except ResMedError as problem:
            problems.append(str(problem))
    return volumes, problems
