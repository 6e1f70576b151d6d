"""What can be done about images that form no regular grid, when a person asks for it; never by itself.

``largest_block`` keeps the longest evenly spaced run of places and leaves the rest out; ``resample`` puts all
slices on even distances by linear interpolation between neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.stack import (
    EVEN_FRACTION,
    EVEN_MM,
    SAME_POSITION_MM,
    Stack,
    by_place,
    height_mm,
    in_time,
    sideways,
    stack_of,
    uneven,
)

__all__ = ["EvenGrid", "even_grid", "largest_block", "remedies"]

# One place is no volume, and two slices at uneven distances do not exist.
_FEWEST = 2
# More slices than this many times those that are there would be made of nothing.
_MOST_NEW = 4


@dataclass(frozen=True)
class EvenGrid:
    """Even places between the first slice and the last.

    For each new slice ``weights`` holds, by place, the index of the one below and the share of the one above.
    """

    stack: Stack
    below: NDArray[np.intp]
    share: NDArray[np.float64]


def remedies(stack: Stack) -> tuple[str, ...]:
    """What helps: ``"largest_block"``, ``"resample"``; nothing where the problem is of another kind."""
    if not stack.irregular:
        return ()
    block = ("largest_block",) if largest_block(stack.slices) is not None else ()
    return (*block, "resample") if even_grid(stack.slices) is not None else block


def largest_block(slices: Sequence[Slice]) -> Stack | None:
    """The largest part that is a regular grid, every image once; None where there is none of two slices."""
    once = _without_copies(slices)
    places = by_place(once)
    candidates = [
        run
        for count in sorted({len(place) for place in places})
        for whole, same in groupby(places, key=lambda place, count=count: len(place) == count)  # type: ignore[misc]
        if whole
        for run in _even_runs(list(same))
    ]
    # Where images are repeated without any order, one of each place.
    candidates += _even_runs([[min(place, key=_by_number)] for place in places])
    candidates.sort(key=lambda run: -sum(map(len, run)))
    for run in candidates:
        if len(run) < _FEWEST:
            continue
        stack = stack_of(run)
        if not stack.problem:
            left = len(slices) - len(stack.slices)
            ends = f"{run[0][0].path.name} to {run[-1][0].path.name}"
            note = f"only the largest regular part is shown ({ends}): {left} of {len(slices)} images are left out"
            return replace(stack, warnings=(note, *stack.warnings))
    return None


def even_grid(slices: Sequence[Slice]) -> EvenGrid | None:
    """All slices on even distances, from the first to the last; None where they do not lie on one line."""
    places = by_place(_without_copies(slices))
    if len(places) <= _FEWEST or sideways(places):
        return None
    timed, ordered_by, problem = in_time(places)
    if problem:
        return None
    bottom = [place[0] for place in places]
    heights = np.array([height_mm(image, bottom[0]) for image in bottom])
    positions = np.array([image.position for image in bottom])
    share = (heights - heights[0]) / (heights[-1] - heights[0])
    line = positions[0] + share[:, None] * (positions[-1] - positions[0])
    if np.linalg.norm(positions - line, axis=1).max() > EVEN_MM:
        return None
    gap = float(np.median(np.diff(heights)))
    count = round((heights[-1] - heights[0]) / gap) + 1
    if count < _FEWEST or count > _MOST_NEW * len(places):
        return None
    ends = stack_of([places[0], places[-1]])
    if ends.affine is None:
        return None
    affine = ends.affine.copy()
    affine[:3, 0] = (positions[-1] - positions[0]) / (count - 1)
    wanted = np.linspace(heights[0], heights[-1], count)
    below = np.clip(np.searchsorted(heights, wanted, side="right") - 1, 0, len(places) - 2)
    above_share = (wanted - heights[below]) / (heights[below + 1] - heights[below])
    new_gap = (heights[-1] - heights[0]) / (count - 1)
    widest = float(np.diff(heights).max())
    note = (
        f"resampled: {len(places)} slices up to {widest:.4g} mm apart became {count} slices {new_gap:.4g} mm apart, "
        "by linear interpolation between neighbours; values between slices were not measured"
    )
    ordered = tuple(image for moment in timed for image in moment)
    stack = Stack(ordered, len(places), len(timed), affine, (note,), ordered_by=ordered_by)
    return EvenGrid(stack, below, np.clip(above_share, 0.0, 1.0))


def _without_copies(slices: Sequence[Slice]) -> list[Slice]:
    kept: dict[object, Slice] = {}
    for image in slices:
        kept.setdefault((image.uid, image.frame, image.corner) if image.uid else (image.path, image.frame), image)
    return list(kept.values())


def _by_number(image: Slice) -> tuple[float, str]:
    return (next((time for time in image.times if time is not None), 0.0), str(image.path))


def _even_runs(places: list[list[Slice]]) -> list[list[list[Slice]]]:
    """Cut into runs of even distances, each as long as it can be."""
    if len(places) < _FEWEST:
        return [places]
    heights = [height_mm(place[0], places[0][0]) for place in places]
    positions = np.array([place[0].position for place in places])
    steps = np.diff(positions, axis=0)
    runs, start = [], 0
    for index in range(1, len(places)):
        last = index == len(places) - 1
        gap = heights[start + 1] - heights[start]
        off = float(np.linalg.norm(steps[index] - steps[start])) if not last else np.inf
        if off > max(min(EVEN_MM, EVEN_FRACTION * gap), SAME_POSITION_MM):
            runs.append(places[start : index + 1])
            start = index
    return [run for run in runs if len(run) < _FEWEST or not uneven([place[0] for place in run])] or runs
