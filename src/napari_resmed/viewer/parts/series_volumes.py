"""What a DICOM series holds: an image, or the label maps that were drawn on one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from napari_resmed.io.dicom import Series, read_series
from napari_resmed.volume import Volume

__all__ = ["can_open", "light", "volumes_of"]


def can_open(series: Series) -> bool:
    """Whether it can be read as it is; segmentations and contours can, with the image that they belong to."""
    return series.kind == "labels" or not series.problem


def volumes_of(
    series: Series,
    among: Sequence[Series],
    remedy: str = "",
    progress: Callable[[int, int], object] | None = None,
) -> list[Volume]:
    """Read a series: one image, or one label map or more where structures overlap.

    Parameters
    ----------
    series:
        What is read.
    among:
        The series found with it; labels are put on the grid of the one that they refer to.
    remedy, progress:
        As for :func:`napari_resmed.io.dicom.read_series`.

    Raises
    ------
    InputError, WorkError
        As there, or as :func:`napari_resmed.io.dicom.objects.read_objects` does.
    """
    if series.kind != "labels":
        return [read_series(series, remedy, progress)]
    from napari_resmed.io.dicom.objects import read_objects

    return list(read_objects(series, list(among) if len(among) > 1 else None))


def light(series: Series) -> Series:
    """The series to keep with a layer: its files can be asked again, its thousand slices are not kept."""
    return replace(series, slices=series.slices[:1])
