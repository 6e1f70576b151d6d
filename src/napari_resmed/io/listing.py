"""What is there: one entry per image or series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series
from napari_resmed.io.files import is_dicom, is_image_name, peek, read
from napari_resmed.labels import LabelMap

__all__ = ["Entry", "find_images"]

# Of formats in pairs, the file of the voxels.
_SECOND_HALVES = (".img", ".img.gz", ".brik", ".brik.gz")


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
        if is_image_name(file):
            if file.name.lower().endswith(_SECOND_HALVES):
                continue  # its header stands for the pair
            try:
                entries += _describe_file(file)
            except InputError as problem:
                entries.append(_unreadable(file.name, str(file), str(problem)))
    if any(is_dicom(file) for file in files):
        entries += [_describe_series(series, path) for series in find_series(path)]
    if not entries:
        raise InputError(f"{path} holds no image; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM files")
    return entries


def _describe_file(path: Path) -> list[Entry]:
    if path.is_file() and not is_image_name(path) and is_dicom(path):
        return [_describe_series(series, path) for series in find_series(path)]
    seen = peek(path) if is_image_name(path) else None
    if seen and seen.surely_image:
        return [
            Entry(
                id=path.name,
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
        ]
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
