"""Reading a series that holds labels, by its storage class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.find import find_series
from napari_resmed.io.dicom.objects.segmentation import LABEL_MAP, SEGMENTATION, read_fractions, read_segmentation
from napari_resmed.io.dicom.objects.structures import STRUCTURE_SET, read_structures
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.formats import CHOOSE_ONE
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["is_fractional", "parts_of", "read_fraction", "read_object", "read_objects", "read_part"]

FRACTION = "fraction"


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
        raise InputError(f"the structures overlap and make {len(maps)} label maps: {names}; {CHOOSE_ONE}")
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


def read_part(series: Series, part: str = "", images: Sequence[Series] | None = None) -> Volume:
    """Read one of the volumes that :func:`parts_of` lists, by what follows the colon of its id.

    Raises
    ------
    InputError
        As for :func:`read_object`, and if there is no such part.
    WorkError
        If there is not enough memory.
    """
    if not part:
        return read_object(series, images)
    if part == FRACTION:
        return read_fraction(series, images)
    maps = read_objects(series, images)
    if part not in [str(number + 1) for number in range(len(maps))]:
        raise InputError(f"series {series.id} holds {len(maps)} label map(s), none of them {part!r}; `info` lists them")
    return maps[int(part) - 1]


def parts_of(series: Series, images: Sequence[Series] | None = None) -> list[tuple[str, Volume]]:
    """Every volume of a segmentation or structure set with its id: label maps, and the fractions if it has them.

    The id is that of the series, with ``:1``, ``:2``, ... for several maps and ``:fraction`` for the fractions.

    Raises
    ------
    InputError, WorkError
        As for :func:`read_objects`.
    """
    maps = read_objects(series, images)
    parts: list[tuple[str, Volume]] = [
        (series.id if len(maps) == 1 else f"{series.id}:{number + 1}", one) for number, one in enumerate(maps)
    ]
    if is_fractional(series):
        parts.append((f"{series.id}:{FRACTION}", read_fraction(series, images)))
    return parts


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
