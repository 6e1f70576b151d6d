"""What an image that was answered wrongly looks like: its middle slice and frame, of every modality that is there."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets.classes import load_channels
from napari_resmed.volume import Volume

__all__ = ["case_picture"]

# Longest edge of a slice, in dots, and how many of them stand side by side.
_DOTS, _SIDE_BY_SIDE = 240, 3
# Grey values left out at both ends.
_PERCENT = 0.5


def case_picture(case: Case, dataset: Dataset) -> bytes | None:
    """A PNG in grey; None where the image cannot be read.

    Volumes are turned so that the middle slice is axial; single slices are shown as they are stored.

    Parameters
    ----------
    case, dataset:
        One case of the data set, which says what its channels are.
    """
    try:
        there = [volume for volume in load_channels(case, dataset) if volume is not None][:_SIDE_BY_SIDE]
        slices = [_middle(volume) for volume in there]
    except ResMedError:  # it was answered once, but may have been moved since
        return None
    height = max(len(rows) for rows in slices)
    shown = np.concatenate([np.pad(rows, ((0, height - len(rows)), (0, 0))) for rows in slices], 1)
    buffer = io.BytesIO()
    imsave(buffer, shown, cmap="gray", vmin=0, vmax=1, format="png", metadata={"Software": ""})
    return buffer.getvalue()


def _middle(volume: Volume) -> NDArray[np.float32]:
    """The middle slice (of the middle frame) in 0..1, its voxels as wide as they are high."""
    data, edges = volume.data, volume.spacing_mm[1:]
    if "t" in volume.axes:
        data = data[volume.frames // 2]
    if data.shape[0] > 1:
        order = canonical_order(volume.affine)
        data = order.apply(data)
        edges = volume.spacing_mm[order.axes[1]], volume.spacing_mm[order.axes[2]]
    image = np.nan_to_num(data[len(data) // 2].astype(np.float32))
    low, high = np.percentile(image, (_PERCENT, 100 - _PERCENT))
    image = ((image - low) / (high - low if high > low else 1)).clip(0, 1)
    scale = _DOTS / max(size * edge for size, edge in zip(image.shape, edges, strict=True))
    rows, columns = (
        (np.arange(max(1, round(size * edge * scale))) / (edge * scale)).astype(int).clip(0, size - 1)
        for size, edge in zip(image.shape, edges, strict=True)
    )
    shown: NDArray[np.float32] = image[rows][:, columns]
    return shown
