"""A series of images in time at one size: as many frames as a network takes, each as the others are seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.prepare.fixed_size import Shape, around_the_middle, back_to_source, fitted
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import linear_weights
from napari_resmed.volume import Volume

__all__ = ["fixed_series", "frames_back", "restore_series"]

# Voxels that the intensities of a whole series are judged by: more tell no more, and would be held twice.
_SAMPLED = 500_000


def fixed_series(volume: Volume, preparation: Preparation, shape: Shape, fit: str, frames: int) -> Tensor:
    """Bring every frame to one size, as :func:`napari_resmed.prepare.fixed_size.fixed_size` does, and their number too.

    Frames lie evenly in time; between them it is interpolated, and where there are more than wanted they are averaged,
    so that nothing is skipped. Intensities are rescaled alike in all of them, for how they change is what a series is
    made for. A frame that is lost (one value only, or no number at all) is filled in from those around it.

    Parameters
    ----------
    volume:
        Axes ``tzyx``; or ``zyx``, an image without time, which every frame is then.
    preparation, shape, fit:
        As of a single image.
    frames:
        How many there shall be.

    Returns
    -------
    Tensor
        float32 ``(1, frames, *shape)``. One frame of the source at a time is held beside it.

    Raises
    ------
    InputError
        If a frame holds NaN or infinity beside numbers, or fewer than two of a series show anything.
    """
    whole = volume if "t" in volume.axes else volume.with_data(volume.data[None], "tzyx")
    there = _there(whole.data)
    if len(there) < min(2, whole.frames):
        raise InputError(f"{len(there) or 'none'} of its {whole.frames} frames shows anything, expected several")
    # What is lost is to decide neither where the image ends nor what its range is.
    seen = whole if len(there) == whole.frames else whole.with_data(whole.data[there])
    grid = Grid.of(seen, fitted(seen, preparation, shape, fit))
    preparation = replace(preparation, windows=(_window(grid.take(seen.data), preparation),))
    weights = linear_weights(whole.frames, frames, whole.frames / frames) @ _filled(there, whole.frames)
    found = torch.zeros((1, frames, *shape))
    for place in range(seen.frames):
        image, _ = prepare(seen.with_data(seen.data[place], "zyx"), preparation, grid)
        sized = around_the_middle(image, shape)[0]
        for number in torch.nonzero(weights[:, place])[:, 0].tolist():
            found[0, number] += weights[number, place] * sized
    return found


def restore_series(
    found: NDArray[np.float32], volume: Volume, preparation: Preparation, fit: str
) -> NDArray[np.float32]:
    """Bring what was found in a series of fixed size back to the frames and the grid of the image, linearly.

    Parameters
    ----------
    found:
        float32 ``(frame, z, y, x)`` of the size that :func:`fixed_series` made.
    volume, preparation, fit:
        As they were given to it; ``volume`` with time.

    Returns
    -------
    NDArray
        float32 ``(t, z, y, x)`` on the image's grid; zero where nothing was seen.
    """
    there = _there(volume.data)
    seen = volume if len(there) == volume.frames else volume.with_data(volume.data[there])
    preparation = fitted(seen, preparation, (found.shape[1], found.shape[2], found.shape[3]), fit)
    grid = Grid.of(seen, preparation)
    back = frames_back(len(found), volume.frames)
    restored = np.zeros(volume.shape, np.float32)
    for place in range(volume.frames):
        frame = np.tensordot(back[place], found, 1)
        restored[place] = back_to_source(frame, grid)
    return restored


def frames_back(count: int, frames: int) -> NDArray[np.float32]:
    """Weights ``(frames, count)`` from the frames of a prepared series to those of the image; rows sum to 1."""
    weights: NDArray[np.float32] = linear_weights(count, frames, count / frames).numpy()
    return weights


def _there(data: NDArray[np.generic]) -> NDArray[np.intp]:
    """Numbers of the frames that show something; one with some voxels that are no number is told of later."""
    shown = [frame.max() > frame.min() or (frame.dtype.kind == "f" and _is_partly_a_number(frame)) for frame in data]
    return np.flatnonzero(shown)


def _is_partly_a_number(frame: NDArray[np.generic]) -> bool:
    return bool(np.isnan(frame.max())) and bool(np.isfinite(frame).any())


def _filled(there: NDArray[np.intp], count: int) -> Tensor:
    """Weights ``(count, there)``: each frame itself, a lost one from its neighbours by their distance in time."""
    every = np.arange(count)
    columns = [np.interp(every, there, row) for row in np.eye(len(there))]
    return torch.from_numpy(np.stack(columns, 1).astype(np.float32))


def _window(data: NDArray[np.generic], preparation: Preparation) -> tuple[float, float]:
    """The values that become 0 and 1 in every frame."""
    fixed = preparation.window(0)
    if fixed is not None:
        return fixed
    step = max(1, round((data.size / _SAMPLED) ** (1 / 3)))
    z, y, x = (step if size > step else 1 for size in data.shape[1:])
    some = data[:, ::z, ::y, ::x].astype(np.float64)
    some = some[np.isfinite(some)]
    low, high = (float(value) for value in np.percentile(some, preparation.percentiles))
    if high <= low:  # nearly all voxels are alike, e.g. a small object in a large empty field
        every = data[np.isfinite(data)]
        low, high = float(every.min()), float(every.max())
    return low, high if high > low else low + 1
