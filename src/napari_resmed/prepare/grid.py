"""From an image's own grid to the network's; the way back is in :mod:`napari_resmed.prepare.restore`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder, canonical_order
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import along, linear_weights, resampled_size
from napari_resmed.volume import Volume

__all__ = ["UNKNOWN", "Grid", "prepare", "prepare_target"]

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

    @property
    def is_source(self) -> bool:
        """Whether it is the image's own, but for the order of axes."""
        return self.shape == self.source_shape and all(step == 1 for step in self.step)

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
    if grid.is_source:
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
