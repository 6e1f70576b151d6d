"""A curve that gives intensities as much room as they have voxels, within limits.

A CT spans 3 000 Hounsfield units, and liver, spleen and muscle lie within 60 of them: as they are, they look alike to
whatever compares intensities. The curve is that of histogram equalisation with a limited slope (Pizer et al., "Adaptive
histogram equalization and its variations", CVGIP 1987), one for the whole image: a large even background gets no more
room than its noise can bear.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["BINS", "contrast_curve", "curved"]

BINS = 256
# Bins over which the histogram is smoothed: many images have few grey values.
SMOOTH = 9
# The most and the least that a bin counts, in units of the mean.
MOST, LEAST = 4.0, 0.1


def contrast_curve(image: Tensor) -> Tensor:
    """The curve of every channel of ``(c, z, y, x)``, 0..1, float32 ``(c, BINS + 1)``: rising from 0 to 1."""
    curves = []
    for channel in image:
        counts = torch.histc(channel.float(), BINS, 0, 1)[None, None]
        smooth = F.avg_pool1d(counts, SMOOTH, 1, SMOOTH // 2, count_include_pad=False)[0, 0]
        share = (smooth * BINS / smooth.sum()).clamp(LEAST, MOST)
        curves.append(torch.cat([torch.zeros(1), share.cumsum(0) / share.sum()]))
    return torch.stack(curves)


def curved(image: Tensor, curves: Tensor) -> Tensor:
    """Intensities ``(..., c, z, y, x)`` after their channel's curve."""
    place = image.clamp(0, 1) * (curves.shape[1] - 1)
    below = place.floor().clamp_(max=curves.shape[1] - 2)
    share = place - below
    found = []
    for number, curve in enumerate(curves):
        low = below.select(-4, number).long()
        found.append(torch.lerp(curve[low], curve[low + 1], share.select(-4, number)))
    return torch.stack(found, -4)
