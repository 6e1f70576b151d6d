"""Small pictures of cases: the middle slice, with its labels in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.io.project import Project, read_images, read_labels
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["case_thumbnail", "thumbnail"]

# Strong enough to be seen at 48 pixels, weak enough to see the image through.
LABEL_OPACITY = 0.6


def case_thumbnail(project: Project, name: str, size: int) -> NDArray[np.uint8]:
    """The picture of a case of a project; reads its files."""
    labels, _ = read_labels(project, name)
    return thumbnail(read_images(project, name)[0], labels, size)


def thumbnail(image: Volume, labels: LabelMap | None, size: int) -> NDArray[np.uint8]:
    """The axial slice through the middle of the labels, or of the image where there are none.

    Parameters
    ----------
    image:
        ``(z, y, x)``, any orientation.
    labels:
        On its grid, or None.
    size:
        Edge of the picture in pixels.

    Returns
    -------
    numpy.ndarray
        ``(size, size, 3)``, red, green, blue; anterior is up, the patient's right on the left, black around.
    """
    order = geometry.canonical_order(geometry.snap(image.affine))
    data = order.apply(image.data)
    values = None if labels is None or labels.shape != image.shape else order.apply(labels.data)
    middle = _middle(values, data.shape[0])
    spacing = geometry.spacing(order.apply_to_affine(geometry.snap(image.affine), image.shape))
    rows, columns = _fit(data.shape[1:], spacing[1:], size)
    slice_ = np.asarray(data[middle], dtype=np.float64)[np.ix_(rows, columns)]
    picture = np.repeat(_grey(slice_)[..., None], 3, 2)
    if values is not None and labels is not None:
        _tint(picture, np.asarray(values[middle])[np.ix_(rows, columns)], labels.labels)
    whole = np.zeros((size, size, 3), np.uint8)
    top, left = (size - len(rows)) // 2, (size - len(columns)) // 2
    whole[top : top + len(rows), left : left + len(columns)] = picture
    return whole


def _middle(values: NDArray[Any] | None, slices: int) -> int:
    if values is not None:
        labelled = np.flatnonzero(values.any(axis=(1, 2)))
        if len(labelled):
            return int(labelled[len(labelled) // 2])
    return slices // 2


def _fit(shape: tuple[int, ...], spacing: tuple[float, ...], size: int) -> list[NDArray[np.intp]]:
    """Rows and columns of the slice to show, the nearest for every pixel, so that a millimetre is one both ways."""
    extent = [number * mm for number, mm in zip(shape, spacing, strict=True)]
    pixels = [max(1, round(size * length / max(extent))) for length in extent]
    return [
        ((np.arange(count) + 0.5) * number / count).astype(np.intp) for count, number in zip(pixels, shape, strict=True)
    ]


def _grey(slice_: NDArray[np.float64]) -> NDArray[np.uint8]:
    finite = slice_[np.isfinite(slice_)]
    low, high = (float(value) for value in np.percentile(finite, (1, 99.5))) if finite.size else (0.0, 1.0)
    share = (np.nan_to_num(slice_) - low) / ((high - low) or 1.0)
    return np.asarray(np.clip(share, 0, 1) * 255, np.uint8)


def _tint(picture: NDArray[np.uint8], values: NDArray[Any], labels: LabelSet) -> None:
    for value in np.unique(values):
        if value in labels:
            inside = values == value
            colour = np.array(labels[int(value)].colour)
            picture[inside] = (picture[inside] * (1 - LABEL_OPACITY) + colour * LABEL_OPACITY).astype(np.uint8)
