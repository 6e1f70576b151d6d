"""Training images made from label maps alone.

A label map is deformed, every structure is given an intensity, and the picture is then spoiled the
way scanners spoil pictures: bias field, blur, thick slices, noise. A network trained on nothing else
learns anatomy instead of one scanner's contrast. The idea is SynthSeg's (Billot et al., Medical Image
Analysis 2023, arXiv 2107.09559); the generator here is this project's own. It works where the label map
lies, on a CPU or a GPU; what is chosen by chance comes from a generator on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.train.deformation import Deformation, normal, normals, random_coordinates, uniform

__all__ = ["Anatomy", "Degradation", "Intensities", "deform", "degrade", "paint", "rescale"]


@dataclass(frozen=True)
class Anatomy:
    """One subject's label map, ready to be deformed.

    Parameters
    ----------
    labels:
        uint8 tensor ``(z, y, x)``; rows of the recipe's intensity table, 0 is background.
    spacing_mm:
        Edge length of the (cubic) voxels.
    centre:
        Index ``(z, y, x)`` around which patches are cut, e.g. the middle of the brain.
    """

    labels: Tensor
    spacing_mm: float
    centre: tuple[float, float, float]


@dataclass(frozen=True)
class Degradation:
    """Ranges of what a scanner does to the picture."""

    bias_strength: tuple[float, float] = (0.0, 0.45)  # standard deviation of the log of the bias field
    blur_mm: tuple[float, float] = (0.4, 1.7)  # standard deviation of the point spread
    thick_slice_probability: float = 0.2
    thick_slice_mm: tuple[float, float] = (2.0, 5.0)
    noise: tuple[float, float] = (0.0, 0.05)  # standard deviation; the brightest tissue is about 1
    gamma: float = 0.25  # standard deviation of the log of the exponent


@dataclass(frozen=True)
class Intensities:
    """Mean and standard deviation per row of the label table, one draw."""

    mean: Tensor  # (rows,) float32
    std: Tensor = field(repr=False)  # (rows,) float32


def deform(
    anatomy: Anatomy,
    shape: tuple[int, int, int],
    spacing_mm: float,
    ranges: Deformation,
    generator: torch.Generator,
) -> Tensor:
    """Cut a randomly deformed patch out of a label map.

    Parameters
    ----------
    anatomy:
        The label map.
    shape, spacing_mm:
        The grid ``(z, y, x)`` to fill and its cubic voxel size.
    ranges:
        How far to rotate, scale, shear, shift and bend.
    generator:
        Source of every random choice.

    Returns
    -------
    Tensor
        uint8 ``(z, y, x)`` of the given shape, on the label map's device; outside the source it is 0.
    """
    device = anatomy.labels.device
    source, _ = random_coordinates(
        shape, (spacing_mm,) * 3, (anatomy.spacing_mm,) * 3, anatomy.centre, ranges, generator, device
    )
    depth, height, width = anatomy.labels.shape
    inside = torch.ones(shape, dtype=torch.bool, device=device)
    index = torch.zeros(shape, dtype=torch.int32, device=device)
    for coordinate, size in zip(source, (depth, height, width), strict=True):
        nearest = coordinate.round_().to(torch.int32)
        inside &= (nearest >= 0) & (nearest < size)
        index.mul_(size).add_(nearest.clamp_(0, size - 1))
    return anatomy.labels.reshape(-1)[index.reshape(-1)].reshape(shape) * inside


def paint(labels: Tensor, intensities: Intensities, generator: torch.Generator) -> Tensor:
    """Give every voxel the intensity of its structure, with that structure's texture.

    Parameters
    ----------
    labels:
        uint8 ``(z, y, x)``.
    intensities:
        Mean and spread of each row.
    generator:
        Source of the texture.

    Returns
    -------
    Tensor
        float32 ``(z, y, x)``, on the labels' device.
    """
    rows = labels.to(torch.int32)
    texture = normals(labels.shape, generator, labels.device)
    return intensities.mean.to(labels.device)[rows] + intensities.std.to(labels.device)[rows] * texture


def _blur(image: Tensor, sigma_voxels: tuple[float, float, float]) -> Tensor:
    """Separable Gaussian blur of ``(z, y, x)``; a sigma under a tenth of a voxel is left out."""
    for axis, sigma in enumerate(sigma_voxels):
        if sigma < 0.1:
            continue
        radius = max(1, math.ceil(2.5 * sigma))
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
        weights: list[float] = (kernel / kernel.sum()).tolist()
        padding = [0, 0, 0, 0, 0, 0]
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
        padded = F.pad(image[None, None], padding, mode="replicate")[0, 0]
        size = image.shape[axis]
        image = padded.narrow(axis, 0, size) * weights[0]
        for k, weight in enumerate(weights[1:], 1):
            image.add_(padded.narrow(axis, k, size), alpha=weight)
    return image


def degrade(
    image: Tensor, spacing_mm: float | Sequence[float], ranges: Degradation, generator: torch.Generator
) -> Tensor:
    """Spoil a painted picture the way a scanner would.

    Bias field, gamma, point spread, sometimes thick slices along one axis, noise; then rescaled by
    :func:`rescale`.

    Parameters
    ----------
    image:
        float32 ``(z, y, x)``; changed in place.
    spacing_mm:
        Voxel edges ``(z, y, x)``, or one for cubic voxels.
    ranges:
        How strongly.
    generator:
        Source of every random choice.

    Returns
    -------
    Tensor
        float32 ``(z, y, x)`` in 0..1.
    """
    shape = tuple(image.shape)
    sigma_mm = uniform(*ranges.blur_mm, generator)
    edges = [float(spacing_mm)] * 3 if isinstance(spacing_mm, int | float) else list(spacing_mm)
    image = _blur(image, (sigma_mm / edges[0], sigma_mm / edges[1], sigma_mm / edges[2]))
    if uniform(0, 1, generator) < ranges.thick_slice_probability:
        image = _thick_slices(image, edges, ranges, generator)
    control = torch.randn((1, 1, 4, 4, 4), generator=generator) * uniform(*ranges.bias_strength, generator)
    bias = F.interpolate(control.to(image.device), size=shape, mode="trilinear", align_corners=True)[0, 0]
    image.mul_(bias.exp_())
    noise = uniform(*ranges.noise, generator)
    image.add_(normals(shape, generator, image.device), alpha=noise)
    # A magnitude picture has no negative values: the noise floor folds back (Rician, to first order).
    image.abs_()
    gamma = math.exp(normal(ranges.gamma, generator))
    return rescale(image).pow_(gamma)


def _thick_slices(image: Tensor, edges_mm: Sequence[float], ranges: Degradation, generator: torch.Generator) -> Tensor:
    axis = int(torch.randint(0, 3, (), generator=generator))
    thickness_mm, spacing_mm = uniform(*ranges.thick_slice_mm, generator), edges_mm[axis]
    if thickness_mm <= 1.2 * spacing_mm:
        return image
    sigma = [0.0, 0.0, 0.0]
    sigma[axis] = 0.35 * thickness_mm / spacing_mm
    blurred = _blur(image, (sigma[0], sigma[1], sigma[2]))
    coarse = list(image.shape)
    coarse[axis] = max(2, round(coarse[axis] * spacing_mm / thickness_mm))
    small = F.interpolate(blurred[None, None], size=coarse, mode="trilinear", align_corners=True)
    return F.interpolate(small, size=tuple(image.shape), mode="trilinear", align_corners=True)[0, 0]


def rescale(image: Tensor, low: float = 0.5, high: float = 99.5) -> Tensor:
    """Map two percentiles to 0 and 1 and clip: the same step that prediction takes.

    Percentiles are read from every seventh voxel: their error is far below the noise, and a full sort
    would cost more than the network.
    """
    sample = image.reshape(-1)[::7]
    count = sample.numel()
    bottom = sample.kthvalue(max(1, round(count * low / 100))).values
    top = sample.kthvalue(min(count, round(count * high / 100))).values
    return image.sub_(bottom).div_((top - bottom).clamp_min(1e-6)).clamp_(0, 1)
