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

from napari_resmed.errors import InputError
from napari_resmed.train.deformation import Deformation, check_three, normal, normals, random_coordinates, uniform

__all__ = ["Anatomy", "Degradation", "Intensities", "deform", "degrade", "paint", "rescale"]


@dataclass(frozen=True)
class Anatomy:
    """One subject's label map, ready to be deformed.

    Parameters
    ----------
    labels:
        uint8 tensor ``(z, y, x)``: rows of the table of :class:`Intensities`; 0 is background.
    spacing_mm:
        Edge length of the (cubic) voxels.
    centre:
        Index ``(z, y, x)`` around which patches are cut, e.g. the middle of the brain.

    Raises
    ------
    InputError
        If the label map is another kind of tensor, or the voxels have no size.
    """

    labels: Tensor
    spacing_mm: float
    centre: tuple[float, float, float]

    def __post_init__(self) -> None:
        _check_volume("a label map", self.labels, self.labels.dtype == torch.uint8, "uint8")
        check_three("voxels of", (self.spacing_mm,) * 3)


@dataclass(frozen=True)
class Degradation:
    """Ranges, lowest and highest, of what a scanner does to the picture.

    Raises
    ------
    InputError
        If a range is below 0 or the wrong way round, or the probability is not in 0 to 1.
    """

    bias_strength: tuple[float, float] = (0.0, 0.45)  # standard deviation of the log of the bias field
    blur_mm: tuple[float, float] = (0.4, 1.7)  # standard deviation of the point spread
    thick_slice_probability: float = 0.2
    thick_slice_mm: tuple[float, float] = (2.0, 5.0)
    noise: tuple[float, float] = (0.0, 0.05)  # standard deviation; the brightest tissue is about 1
    gamma: float = 0.25  # standard deviation of the log of the exponent

    def __post_init__(self) -> None:
        for name in ("bias_strength", "blur_mm", "thick_slice_mm", "noise"):
            low, high = getattr(self, name)
            if not 0 <= low <= high < math.inf:
                raise InputError(
                    f"found {name} ({low:g}, {high:g}), expected the lowest, of 0 or more, and the highest"
                )
        if not 0 <= self.thick_slice_probability <= 1:
            raise InputError(f"found thick_slice_probability {self.thick_slice_probability:g}, expected 0 to 1")
        if not 0 <= self.gamma < math.inf:
            raise InputError(f"found gamma {self.gamma:g}, expected 0 or more")


@dataclass(frozen=True)
class Intensities:
    """Mean and standard deviation per row of the label table, one draw.

    Raises
    ------
    InputError
        If they are not as many of the one as of the other.
    """

    mean: Tensor  # (rows,) float32
    std: Tensor = field(repr=False)  # (rows,) float32

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            shapes = " and ".join(str(tuple(one.shape)) for one in (self.mean, self.std))
            raise InputError(f"found means and standard deviations of the shapes {shapes}, expected (rows,) of both")


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

    Raises
    ------
    InputError
        If the grid or its voxels have no size.
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
        Whole numbers ``(z, y, x)``, rows of the table.
    intensities:
        Mean and spread of each row.
    generator:
        Source of the texture.

    Returns
    -------
    Tensor
        float32 ``(z, y, x)``, on the labels' device.

    Raises
    ------
    InputError
        If the labels are another kind of tensor, or, on a CPU, have a row that the table has not.
    """
    _check_volume("labels", labels, not labels.is_floating_point(), "whole numbers")
    rows = labels.to(torch.int32)
    if labels.device.type == "cpu":  # another device would have to be waited for
        low, high = (int(row) for row in rows.aminmax())
        if low < 0 or high >= len(intensities.mean):
            raise InputError(
                f"found labels {low} to {high}, expected 0 to {len(intensities.mean) - 1}, the rows of the intensities"
            )
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
        float32 ``(z, y, x)``; may be changed in place.
    spacing_mm:
        Voxel edges ``(z, y, x)``, or one for cubic voxels.
    ranges:
        How strongly.
    generator:
        Source of every random choice.

    Returns
    -------
    Tensor
        float32 ``(z, y, x)`` in 0..1, on the image's device.

    Raises
    ------
    InputError
        If the image is another kind of tensor, or a voxel edge is not above 0.
    """
    _check_volume("an image", image, image.is_floating_point(), "float32")
    edges = [float(mm) for mm in (spacing_mm if isinstance(spacing_mm, Sequence) else (spacing_mm,) * 3)]
    check_three("a spacing of", edges)
    shape = tuple(image.shape)
    sigma_mm = uniform(*ranges.blur_mm, generator)
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

    Parameters
    ----------
    image:
        float32 of any shape; changed in place.
    low, high:
        The percentiles, 0 to 100.

    Returns
    -------
    Tensor
        The same, in 0..1.

    Raises
    ------
    InputError
        If the image is empty, or the percentiles are the wrong way round.
    """
    if not image.numel():
        raise InputError("found an image without voxels, expected one or more")
    if not 0 <= low < high <= 100:
        raise InputError(f"found the percentiles {low:g} and {high:g}, expected the lower first, within 0 to 100")
    sample = image.reshape(-1)[::7]
    count = sample.numel()
    bottom = sample.kthvalue(max(1, round(count * low / 100))).values
    top = sample.kthvalue(min(count, round(count * high / 100))).values
    return image.sub_(bottom).div_((top - bottom).clamp_min(1e-6)).clamp_(0, 1)


def _check_volume(what: str, found: Tensor, is_right: bool, expected: str) -> None:
    """Refuse a tensor of another type or shape than ``(z, y, x)``."""
    if found.ndim != 3 or not found.numel() or not is_right:
        kind = str(found.dtype).removeprefix("torch.")
        raise InputError(f"found {what} of {kind} {tuple(found.shape)}, expected {expected} (z, y, x)")
