"""Random patches of prepared cases, and batches of them made ahead of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.augmentation import Augmentation, disturb
from napari_resmed.train.deformation import random_coordinates
from napari_resmed.train.painting import paint_classes
from napari_resmed.train.store import ASSUMED, Prepared

__all__ = ["Batch", "Sampling", "ahead", "draw_batch", "draw_patch"]

Shape = tuple[int, int, int]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees.

    Parameters
    ----------
    image:
        float32 ``(batch, c, z, y, x)``.
    target:
        int16 ``(batch, z, y, x)``; unknown voxels hold :data:`napari_resmed.prepare.grid.UNKNOWN`.
    annotated:
        bool ``(batch, class)``.
    """

    image: Tensor
    target: Tensor
    annotated: Tensor


@dataclass(frozen=True)
class Sampling:
    """Where patches are taken.

    Parameters
    ----------
    patch:
        Size ``(z, y, x)`` in voxels of the network's grid.
    spacing_mm:
        Its voxel edges.
    batch:
        Patches a step.
    structure_share:
        Share of patches whose middle lies on a structure; the structure is chosen first, each as often as any other,
        so that small ones are seen as often as large ones.
    pairs:
        Classes that are each other's mirror image, by number: exchanged in a patch that is mirrored.
    synthetic:
        Share of the patches whose image is painted from the labels; those of cases without an image are anyway.
    """

    patch: Shape
    spacing_mm: tuple[float, float, float]
    batch: int
    structure_share: float = 0.67
    pairs: tuple[tuple[int, int], ...] = ()
    synthetic: float = 0.0


def draw_batch(
    case: Callable[[int], Prepared],
    numbers: Sequence[int],
    sampling: Sampling,
    augmentation: Augmentation,
    seed: int,
    step: int,
    part: slice = slice(None),
) -> Batch:
    """The batch of a step: the same for the same seed and step, whatever was drawn before.

    Parameters
    ----------
    case:
        Gives the prepared case of a number.
    numbers:
        The cases learnt from. Each is taken once before any is taken again.
    part:
        Which of the batch's patches, where several devices share it.
    """
    patches = []
    for place in range(sampling.batch)[part]:
        count = step * sampling.batch + place
        lap, turn = divmod(count, len(numbers))
        order = np.random.default_rng((seed, lap)).permutation(len(numbers))
        generator = torch.Generator().manual_seed(seed * 1_000_003 + count)
        patches.append(draw_patch(case(numbers[order[turn]]), sampling, augmentation, generator))
    images, targets, annotated = zip(*patches, strict=True)
    return Batch(torch.stack(images), torch.stack(targets), torch.stack(annotated))


def draw_patch(
    case: Prepared, sampling: Sampling, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """One patch: image ``(c, z, y, x)``, target ``(z, y, x)``, what was annotated ``(class,)``."""
    centre = _centre(case, sampling, generator)
    annotated = torch.from_numpy(case.annotated)
    if float(torch.rand((), generator=generator)) < augmentation.undeformed:
        image, maps = _cut(case, sampling.patch, centre)
    else:
        image, maps, mirrored = _deformed(case, sampling, centre, augmentation, generator)
        if mirrored and sampling.pairs:
            maps, annotated = _exchanged(maps, annotated, sampling.pairs)
    target, shown = maps[0], maps[-1]
    target.masked_fill_(target == ASSUMED, 0)
    share = sampling.synthetic if case.has_image else 1.0
    if share > 0 and float(torch.rand((), generator=generator)) < share:
        return paint_classes(shown, len(image), sampling.spacing_mm, generator), target, annotated
    return disturb(image, augmentation, generator), target, annotated


def _maps(case: Prepared) -> list[NDArray[np.signedinteger[Any]]]:
    """The target, and where it is a part only, the whole."""
    return [case.target] if case.whole is None else [case.target, case.whole]


def _exchanged(
    maps: Sequence[Tensor], annotated: Tensor, pairs: Sequence[tuple[int, int]]
) -> tuple[list[Tensor], Tensor]:
    """Left made right and right made left: maps of classes, and what was annotated."""
    partner = torch.arange(len(annotated), dtype=maps[0].dtype)
    for one, other in pairs:
        partner[one], partner[other] = other, one
    # What is below zero is no class.
    turned = [torch.where(classes > 0, partner[classes.clamp_min(0).long()], classes) for classes in maps]
    return turned, annotated[partner.long()]


def _centre(case: Prepared, sampling: Sampling, generator: torch.Generator) -> tuple[float, float, float]:
    """The patch's middle as an index: on a structure or anywhere, with as much of the case in the patch as can be."""
    structures = [number for number in case.places if number > 0]
    on_structure = float(torch.rand((), generator=generator)) < sampling.structure_share
    spots: NDArray[np.int16] | None = None
    if structures and on_structure:
        spots = case.places[structures[int(torch.randint(len(structures), (), generator=generator))]]
    elif case.places and not {0, ASSUMED}.isdisjoint(case.places):
        # Most of the case is unknown: background only where it was painted, or is assumed, each as often.
        kinds = [case.places[kind] for kind in (0, ASSUMED) if kind in case.places]
        spots = kinds[int(torch.randint(len(kinds), (), generator=generator))]
    spot = None if spots is None else spots[int(torch.randint(len(spots), (), generator=generator))]
    centre = []
    for axis, (size, window) in enumerate(zip(case.target.shape, sampling.patch, strict=True)):
        low, high = (window - 1) / 2, size - 1 - (window - 1) / 2
        wish = float(spot[axis]) if spot is not None else float(torch.rand((), generator=generator)) * (size - 1)
        centre.append((size - 1) / 2 if low >= high else min(max(wish, low), high))
    return centre[0], centre[1], centre[2]


def _cut(case: Prepared, patch: Shape, centre: tuple[float, float, float]) -> tuple[Tensor, list[Tensor]]:
    """The patch as it lies, unknown and dark beyond the image: image, and :func:`_maps`."""
    inner, margins = [], []
    for size, window, middle in zip(case.target.shape, patch, centre, strict=True):
        start = round(middle - (window - 1) / 2)
        inner.append(slice(max(0, start), min(size, start + window)))
        margins.append((max(0, -start), max(0, start + window - size)))
    padding = [side for pair in reversed(margins) for side in pair]
    image = torch.from_numpy(case.image[(slice(None), *inner)].astype(np.float32))
    maps = (torch.from_numpy(classes[tuple(inner)].astype(np.int16)) for classes in _maps(case))
    return F.pad(image, padding), [F.pad(classes, padding, value=UNKNOWN) for classes in maps]


def _deformed(
    case: Prepared,
    sampling: Sampling,
    centre: tuple[float, float, float],
    augmentation: Augmentation,
    generator: torch.Generator,
) -> tuple[Tensor, list[Tensor], bool]:
    spacing = sampling.spacing_mm
    places, mirrored = random_coordinates(sampling.patch, spacing, spacing, centre, augmentation.deformation, generator)
    # Only the box that is looked at is taken out of the case: reading the whole would cost more than the rest.
    box, unit = [], []
    inside = torch.ones(sampling.patch, dtype=torch.bool)
    index = torch.zeros(sampling.patch, dtype=torch.int64)
    for place, size in zip(places, case.target.shape, strict=True):
        low, high = torch.aminmax(place)
        start = min(size - 1, max(0, int(low)))
        stop = max(start + 1, min(size, int(high) + 2))
        length = stop - start
        box.append(slice(start, stop))
        nearest = place.round()
        inside &= (nearest >= 0) & (nearest <= size - 1)
        index.mul_(length).add_(nearest.sub_(start).clamp_(0, length - 1).long())
        unit.append(place.sub_(start).mul_(2 / length).add_(1 / length - 1))  # -1..1 from edge to edge
    boxes = (torch.from_numpy(classes[tuple(box)].astype(np.int16)) for classes in _maps(case))
    maps = [torch.where(inside, classes.reshape(-1)[index], UNKNOWN).to(torch.int16) for classes in boxes]
    image = torch.from_numpy(case.image[(slice(None), *box)].astype(np.float32))
    grid = torch.stack(unit[::-1], -1)
    image = F.grid_sample(image[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    return image, maps, mirrored


def ahead(make: Callable[[int], Made], first: int, depth: int, workers: int) -> Iterator[Made]:
    """Batches ``first``, ``first + 1``, ..., made on threads before they are asked for.

    Parameters
    ----------
    make:
        Makes the batch of a step.
    first:
        The first step.
    depth:
        How many may wait.
    workers:
        Threads; 0 makes each when it is asked for, on the caller's.
    """
    if workers == 0:
        step = first
        while True:
            yield make(step)
            step += 1
    pool = ThreadPoolExecutor(workers, "resmed-patches", initializer=torch.set_num_threads, initargs=(1,))
    waiting: list[Future[Made]] = []
    try:
        step = first
        while True:
            while len(waiting) < depth:
                waiting.append(pool.submit(make, step))
                step += 1
            yield waiting.pop(0).result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)
