"""A simulated user: strokes drawn by rule from real labels, the worst region first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["first_strokes", "next_strokes"]

# Half the longest stroke, in voxels of the slice; a brush is one voxel wide with a ring around it where there is room.
REACH = 10
# The first stroke of the background is drawn this far off the structures, in voxels of the slice.
NEAR, FAR = 3, 12
# Another person takes any slice that shows so much of the largest section, and begins off the middle by as much.
FREE = 0.7
STEADY = 100


def first_strokes(truth: NDArray, seed: int) -> NDArray[np.uint8]:
    """One stroke for every value of ``truth`` (1.. classes, the last one the background), in its largest section.

    Seeds below 100 draw in the largest section from its middle; others are people who are less exact.
    """
    painted = np.zeros(truth.shape, np.uint8)
    generator = np.random.default_rng(seed)
    background = int(truth.max())
    free = FREE if seed >= STEADY else 1.0
    for value in range(1, background):
        _draw(painted, truth == value, truth, value, generator, free)
    # Around the structures, in the slice where most of the first one is seen.
    objects = truth != background
    z = int(np.argmax(objects.reshape(len(objects), -1).sum(1)))
    far = ndimage.distance_transform_edt(~objects[z])
    around = np.zeros(truth.shape, bool)
    around[z] = (far >= NEAR) & (far <= FAR)
    if not around.any():
        around = ~objects
    _draw(painted, around, truth, background, generator, free)
    return painted


def next_strokes(painted: NDArray[np.uint8], truth: NDArray, found: NDArray, seed: int) -> NDArray[np.uint8]:
    """One more stroke for every class, through the middle of the largest piece of it that was taken for another."""
    painted = painted.copy()
    generator = np.random.default_rng(seed)
    for value in range(1, int(truth.max()) + 1):
        missed = (truth == value) & (found != value) & (painted == 0)
        if not missed.any():
            continue
        # Two voxels that touch at a face are one piece; thin shells at borders fall apart into small ones.
        core = ndimage.binary_erosion(missed)
        pieces, _ = ndimage.label(core if core.any() else missed)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        free = FREE if seed >= STEADY else 1.0
        _draw(painted, pieces == int(np.argmax(sizes)), truth, value, generator, free)
    return painted


def _draw(
    painted: NDArray[np.uint8],
    region: NDArray[np.bool_],
    truth: NDArray,
    value: int,
    generator: np.random.Generator,
    free: float,
) -> None:
    """A stroke in a slice with much of ``region``: from its innermost point both ways along where it is thick."""
    sections = region.reshape(len(region), -1).sum(1)
    z = int(np.argmax(sections))
    if free < 1:
        z = int(generator.choice(np.flatnonzero(sections >= free * sections.max())))
    depth = ndimage.distance_transform_edt(np.pad(region[z], 1))[1:-1, 1:-1]
    depth = depth + generator.uniform(0, 0.01, depth.shape)
    if free < 1:
        depth *= generator.uniform(free, 1, depth.shape)
    depth[~region[z]] = 0
    start = np.unravel_index(int(np.argmax(depth)), depth.shape)
    free = depth.copy()
    path = [start]
    for _ in range(2):
        here = start
        for _ in range(REACH):
            free[max(0, here[0] - 1) : here[0] + 2, max(0, here[1] - 1) : here[1] + 2] *= 0.5
            best, following = 0.0, None
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    y, x = here[0] + dy, here[1] + dx
                    inside = 0 <= y < depth.shape[0] and 0 <= x < depth.shape[1]
                    if inside and (y, x) not in path and free[y, x] > best:
                        best, following = free[y, x], (y, x)
            if following is None or best <= 0.25:
                break
            here = following
            path.append(here)
    brush = np.zeros(depth.shape, bool)
    brush[tuple(np.array(path).T)] = True
    brush = ndimage.binary_dilation(brush) & (truth[z] == value)
    painted[z][brush] = value
