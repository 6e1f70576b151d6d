"""Whether slices of a volume, and frames of a series, follow each other as they should: none missing, none twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_resmed.volume import Volume

__all__ = ["slice_figures"]

# Fewer slices do not tell how alike neighbours are.
LEAST_SLICES = 4
# An axis whose voxels are so many times as thick as the others' is the one that slices follow each other along.
THICKER = 1.2
# Of a slice, about so many voxels are compared.
_COMPARED = 16384


def slice_figures(volume: Volume) -> dict[str, float]:
    """Figures of an image as it was stored, before it was brought to any other grid.

    Parameters
    ----------
    volume:
        Axes ``zyx`` or ``tzyx``.

    Returns
    -------
    dict
        ``gaps``: slices between others that hold one value only, or the same as the one before. ``jump``: how many
        times as much changes from one slice to the next as from their neighbours to theirs, where that is most. Both 0
        for few slices. Of a series those of its middle frame, and ``frame_gaps`` and ``frame_jump``, the same of
        frames.
    """
    if "t" not in volume.axes:
        return _figures(_thinned(volume))
    middle = volume.with_data(volume.data[volume.frames // 2], "zyx")
    step = max(1, round((middle.data.size / _COMPARED) ** (1 / 3)))
    z, y, x = (step if size > step else 1 for size in middle.grid_shape)
    frames = volume.data[:, ::z, ::y, ::x].reshape(volume.frames, -1).astype(np.float32)
    return {**_figures(_thinned(middle)), **{f"frame_{name}": value for name, value in _figures(frames).items()}}


def _figures(slices: NDArray[np.float32]) -> dict[str, float]:
    """Of some voxels of every slice, ``(slice, voxel)``."""
    if len(slices) < LEAST_SLICES:
        return {"gaps": 0.0, "jump": 0.0}
    slices = np.nan_to_num(slices)  # a frame of no numbers is a blank one
    blank = slices.max(1) == slices.min(1)
    there = np.flatnonzero(~blank)
    if len(there) < LEAST_SLICES:
        return {"gaps": 0.0, "jump": 0.0}
    inside = slices[there[0] : there[-1] + 1]
    seen = ~blank[there[0] : there[-1] + 1]
    change = np.abs(np.diff(inside, axis=0)).mean(1)
    both = seen[1:] & seen[:-1]
    repeated = both & (change == 0)
    # What the slices beside a blank one or a repeated one change by says nothing of those that are missing.
    change = change[both & ~repeated]
    around = np.maximum(change[:-2], change[2:]) if len(change) > 2 else np.zeros(0)
    jumps = change[1:-1][around > 0] / around[around > 0]
    return {
        "gaps": float((~seen).sum() + repeated.sum()),
        "jump": round(float(jumps.max()), 4) if len(jumps) else 0.0,
    }


def _thinned(volume: Volume) -> NDArray[np.float32]:
    """Some voxels of every slice, ``(slice, voxel)``."""
    thick = int(np.argmax(volume.spacing_mm))
    others = [mm for axis, mm in enumerate(volume.spacing_mm) if axis != thick]
    axis = thick if volume.spacing_mm[thick] > THICKER * max(others) else 0
    data = np.moveaxis(volume.data, axis, 0)
    step = max(1, round((data[0].size / _COMPARED) ** 0.5))
    return data[:, ::step, ::step].reshape(len(data), -1).astype(np.float32)
