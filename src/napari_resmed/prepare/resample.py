"""Linear resampling along the axes of a grid, one axis at a time.

Where the new grid is coarser the triangle widens to the new spacing, so that nothing between the samples is
skipped (as image libraries do when they shrink a picture). Both grids share their centre.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["along", "linear_weights", "resampled_size"]


def resampled_size(size: int, spacing_mm: float, target_mm: float) -> int:
    """Number of samples that cover the same extent at another spacing; at least one."""
    return max(1, round(size * spacing_mm / target_mm))


def linear_weights(size_in: int, size_out: int, step: float) -> Tensor:
    """Weights of every input sample for every output sample.

    Parameters
    ----------
    size_in, size_out:
        Number of samples.
    step:
        Distance of the output samples in units of the input's.

    Returns
    -------
    Tensor
        float32 ``(size_out, size_in)``; every row sums to 1. Beyond the ends the end sample is repeated.
    """
    place = (torch.arange(size_out, dtype=torch.float64) - (size_out - 1) / 2) * step + (size_in - 1) / 2
    place = place.clamp(0, size_in - 1)
    reach = max(1.0, step)
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
