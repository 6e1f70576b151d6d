"""What is done at random to a training patch's intensities, so that few cases stand for many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.train.deformation import Deformation, normal, uniform

__all__ = ["Augmentation", "disturb"]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes.

    Parameters
    ----------
    deformation:
        The spatial part.
    undeformed:
        Probability that a patch is only cut, not deformed, which saves its interpolation.
    probability:
        Of each of the changes below, one by one.
    noise:
        Largest standard deviation, in units of the intensity range 0..1.
    brightness, contrast:
        Largest shift, and standard deviation of the log of the factor.
    gamma:
        Standard deviation of the log of the exponent; 0 for images that do not lie in 0..1.
    blur_voxels:
        Largest standard deviation of a Gaussian blur.
    coarser:
        Largest factor by which the grid is made coarser for a moment (a scan of lower resolution).
    """

    deformation: Deformation = field(default_factory=Deformation)
    undeformed: float = 0.0
    probability: float = 0.25
    noise: float = 0.08
    brightness: float = 0.1
    contrast: float = 0.2
    gamma: float = 0.3
    blur_voxels: float = 1.0
    coarser: float = 2.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Augmentation:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        TypeError
            If a value is unknown.
        KeyError, ValueError
            If one is missing or no number.
        """
        fields = dict(values)
        spatial = dict(fields.pop("deformation"))
        elastic = tuple((float(mm), float(std)) for mm, std in spatial.pop("elastic"))
        mirror = bool(spatial.pop("mirror"))
        numbers = {name: float(value) for name, value in spatial.items()}
        deformation = Deformation(elastic=elastic, mirror=mirror, **numbers)
        return cls(deformation=deformation, **{name: float(value) for name, value in fields.items()})


def disturb(image: Tensor, ranges: Augmentation, generator: torch.Generator) -> Tensor:
    """Change a patch's intensities.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``, about 0..1 but for models of other programs; changed in place.
    ranges:
        How strongly, how often.
    generator:
        Source of every random choice.

    Returns
    -------
    Tensor
        float32 of the same shape.
    """
    chance = torch.rand(5, generator=generator).tolist()
    if chance[0] < ranges.probability and ranges.blur_voxels > 0:
        image = _blurred(image, uniform(0.3, max(0.3, ranges.blur_voxels), generator))
    if chance[1] < ranges.probability and ranges.coarser > 1:
        factor = uniform(1, ranges.coarser, generator)
        size = [max(2, round(n / factor)) for n in image.shape[1:]]
        small = F.interpolate(image[None], size=size, mode="nearest")
        image = F.interpolate(small, size=image.shape[1:], mode="trilinear", align_corners=False)[0]
    if chance[2] < ranges.probability and ranges.gamma > 0:
        image = image.clamp_(0, 1).pow_(math.exp(normal(ranges.gamma, generator)))
    if chance[3] < ranges.probability:
        factor = math.exp(normal(ranges.contrast, generator))
        image = image.mul_(factor).add_(uniform(-ranges.brightness, ranges.brightness, generator))
    if chance[4] < ranges.probability:
        image = image.add_(torch.randn(image.shape, generator=generator), alpha=uniform(0, ranges.noise, generator))
    return image


def _blurred(image: Tensor, sigma: float) -> Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights: list[float] = (kernel / kernel.sum()).tolist()
    for axis in (1, 2, 3):
        size = image.shape[axis]
        padding = [0] * 6
        padding[2 * (3 - axis)] = padding[2 * (3 - axis) + 1] = radius
        padded = F.pad(image[None], padding, mode="replicate")[0]
        image = padded.narrow(axis, 0, size) * weights[0]
        for shift in range(1, 2 * radius + 1):
            image.add_(padded.narrow(axis, shift, size), alpha=weights[shift])
    return image
