"""Resampling along the axes of a grid, one axis at a time: linear, and as nnU-Net's and MONAI's models are used to it.

Of the linear one: where the new grid is coarser the triangle widens to the new spacing, so that nothing between the
samples is skipped (as image libraries do when they shrink a picture). Both grids share their centre.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

__all__ = ["along", "cubic_weights", "linear_weights", "resampled_size", "weights"]


def resampled_size(size: int, spacing_mm: float, target_mm: float) -> int:
    """Number of samples that cover the same extent at another spacing; at least one."""
    return max(1, round(size * spacing_mm / target_mm))


def weights(kind: str, size_in: int, size_out: int, step: float) -> Tensor:
    """Weights ``(size_out, size_in)`` float32, every row summing to 1.

    Parameters
    ----------
    kind:
        ``"linear"``; or, in steps of the sizes' ratio, ``"cubic"``, ``"between"`` (linear, of the two nearest samples
        alone) and ``"nearest"``; or ``"corner"``, in steps of ``step`` from the first sample on.
    size_in, size_out:
        Number of samples.
    step:
        Distance of the output samples in units of the input's.
    """
    if kind == "cubic":
        return cubic_weights(size_in, size_out)
    if kind == "nearest":
        nearest = ((torch.arange(size_out, dtype=torch.float64) + 0.5) * size_in / size_out).floor().long()
        return torch.eye(size_in)[nearest.clamp(0, size_in - 1)]
    if kind == "corner":
        place = torch.arange(size_out, dtype=torch.float64) * step
        return _between(place.clamp(0, size_in - 1), size_in, 1.0)
    if kind == "between":
        return linear_weights(size_in, size_out, size_in / size_out, reach=1.0)
    return linear_weights(size_in, size_out, step)


def cubic_weights(size_in: int, size_out: int) -> Tensor:
    """Weights ``(size_out, size_in)`` of cubic splines, as SciPy's ``zoom`` has them; the end sample goes on."""
    if size_in == size_out:
        return torch.eye(size_in)
    columns = [
        ndimage.zoom(sample, size_out / size_in, order=3, mode="nearest", grid_mode=True) for sample in np.eye(size_in)
    ]
    return torch.from_numpy(np.stack(columns, 1)).float()


def linear_weights(size_in: int, size_out: int, step: float, reach: float = 0.0) -> Tensor:
    """Weights of every input sample for every output sample.

    Parameters
    ----------
    size_in, size_out:
        Number of samples.
    step:
        Distance of the output samples in units of the input's.
    reach:
        Half the triangle's base, in the same units; 0: as the two grids need it.

    Returns
    -------
    Tensor
        float32 ``(size_out, size_in)``; every row sums to 1. Beyond the ends the end sample is repeated.
    """
    place = (torch.arange(size_out, dtype=torch.float64) - (size_out - 1) / 2) * step + (size_in - 1) / 2
    return _between(place.clamp(0, size_in - 1), size_in, reach or max(1.0, step))


def _between(place: Tensor, size_in: int, reach: float) -> Tensor:
    distance = (place[:, None] - torch.arange(size_in, dtype=torch.float64)[None, :]).abs()
    weights = (1 - distance / reach).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True)).float()


def along(data: Tensor, axis: int, weights: Tensor) -> Tensor:
    """Apply weights ``(size_out, size_in)`` along one axis of ``data``."""
    axis %= data.dim()
    if axis == data.dim() - 1:
        return data @ weights.T
    # As it lies in memory: moving the axis to the end and back costs five times as much.
    before, after = data.shape[:axis], data.shape[axis + 1 :]
    blocks = data.reshape(math.prod(before), data.shape[axis], math.prod(after))
    return torch.bmm(weights.expand(len(blocks), -1, -1), blocks).reshape(*before, weights.shape[0], *after)
