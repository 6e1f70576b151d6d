"""Images painted from label maps: what training learns from where there are labels and few images, or none.

Every structure is given any intensity, and so are a few regions into which chance divides all that is no structure;
then :func:`napari_resmed.train.synthesis.degrade` does to the picture what scanners do. A network that has learnt from
enough of them goes by shapes and neighbours, and holds for any contrast (SynthSeg: Billot et al., Medical Image
Analysis 2023, arXiv 2107.09559; regions of chance: SynthMorph, Hoffmann et al., IEEE TMI 2022).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap
from napari_resmed.train.deformation import check_three, uniform
from napari_resmed.train.synthesis import Degradation, Intensities, degrade, paint
from napari_resmed.volume import Volume

__all__ = ["paint_classes", "synthesise"]

Three = tuple[float, float, float]

# Parts that everything around the structures is divided into, and about how far they reach.
REGIONS, REGION_MM = 6, 25.0
# Voxels finer than this, as cubes of their volume, are of small animals or of a microscope: what lengths there are
# shrinks with them. Fine pixels of thick slices are people's.
FINE_MM = 0.5
# Share of the images in which nothing is around the structures, as in skull-stripped brains.
BARE = 0.2
# Standard deviation of the texture of a structure, at most.
TEXTURE = 0.06


def synthesise(labels: LabelMap, *, channels: int = 1, seed: int = 0, ranges: Degradation | None = None) -> Volume:
    """An image of a label map, as training paints them, but not deformed.

    Parameters
    ----------
    labels:
        Whole numbers ``(z, y, x)``; 0 is what no structure is, every other value a structure.
    channels:
        How many images on its grid, each of its own contrast.
    seed:
        Another image for every seed.
    ranges:
        What the scanner does; None: the usual.

    Returns
    -------
    Volume
        float32 in 0..1, axes ``zyx`` of one channel, else ``czyx``; on the grid of the labels.

    Raises
    ------
    InputError
        If what is given is no label map of three axes, or there is no channel.
    """
    if not isinstance(labels, LabelMap) or labels.axes != "zyx":
        kind = type(labels).__name__
        found = f"{kind} of {labels.data.dtype} with the axes {labels.axes}" if isinstance(labels, Volume) else kind
        raise InputError(
            f"found a {found}, expected a LabelMap with the axes zyx; where a file of whole numbers was not taken for "
            "one, LabelMap(volume.data, volume.affine) is"
        )
    values = np.unique(labels.data)
    classes = torch.from_numpy(np.searchsorted(values[values > 0], labels.data, side="right").astype(np.int32))
    generator = torch.Generator().manual_seed(seed)
    image = paint_classes(classes, channels, labels.spacing_mm, generator, ranges).numpy()
    data, axes = (image[0], "zyx") if channels == 1 else (image, "czyx")
    return Volume(data, labels.affine, axes, name=f"{labels.name} painted".strip())


def paint_classes(
    classes: Tensor,
    channels: int,
    spacing_mm: Three,
    generator: torch.Generator,
    ranges: Degradation | None = None,
) -> Tensor:
    """An image of a patch of classes.

    Parameters
    ----------
    classes:
        Whole numbers ``(z, y, x)``, on the CPU: structures are 1, 2, ...; 0 and less is what none is.
    channels:
        How many images, each of its own contrast.
    spacing_mm:
        Voxel edges ``(z, y, x)``.
    generator:
        Source of every random choice.
    ranges:
        What the scanner does; None: the usual, of which blur and thick slices are as much finer as voxels are finer
        than cubes of half a millimetre.

    Returns
    -------
    Tensor
        float32 ``(c, z, y, x)`` in 0..1.

    Raises
    ------
    InputError
        If there is no channel, or a voxel edge is not above 0.
    """
    if channels < 1:
        raise InputError(f"found {channels} channels, expected 1 or more")
    check_three("a spacing of", spacing_mm)
    rows = classes.clamp_min(0).int()
    structures = int(rows.max()) + 1
    bare = uniform(0, 1, generator) < BARE
    if not bare:
        rows = torch.where(rows > 0, rows, structures + _regions(tuple(classes.shape), spacing_mm, generator))
    scanner = ranges or _usual(spacing_mm)
    images = []
    for _ in range(channels):
        mean = torch.rand(structures + REGIONS, generator=generator)
        std = torch.rand(structures + REGIONS, generator=generator) * TEXTURE
        mean[0], std[0] = 0, 0
        images.append(degrade(paint(rows, Intensities(mean, std), generator), spacing_mm, scanner, generator))
    return torch.stack(images)


def _finer(spacing_mm: Three) -> float:
    """By how much lengths are to be shorter than in people, at most 1."""
    return min(1.0, math.prod(spacing_mm) ** (1 / 3) / FINE_MM)


def _usual(spacing_mm: Three) -> Degradation:
    finer, usual = _finer(spacing_mm), Degradation()
    blur, thick = ((low * finer, high * finer) for low, high in (usual.blur_mm, usual.thick_slice_mm))
    return replace(usual, blur_mm=blur, thick_slice_mm=thick)


def _regions(shape: tuple[int, ...], spacing_mm: Three, generator: torch.Generator) -> Tensor:
    """Which of :data:`REGIONS` smooth parts of chance every voxel belongs to, int32 ``(z, y, x)``."""
    reach = REGION_MM * _finer(spacing_mm)
    nodes = [max(2, round(size * mm / reach) + 1) for size, mm in zip(shape, spacing_mm, strict=True)]
    best, region = torch.full(shape, -torch.inf), torch.zeros(shape, dtype=torch.int32)
    for number in range(REGIONS):
        field = torch.randn((1, 1, *nodes), generator=generator)
        height = F.interpolate(field, size=shape, mode="trilinear", align_corners=True)[0, 0]
        region.masked_fill_(height > best, number)
        best = torch.maximum(best, height)
    return region
