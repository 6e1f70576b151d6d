"""Reading a series that holds labels, by its storage class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.objects.segmentation import LABEL_MAP, SEGMENTATION, read_fractions, read_segmentation
from napari_resmed.io.dicom.objects.structures import STRUCTURE_SET, read_structures
from napari_resmed.io.dicom.series import Series, find_series
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["is_fractional", "read_fraction", "read_object", "read_objects"]


def read_object(series: Series, images: Sequence[Series] | None = None) -> LabelMap:
    """Read the one label map of a segmentation or structure set.

    Raises
    ------
    InputError
        As for :func:`read_objects`, and if its structures overlap, so that there are several.
    """
    maps = read_objects(series, images)
    if len(maps) > 1:
        names = ", ".join(f"{series.id}:{number}" for number in range(1, len(maps) + 1))
        raise InputError(f"the structures overlap and make {len(maps)} label maps: {names}; choose one with --series")
    return maps[0]


def read_objects(series: Series, images: Sequence[Series] | None = None) -> list[LabelMap]:
    """Read every label map of a segmentation or structure set.

    Parameters
    ----------
    series:
        Of ``kind`` ``"labels"``, as :func:`napari_resmed.io.dicom.find_series` lists it.
    images:
        Series among which the image that it belongs to may be; None looks in the file's folder.

    Returns
    -------
    list of LabelMap
        One; more where structures overlap.

    Raises
    ------
    InputError
        If the file is damaged or no such object, or a structure set's image is not there.
    WorkError
        If there is not enough memory.
    """
    path = series.files[0]
    images = _beside(path) if images is None else images
    if series.sop_class in (SEGMENTATION, LABEL_MAP):
        return read_segmentation(path, images)
    if series.sop_class == STRUCTURE_SET:
        return read_structures(path, images)
    raise InputError(f"{path.name} holds neither a segmentation nor a structure set; choose another series")


def read_fraction(series: Series, images: Sequence[Series] | None = None) -> Volume:
    """Read a fractional segmentation as an image of its fractions.

    Raises
    ------
    InputError, WorkError
        As for :func:`napari_resmed.io.dicom.objects.segmentation.read_fractions`.
    """
    path = series.files[0]
    return read_fractions(path, _beside(path) if images is None else images)


def is_fractional(series: Series) -> bool:
    """Whether a series is a segmentation that holds fractions."""
    import pydicom

    if series.sop_class != SEGMENTATION:
        return False
    try:
        header = pydicom.dcmread(series.files[0], stop_before_pixels=True, specific_tags=["SegmentationType"])
    except Exception:  # a broken file is told of when it is read
        return False
    return str(header.get("SegmentationType")) == "FRACTIONAL"


def _beside(path: Path) -> list[Series]:
    return [series for series in find_series(path.parent) if series.kind == "image"]
