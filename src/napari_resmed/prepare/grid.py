"""From an image's own grid to the network's, and back."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder, canonical_order
from napari_resmed.labels import smallest_integer_type
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import along, linear_weights, resampled_size
from napari_resmed.volume import Volume

__all__ = ["UNKNOWN", "Grid", "prepare", "prepare_target", "restore_labels", "restore_map"]

# Memory a slab of class scores may take on its way back to the source grid.
SLAB_BYTES = 192 * 2**20

# In a training target: the voxel says nothing.
UNKNOWN = -1
# Share of a voxel's neighbourhood that must be known for it to count, over the voxel's width in slices of the image: a
# single painted slice midway between two of the network's is seen by each with half a slice's weight, and must not be
# lost.
KNOWN_SHARE = 0.3


@dataclass(frozen=True)
class Grid:
    """How the network's grid lies on the image's.

    Parameters
    ----------
    order:
        Permutation and flips from the image's axes to Superior, Posterior, Left.
    source_shape:
        The image's size after ``order``.
    shape:
        The network grid's size ``(z, y, x)``.
    step:
        Network spacing in units of the image's, per axis of the network.
    """

    order: AxisOrder
    source_shape: tuple[int, int, int]
    shape: tuple[int, int, int]
    step: tuple[float, float, float]

    @classmethod
    def of(cls, volume: Volume, preparation: Preparation) -> Grid:
        """The grid for an image: its own axes, nearest to canonical, at the network's spacing."""
        order = canonical_order(volume.affine)
        source = tuple(volume.grid_shape[axis] for axis in order.axes)
        spacing = tuple(volume.spacing_mm[axis] for axis in order.axes)
        pairs = list(zip(source, spacing, preparation.spacing_mm, strict=True))
        z, y, x = (resampled_size(size, mm, target) for size, mm, target in pairs)
        a, b, c = (target / mm for _, mm, target in pairs)
        return cls(order, (source[0], source[1], source[2]), (z, y, x), (a, b, c))


def prepare(volume: Volume, preparation: Preparation) -> tuple[Tensor, Grid]:
    """Turn, resample and rescale an image for the network.

    Parameters
    ----------
    volume:
        Axes ``zyx`` or ``czyx``.
    preparation:
        The model's description.

    Returns
    -------
    image
        float32 ``(c, z, y, x)`` in 0..1 on the network's grid, axes towards Superior, Posterior, Left.
    grid
        What leads back.

    Raises
    ------
    InputError
        If the image holds NaN or infinity, or one value only.
    """
    grid = Grid.of(volume, preparation)
    data = volume.data if volume.axes == "czyx" else volume.data[None]
    _check_voxels(data)
    image = torch.from_numpy(_float32(grid.order.apply(data), fixed=any(preparation.windows)))
    for axis in range(3):
        if grid.step[axis] != 1 or grid.shape[axis] != grid.source_shape[axis]:
            weights = linear_weights(grid.source_shape[axis], grid.shape[axis], grid.step[axis])
            image = along(image, axis + 1, weights)
    channels = [_to_unit(channel, preparation, number) for number, channel in enumerate(image)]
    return torch.stack(channels).contiguous(), grid


def _check_voxels(data: NDArray[Any]) -> None:
    if data.dtype.kind == "f":
        # A sum is finite only if every term is: one pass, no mask, unless something is wrong.
        with np.errstate(over="ignore", invalid="ignore"):
            fine = np.isfinite(data.sum(dtype=np.float64)) or np.isfinite(data).all()
        if not fine:
            bad = int((~np.isfinite(data)).sum())
            raise InputError(
                f"the image has {bad} voxels that are NaN or infinite (of {data.size}); a model needs "
                "finite numbers: replace them, e.g. by 0, and try again"
            )
    for number, channel in enumerate(data):
        low = channel.min()
        if low == channel.max():
            which = f"channel {number} of the image" if len(data) > 1 else "the image"
            raise InputError(f"{which} has the value {float(low):g} everywhere; there is nothing to see in it")


def _float32(data: NDArray[Any], fixed: bool) -> NDArray[np.float32]:
    """A copy in float32; where that may not tell values apart they are moved to 0..1 first, which changes no more.

    Not where they are ``fixed``, that is mean something by themselves.
    """
    if fixed or data.dtype.itemsize <= 2 or data.dtype == np.float32:
        return np.array(data, dtype=np.float32, order="C")
    wide = np.array(data, dtype=np.float64, order="C")
    low = wide.min() / 2  # halved, for the difference of two large numbers may overflow
    unit: NDArray[np.float32] = ((wide / 2 - low) / (wide.max() / 2 - low)).astype(np.float32)
    return unit


def _to_unit(channel: Tensor, preparation: Preparation, number: int) -> Tensor:
    window = preparation.window(number)
    if window is None:
        return _rescale(channel, *preparation.percentiles)
    return (channel - window[0]).div_(window[1] - window[0]).clamp_(0, 1)


def _rescale(channel: Tensor, low: float, high: float) -> Tensor:
    flat = channel.reshape(-1)
    count = flat.numel()
    bottom = flat.kthvalue(1 + round((count - 1) * low / 100)).values
    top = flat.kthvalue(1 + round((count - 1) * high / 100)).values
    if top <= bottom:  # nearly all voxels are alike, e.g. a small object in a large empty field
        bottom, top = torch.aminmax(channel)
    return (channel - bottom).div_(top - bottom).clamp_(0, 1)


def prepare_target(classes: NDArray[np.signedinteger[Any]], grid: Grid, count: int) -> NDArray[np.int16]:
    """Turn and resample a map of classes to the network's grid, the largest share of a voxel winning.

    Parameters
    ----------
    classes:
        ``(z, y, x)`` on the image's grid: 0 background, 1.. structures, :data:`UNKNOWN`.
    grid:
        From :func:`prepare`, of the image.
    count:
        Number of classes, background included.

    Returns
    -------
    NDArray
        int16 ``(z, y, x)`` on the network's grid.
    """
    turned = grid.order.apply(classes)
    if grid.shape == grid.source_shape and all(step == 1 for step in grid.step):
        return np.array(turned, dtype=np.int16, order="C")
    weights = [
        linear_weights(source, size, step)
        for source, size, step in zip(grid.source_shape, grid.shape, grid.step, strict=True)
    ]
    source = torch.from_numpy(np.array(turned, dtype=np.int16, order="C"))
    known, best = torch.zeros(grid.shape), torch.zeros(grid.shape)
    target = torch.full(grid.shape, UNKNOWN, dtype=torch.int16)
    for number in range(count):
        share = (source == number).float()
        for axis in range(3):
            share = along(share, axis, weights[axis])
        known += share
        target[share > best] = number
        best = torch.maximum(best, share)
    target[known < KNOWN_SHARE / max(1.0, *grid.step)] = UNKNOWN
    return target.numpy()


def _slabs(channels: int, grid: Grid) -> Iterator[tuple[int, int]]:
    plane = max(1, channels * grid.source_shape[1] * grid.source_shape[2] * 4)
    height = max(1, SLAB_BYTES // plane)
    for start in range(0, grid.source_shape[0], height):
        yield start, min(grid.source_shape[0], start + height)


def _back(scores: Tensor, grid: Grid) -> Iterator[tuple[int, int, Tensor]]:
    """Scores ``(c, z, y, x)`` of the network's grid as slabs of the (turned) source grid."""
    weights = [
        linear_weights(size, source, 1 / step)
        for size, source, step in zip(grid.shape, grid.source_shape, grid.step, strict=True)
    ]
    for start, stop in _slabs(scores.shape[0], grid):
        rows = weights[0][start:stop]
        used = torch.nonzero(rows.sum(0)).flatten()
        first, last = int(used[0]), int(used[-1]) + 1
        slab = along(scores[:, first:last].float(), 1, rows[:, first:last])
        slab = along(along(slab, 2, weights[1]), 3, weights[2])
        yield start, stop, slab


def restore_labels(
    logits: Tensor, grid: Grid, values: tuple[int, ...]
) -> Generator[float, None, NDArray[np.unsignedinteger]]:
    """Take class scores back to the image's grid, the largest at every voxel winning.

    Scores are interpolated slab by slab, so a volume of scores at the image's resolution never exists.

    Parameters
    ----------
    logits:
        ``(class, z, y, x)`` on the network's grid.
    grid:
        From :func:`prepare`.
    values:
        Label value of every class; the first is background.

    Yields
    ------
    float
        Share done, 0..1.

    Returns
    -------
    NDArray
        Labels ``(z, y, x)`` on the image's grid in its own axis order, smallest unsigned type.
    """
    dtype = smallest_integer_type(max(values))
    table = torch.tensor(values, dtype=torch.int32)
    out = np.zeros(grid.source_shape, dtype)
    for start, stop, slab in _back(logits, grid):
        winner = slab.argmax(0).to(torch.int32)
        out[start:stop] = table[winner].numpy().astype(dtype)
        yield stop / grid.source_shape[0]
    return np.ascontiguousarray(grid.order.undo(out))


def restore_map(scores: Tensor, grid: Grid) -> NDArray[np.float32]:
    """Take one map ``(z, y, x)`` of real numbers back to the image's grid, float32."""
    out = np.zeros(grid.source_shape, np.float32)
    for start, stop, slab in _back(scores[None], grid):
        out[start:stop] = slab[0].numpy()
    return np.ascontiguousarray(grid.order.undo(out))
