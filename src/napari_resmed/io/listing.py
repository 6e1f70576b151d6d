"""What is there: one entry per image or series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series
from napari_resmed.io.files import ITK_SUFFIXES, is_dicom, is_study, read
from napari_resmed.io.nifti import is_nifti
from napari_resmed.labels import LabelMap

__all__ = ["Entry", "find_images"]


@dataclass(frozen=True)
class Entry:
    """One image or series, described.

    ``kind`` is ``"image"``, ``"labels"`` or ``"unreadable"`` (then ``warnings`` says why); ``shape`` follows
    ``axes``; ``spacing_mm`` is ``(z, y, x)``; ``affine`` is the 4x4 of :mod:`napari_resmed.geometry`.
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
        return _describe_file(path)
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    entries: list[Entry] = []
    for file in files:
        if is_nifti(file) or file.suffix.lower() in ITK_SUFFIXES:
            if file.name.lower().endswith((".img", ".img.gz")):
                continue  # its header stands for the pair
            try:
                entries += _describe_file(file)
            except InputError as problem:
                entries.append(_unreadable(file.name, str(file), str(problem)))
    if any(is_dicom(file) for file in files):
        entries += [_describe_series(series, path) for series in find_series(path)]
    if not entries:
        raise InputError(f"{path} holds no image; expected NIfTI, NRRD, MetaImage or DICOM files")
    return entries


def _describe_file(path: Path) -> list[Entry]:
    if path.is_file() and not is_nifti(path) and path.suffix.lower() not in ITK_SUFFIXES and is_study(path):
        return [_describe_series(series, path) for series in find_series(path)]
    volume = read(path)
    return [
        Entry(
            id=path.name,
            path=str(path),
            kind="labels" if isinstance(volume, LabelMap) else "image",
            modality=volume.modality,
            shape=volume.shape,
            spacing_mm=tuple(round(value, 6) for value in volume.spacing_mm),
            affine=volume.affine.tolist(),
            axes=volume.axes,
            dtype=str(volume.data.dtype),
            description=str(volume.meta.get("description", "")),
            warnings=tuple(volume.meta.get("warnings", ())),
        )
    ]


def _describe_series(series: Series, path: Path) -> Entry:
    notes: Iterator[str] = iter((series.problem,) if series.problem else ())
    return Entry(
        id=series.id,
        path=str(path),
        kind="unreadable" if series.problem else "image",
        modality=series.modality,
        shape=tuple(series.shape),
        spacing_mm=tuple(round(float(value), 6) for value in series.spacing_mm),
        affine=[[float(value) for value in row] for row in series.affine],
        axes=series.axes,
        dtype=series.dtype,
        description=series.description,
        warnings=(*notes, *series.warnings),
    )


def _unreadable(identity: str, path: str, reason: str) -> Entry:
    return Entry(identity, path, "unreadable", "", (), (), [], "", "", "", (reason,))
