"""A curve that gives the tissues of a CT room: liver, spleen and muscle lie within 2 % of a scanner's range."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BINS", "HU_WINDOW", "curved", "no_curve", "tissue_curve"]

BINS = 256
# What becomes 0 and 1, in Hounsfield units: air, and bone.
HU_WINDOW = (-1000.0, 1500.0)
# Where soft tissue and fat begin and end, and what they become.
TISSUE = ((-200.0, 0.15), (300.0, 0.85))


def tissue_curve() -> Tensor:
    """For images whose :data:`HU_WINDOW` became 0..1: float32 ``(BINS + 1,)``, rising 0 to 1, straight but twice."""
    low, high = HU_WINDOW
    places = torch.tensor([0.0, *((hu - low) / (high - low) for hu, _ in TISSUE), 1.0])
    heights = torch.tensor([0.0, *(height for _, height in TISSUE), 1.0])
    at = torch.linspace(0, 1, BINS + 1)
    part = (torch.bucketize(at, places, right=True) - 1).clamp(0, len(places) - 2)
    share = (at - places[part]) / (places[part + 1] - places[part])
    return torch.lerp(heights[part], heights[part + 1], share)


def no_curve() -> Tensor:
    """Which changes nothing, float32 ``(BINS + 1,)``."""
    return torch.linspace(0, 1, BINS + 1)


def curved(image: Tensor, curves: Tensor) -> Tensor:
    """Intensities 0..1 ``(..., c, z, y, x)`` after their channel's curve ``(c, BINS + 1)``."""
    place = image.clamp(0, 1) * (curves.shape[1] - 1)
    below = place.floor().clamp_(max=curves.shape[1] - 2)
    share = place - below
    found = []
    for number, curve in enumerate(curves):
        low = below.select(-4, number).long()
        found.append(torch.lerp(curve[low], curve[low + 1], share.select(-4, number)))
    return torch.stack(found, -4)
