"""What is there: one entry per image or series."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_resmed import geometry
from napari_resmed.errors import InputError, ResMedError
from napari_resmed.io import dicom
from napari_resmed.io.archive import is_archive
from napari_resmed.io.below import files_below
from napari_resmed.io.files import is_dicom, is_study, read
from napari_resmed.io.image_file import SECOND_HALVES, is_image_name, peek_image
from napari_resmed.io.peek import Peek
from napari_resmed.io.seg_nrrd import is_seg_nrrd, read_seg_nrrd
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["Entry", "find_images"]

# Structures named in a description; the rest are counted.
NAMES_SHOWN = 6


@dataclass(frozen=True)
class Entry:
    """One image or series, described.

    ``id`` is unique in its folder, and taken by ``convert --series``: that of a DICOM series, or the file's name,
    with its path from there where several have that name. ``kind`` is ``"image"``, ``"labels"`` or
    ``"unreadable"``; ``shape`` follows ``axes``; ``spacing_mm`` is ``(z, y, x)``; ``affine`` is the 4x4 of
    :mod:`napari_resmed.geometry`. Of what is unreadable ``warnings`` says why, and shape, spacing and affine are
    empty.
    """

    id: str
    path: str
    kind: str
    modality: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    affine: list[list[float]]
    axes: str
    dtype: str
    description: str
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_images(path: Path | str) -> list[Entry]:
    """Describe every image in a file or a folder.

    Raises
    ------
    InputError
        If the path does not exist, is a single file that is no image, or a folder without any.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_file():
        return _describe_file(path, path.name)
    files = sorted(files_below(path))
    entries: list[Entry] = []
    # The header of a pair stands for both.
    images = [file for file in files if is_image_name(file) and not file.name.lower().endswith(SECOND_HALVES)]
    names = Counter(file.name for file in images)
    for file in images:
        identity = file.name if names[file.name] == 1 else file.relative_to(path).as_posix()
        try:
            entries += _describe_file(file, identity)
        except InputError as problem:
            entries.append(_unreadable(identity, str(file), str(problem)))
    if any(is_dicom(file) for file in files):
        entries += _describe_dicom(path)
    if not entries:
        raise InputError(f"{path} holds no image; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM files")
    return entries


def _describe_file(path: Path, identity: str) -> list[Entry]:
    if not is_image_name(path) and is_study(path):
        return _describe_dicom(path)
    if is_seg_nrrd(path):
        maps = read_seg_nrrd(path)
        return [
            _describe_volume(one, identity if len(maps) == 1 else f"{identity}:{number + 1}", path)
            for number, one in enumerate(maps)
        ]
    seen = peek_image(path) if is_image_name(path) else None
    if seen and seen.surely_image:
        return [_describe_peek(seen, path, identity)]
    return [_describe_volume(read(path), identity, path)]


def _describe_peek(seen: Peek, path: Path, identity: str) -> Entry:
    return Entry(
        id=identity,
        path=str(path),
        kind="image",
        modality=seen.modality,
        shape=seen.shape,
        spacing_mm=tuple(round(value, 6) for value in geometry.spacing(seen.affine)),
        affine=seen.affine.tolist(),
        axes=seen.axes,
        dtype=str(seen.dtype),
        description=str(seen.meta.get("description", "")),
        warnings=tuple(seen.meta.get("warnings", ())),
    )


def _describe_volume(volume: Volume, identity: str, path: Path, modality: str = "", description: str = "") -> Entry:
    labels = isinstance(volume, LabelMap)
    told = description or str(volume.meta.get("description", ""))
    return Entry(
        id=identity,
        path=str(path),
        kind="labels" if labels else "image",
        modality=modality or volume.modality,
        shape=volume.shape,
        spacing_mm=tuple(round(value, 6) for value in volume.spacing_mm),
        affine=volume.affine.tolist(),
        axes=volume.axes,
        dtype=str(volume.data.dtype),
        description=": ".join(part for part in (told, _names(volume)) if part),
        warnings=tuple(volume.meta.get("warnings", ())),
    )


def _names(volume: Volume) -> str:
    """The first structures of a file that names them."""
    if not isinstance(volume, LabelMap):
        return ""
    names = [label.name for label in volume.labels if label.name != f"label {label.value}"]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _describe_dicom(path: Path) -> list[Entry]:
    found = dicom.find_series(path)
    entries: list[Entry] = []
    for series in found:
        if series.kind != "labels":
            entries.append(_describe_series(series, path))
            continue
        from napari_resmed.io.dicom.objects import parts_of

        try:
            # The image of a single file may lie beside it.
            parts = parts_of(series, found if path.is_dir() or is_archive(path) else None)
        except ResMedError as problem:
            entries.append(_describe_series(replace(series, problem=str(problem)), path))
            continue
        entries += [
            _describe_volume(volume, identity, path, series.modality, series.description) for identity, volume in parts
        ]
    return entries


def _describe_series(series: dicom.Series, path: Path) -> Entry:
    if series.problem:
        found = _unreadable(series.id, str(path), series.problem)
        warnings = (*found.warnings, *series.warnings)
        return replace(found, modality=series.modality, description=series.description, warnings=warnings)
    return Entry(
        id=series.id,
        path=str(path),
        kind="image",
        modality=series.modality,
        shape=tuple(series.shape),
        spacing_mm=tuple(round(float(value), 6) for value in series.spacing_mm),
        affine=[[float(value) for value in row] for row in series.affine],
        axes=series.axes,
        dtype=series.dtype,
        # How many times there are is in the shape; what they are is not.
        description="; ".join(filter(None, (series.description, series.times if series.parameters else ""))),
        warnings=series.warnings,
    )


def _unreadable(identity: str, path: str, reason: str) -> Entry:
    return Entry(identity, path, "unreadable", "", (), (), [], "", "", "", (reason,))
