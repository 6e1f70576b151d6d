"""How a classifier sees an image: its size and spacing on the network's grid, decided from a few of the images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets.classes import load_channels
from napari_resmed.prepare.fixed_size import Shape
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.volume import Volume

__all__ = ["View", "decide_view"]

# How many cases are opened.
OPENED = 16
# The most voxels of an image on the network's grid: what two cores, and what a GPU get through in the time of a coffee.
MOST_FLAT = {"cpu": 128**2, "gpu": 256**2}
MOST_DEEP = {"cpu": 40**3, "gpu": 96**3}
# Of all frames of a series together, be they slices or volumes.
MOST_LOOP = MOST_DEEP
MOST_DYNAMIC = {"cpu": 3 * 40**3, "gpu": 3 * 96**3}
LEAST_EDGE = 8
# Of a longer series so many frames are made: a heart beat has no more that differ.
MOST_FRAMES = 32
# Frames that are volumes are rather fewer than with fewer voxels than this each, ...
LEAST_VOLUME = 24**3
# ... but no fewer than so many, where there are: the course of an enhancement is still seen in them.
LEAST_FRAMES = 8
COARSER = 1.02
# The black rim of a volume is cut away where that leaves less than this share of it ...
WORTH_CUTTING = 0.6
# ... and so much room, as others may be larger than those that were opened.
ROOM = 1.1
# Hounsfield units: nothing but CT is so far below zero.
CT_MINIMUM = -500.0
# What of a CT's values is told apart.
CT_PERCENTILES = (1.0, 99.5)


@dataclass(frozen=True)
class View:
    """What :func:`decide_view` decides.

    Parameters
    ----------
    preparation, patch, fit:
        As in :class:`napari_resmed.models.model.Model`.
    flat:
        Whether images, or the frames of series, are single slices.
    reasons:
        Why.
    frames:
        Of series in time, how many are made of theirs; 0 for images without time.
    """

    preparation: Preparation
    patch: Shape
    fit: str
    flat: bool
    reasons: dict[str, str]
    frames: int = 0

    @property
    def series(self) -> bool:
        """Whether images are frames, slices or volumes, that follow each other in time."""
        return self.frames > 0


def decide_view(dataset: Dataset, kind: str) -> View:
    """Look at a few cases.

    Parameters
    ----------
    dataset:
        Cases of classes.
    kind:
        ``"cpu"`` or ``"gpu"``.

    Raises
    ------
    InputError
        If none can be read.
    """
    channels = _some(dataset)
    # Where one of several is a series, the others are the same in all of its frames.
    opened = [max((one for one in case if one is not None), key=lambda one: one.frames) for case in channels]
    flat = sum(volume.grid_shape[0] == 1 for volume in opened) > len(opened) / 2
    series = sum(volume.frames > 1 for volume in opened) > len(opened) / 2
    orientation = STORED if flat else Preparation.orientation
    shapes, edges = zip(*(_turned(volume, flat) for volume in opened), strict=True)
    size = np.median(np.array(shapes), 0)
    spacing = np.median(np.array(edges), 0)
    reasons = {"patch": "the images' size"}
    filled = None if flat or len(dataset.channels) > 1 else _filled_mm(opened)
    cut = filled is not None and bool(np.prod(filled) < WORTH_CUTTING * np.prod(size * spacing))
    if cut:
        size = filled / spacing
        reasons["fit"] = "the rim of nothing around them is cut away, and what is left keeps its size"
    frames = _frames(opened, flat, float(np.prod(size)), kind, reasons) if series else 0
    most: float = MOST_FLAT[kind] if flat else MOST_DEEP[kind]
    if series:
        most = (MOST_LOOP if flat else MOST_DYNAMIC)[kind] / frames
    fine = np.array([not flat, True, True])
    even, shape = spacing.copy(), size.copy()
    # The finest axes are made coarser first: thick slices are few as it is.
    while np.prod(shape[fine]) > most:
        target = even[fine].min() * COARSER
        even[fine] = np.maximum(even[fine], target)
        shape = size * spacing / even
        reasons["patch"] = "coarser than the images, so that there is time to look at many of them"
    z, y, x = (max(LEAST_EDGE, math.ceil(round(edge, 3))) for edge in shape)
    a, b, c = (round(float(mm), 4) for mm in even)
    windows = tuple(_window([volume for volume in of if volume is not None]) for of in zip(*channels, strict=True))
    if any(windows):
        reasons["intensities"] = "CT: a fixed window of Hounsfield units"
    else:
        windows = ()
    preparation = Preparation((a, b, c), orientation=orientation, windows=windows, crop_nonzero=cut)
    return View(preparation, (1 if flat else z, y, x), "middle" if cut else "whole", flat, reasons, frames)


def _frames(opened: Sequence[Volume], flat: bool, voxels: float, kind: str, reasons: dict[str, str]) -> int:
    """How many frames are made of a series' own; ``voxels`` are those of one."""
    own = math.ceil(float(np.median([volume.frames for volume in opened])))
    count = min(own, MOST_FRAMES)
    if not flat:
        room = MOST_DYNAMIC[kind] / min(voxels, LEAST_VOLUME)
        count = min(count, max(LEAST_FRAMES, int(room)))
    what = "slices" if flat else "volumes"
    reasons["frames"] = f"{what} follow each other in time" + (
        f"; {count} frames are made of {own}, so that there is memory and time for each of them" if count < own else ""
    )
    return max(2, count)


def _some(dataset: Dataset) -> list[list[Volume | None]]:
    """A volume for every channel of a few cases."""
    step = max(1, len(dataset.cases) // OPENED)
    opened: list[list[Volume | None]] = []
    problem: InputError | None = None
    for case in [*dataset.cases[::step], *dataset.cases[:OPENED]]:
        if len(opened) == OPENED:
            break
        try:
            opened.append(load_channels(case, dataset))
        except InputError as found:
            problem = problem or found
    if not opened:
        raise InputError(f"none of the first images can be read: {problem}")
    return opened


def _turned(volume: Volume, flat: bool) -> tuple[Shape, tuple[float, float, float]]:
    """Size and spacing along the network's axes."""
    z, y, x = (0, 1, 2) if flat else canonical_order(volume.affine).axes
    shape, spacing = volume.grid_shape, volume.spacing_mm
    return (shape[z], shape[y], shape[x]), (spacing[z], spacing[y], spacing[x])


def _filled_mm(volumes: Sequence[Volume]) -> NDArray[np.float64]:
    """How large ``(z, y, x)`` the largest of what is not zero is, with some room, along the network's axes."""
    boxes = [Grid.of(volume, Preparation((1.0, 1.0, 1.0), crop_nonzero=True, own_spacing=True)) for volume in volumes]
    edges = [[volume.spacing_mm[axis] for axis in box.order.axes] for box, volume in zip(boxes, volumes, strict=True)]
    sizes = np.array([np.multiply(box.source_shape, mm) for box, mm in zip(boxes, edges, strict=True)])
    largest: NDArray[np.float64] = ROOM * sizes.max(0)
    return largest


def _window(volumes: Sequence[Volume]) -> tuple[float, float] | None:
    """A fixed range for a channel that is CT; None for any other."""
    modalities = {volume.modality for volume in volumes if volume.modality}
    looks = not modalities and all(np.fmin.reduce(volume.data, axis=None) <= CT_MINIMUM for volume in volumes)
    if not volumes or not (modalities == {"CT"} or looks):
        return None
    # Sampled, for a percentile of all voxels would take longer than the rest.
    values = np.concatenate([volume.data.reshape(-1)[:: max(1, volume.data.size // 10_000)] for volume in volumes])
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, CT_PERCENTILES)
    return float(round(low)), float(round(high))
