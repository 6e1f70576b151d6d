"""From DICOM images that belong together to a regular stack: in which order, where they lie.

Nothing is averaged and nothing is guessed: images that do not form one regular grid get a ``problem``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_resmed.geometry import Affine
from napari_resmed.io.dicom.slice import TIMES, Slice

__all__ = [
    "Stack",
    "by_place",
    "display_notes",
    "height_mm",
    "in_time",
    "pixel_spacing",
    "sideways",
    "stack_of",
    "uneven",
]

# Directions nearer than this are the same: 0.12 mm at 250 mm from the corner. Scanners print four digits or
# more; different slabs of one localizer differ a hundred times as much.
SAME_DIRECTION = 5e-4
# Pixel spacings nearer than this are the same: 0.05 mm over 512 pixels of 1 mm.
SAME_SPACING_MM = 1e-4
# Two images lie at one place when their positions differ by less: finer than any slice distance, coarser than
# the rounding of a repeated position.
SAME_POSITION_MM = 0.01
# How far a slice may lie from its place in an even stack: positions printed with one decimal are off by
# 0.05 mm, the slice's and the ends'. In very thin slices a tenth of the distance is the stricter limit.
EVEN_MM = 0.1
EVEN_FRACTION = 0.1
# From this deviation on a person is told; below lies printing with two decimals or more.
EVEN_WARN_MM = 0.01
# Gaps that are whole multiples of the smallest within this fraction mean missing slices.
MULTIPLE_FRACTION = 0.02
# A stack that leans by more is tilted: above the rounding of positions, under any real gantry tilt.
TILT_DEGREES = 0.06
# No gantry tilts by more than 30 degrees; slices that move sideways more than up are no tilted volume.
MOST_TILT_DEGREES = 45.0
# The header's slice distance may differ from the positions' by this fraction before a person is told.
HEADER_GAP_FRACTION = 0.01
# Rows and columns farther from a right angle than printed digits can explain.
SQUARE_COSINE = 1e-3


@dataclass(frozen=True)
class Stack:
    """Images that belong together, in order: by time, then along the slice normal.

    ``positions`` and ``frames`` say how many there are of each, ``ordered_by`` what tells the frames apart; the
    affine is that of the first time. With a ``problem`` the order is by position as far as known, and there is no
    affine.
    """

    slices: tuple[Slice, ...]
    positions: int = 1
    frames: int = 1
    affine: Affine | None = None
    warnings: tuple[str, ...] = ()
    problem: str = ""
    ordered_by: str = ""
    irregular: bool = False  # the images have their places, which form no regular grid


def _normal(image: Slice) -> NDArray[np.float64]:
    return np.array(_unit_normal(image.row, image.column))


@lru_cache(maxsize=64)
def _unit_normal(row: tuple[float, ...], column: tuple[float, ...]) -> tuple[float, ...]:
    normal = np.cross(row, column)
    return tuple((normal / (np.linalg.norm(normal) or 1)).tolist())


def height_mm(image: Slice, first: Slice) -> float:
    """Position along the normal of the first slice, in mm."""
    return sum(a * b for a, b in zip(image.position, _unit_normal(first.row, first.column), strict=True))


def by_place(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Images by their height along the common normal, lowest first; those of one height together."""
    first = slices[0]
    ordered = sorted(slices, key=lambda image: (height_mm(image, first), image.path, image.frame or 0))
    places: list[list[Slice]] = []
    reached = -math.inf
    for image in ordered:
        height = height_mm(image, first)
        if height - reached > SAME_POSITION_MM:
            places.append([])
            reached = height
        places[-1].append(image)
    return places


def stack_of(places: Sequence[list[Slice]]) -> Stack:
    """One stack from images by place, or the reason why they form none."""
    in_order = tuple(image for place in places for image in place)
    first = in_order[0]
    failed = Stack(in_order, len(places), irregular=True)
    if abs(float(np.dot(first.row, first.column))) > SQUARE_COSINE:
        return replace(
            failed,
            irregular=False,
            problem="found rows and columns that do not meet at a right angle; export the series again",
        )
    timed, ordered_by, problem = in_time(places)
    problem = problem or sideways(places) or uneven([place[0] for place in places])
    if problem:
        return replace(failed, problem=problem)
    warnings: list[str] = []
    if len(timed) > 1 and len(places) == 1:
        warnings.append(f"all {len(timed)} images lie at one place: a series in time of one slice, not a volume")
    bottom = [place[0] for place in places]
    step, notes = _step(bottom)
    spacing, more = pixel_spacing(first)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.multiply(first.column, spacing[0])
    affine[:3, 2] = np.multiply(first.row, spacing[1])
    affine[:3, 3] = bottom[0].position
    ordered = tuple(image for moment in timed for image in moment)
    said = tuple(warnings + notes + more + display_notes(first))
    return Stack(ordered, len(places), len(timed), affine, said, ordered_by=ordered_by)


def in_time(places: Sequence[list[Slice]]) -> tuple[list[list[Slice]], str, str]:
    """Images by time, each time in order of place, and what tells them apart; or why there is no such order."""
    counts = sorted({len(place) for place in places})
    if counts == [1]:
        return [[place[0] for place in places]], "", ""
    if len(counts) > 1:
        usual = Counter(len(place) for place in places).most_common(1)[0][0]
        odd = next(place for place in places if len(place) != usual)
        return (
            [],
            "",
            (
                f"found {counts[0]} to {counts[-1]} images at one place (e.g. {len(odd)} at that of "
                f"{odd[0].path.name}, elsewhere {usual}), expected the same number everywhere; remove repeated "
                "slices or add the missing files"
            ),
        )
    for key in range(min(len(image.times) for place in places for image in place)):
        times = [[image.times[key] for image in place] for place in places]
        if all(None not in row and len(set(row)) == len(row) for row in times):
            ordered = [sorted(place, key=lambda image: image.times[key] or 0.0) for place in places]
            return [list(moment) for moment in zip(*ordered, strict=True)], TIMES[key], ""
    names = " and ".join(image.path.name for image in places[0][:2])
    return (
        [],
        "",
        (
            f"found {counts[0]} images at every place ({names} first) and no time or number that orders them; "
            "remove the repeated slices"
        ),
    )


def sideways(places: Sequence[list[Slice]]) -> str:
    """Why images of one height are not images of one place."""
    for place in places:
        off = max(math.dist(image.position, place[0].position) for image in place)
        if off > EVEN_MM:
            return (
                f"found images of one plane {off:.3g} mm beside each other ({place[0].path.name}), expected "
                "one field of view; open the parts separately"
            )
    return ""


def uneven(slices: Sequence[Slice]) -> str:
    """Why slices in order do not lie at even distances; empty when they do."""
    if len(slices) < 2:
        return ""
    lean = _lean_degrees(slices)
    if lean > MOST_TILT_DEGREES:
        return (
            f"found slices that move sideways along {lean:.0f} degrees from the normal, expected "
            f"{MOST_TILT_DEGREES:.0f} at most; open the slices one by one"
        )
    gaps = np.diff([height_mm(image, slices[0]) for image in slices])
    if _deviation(slices) <= min(EVEN_MM, EVEN_FRACTION * float(np.abs(gaps).mean())):
        return ""
    smallest, largest, widest = float(gaps.min()), float(gaps.max()), int(gaps.argmax())
    between = f"{slices[widest].path.name} and {slices[widest + 1].path.name}"
    multiples = gaps / smallest
    missing = int(np.rint(multiples).sum()) - len(gaps)
    if missing and np.abs(multiples - np.rint(multiples)).max() < MULTIPLE_FRACTION * multiples.max():
        return (
            f"found slices {smallest:.4g} mm apart but {largest:.4g} mm between {between}, expected even "
            f"distances: {missing} of {missing + len(slices)} {'are' if missing > 1 else 'is'} missing; "
            "add the missing files, or open the files of an unbroken part alone"
        )
    if largest - smallest > EVEN_MM or largest > (1 + EVEN_FRACTION) * smallest:
        return (
            f"found slices {smallest:.4g} to {largest:.4g} mm apart (widest between {between}), expected "
            "even distances; open the files of an evenly spaced part alone"
        )
    return (
        f"found slices up to {_deviation(slices):.3g} mm beside the line through the stack, expected a "
        "straight stack; open the files of a straight part alone"
    )


def _deviation(slices: Sequence[Slice]) -> float:
    """Farthest that a slice lies from its place in an even stack, in mm, all directions counted."""
    positions = np.array([image.position for image in slices])
    share = np.linspace(0, 1, len(slices))[:, None]
    even = positions[0] + share * (positions[-1] - positions[0])
    return float(np.linalg.norm(positions - even, axis=1).max())


def _lean_degrees(slices: Sequence[Slice]) -> float:
    """Angle between the way from the first slice to the last, and the normal."""
    way = np.subtract(slices[-1].position, slices[0].position)
    up = float(np.dot(way, _normal(slices[0])))
    return math.degrees(math.atan2(float(np.linalg.norm(way - up * _normal(slices[0]))), up))


def _step(slices: Sequence[Slice]) -> tuple[NDArray[np.float64], list[str]]:
    """From one slice to the next in mm, tilt included; and what to tell a person of it."""
    first, normal = slices[0], _normal(slices[0])
    if len(slices) == 1:
        thickness = first.slice_gap_mm or first.thickness_mm or 0.0
        notes = [] if abs(thickness) > 0 else ["the slice thickness is not stated: 1 mm is assumed"]
        return np.asarray(normal * (abs(thickness) or 1.0)), notes
    step = np.subtract(slices[-1].position, first.position) / (len(slices) - 1)
    gap, lean = float(np.dot(step, normal)), _lean_degrees(slices)
    notes = []
    tilted = lean > TILT_DEGREES
    if tilted:
        notes.append(f"the stack leans by {lean:.1f} degrees (gantry tilt), kept as shear in its geometry")
    if len(slices) > 2 and _deviation(slices) > EVEN_WARN_MM:
        notes.append(f"slices lie up to {_deviation(slices):.2g} mm from even distances, as rounded positions do")
    stated = first.slice_gap_mm
    if stated and not tilted and abs(abs(stated) - gap) > HEADER_GAP_FRACTION * gap:
        notes.append(
            f"the header says {abs(stated):.4g} mm between slices, their positions say {gap:.4g} mm and are "
            "used; slices may be missing"
        )
    return np.asarray(step), notes


def pixel_spacing(image: Slice) -> tuple[tuple[float, ...], list[str]]:
    """Between rows and between columns in mm, and what to tell a person of it."""
    if not image.spacing_mm:
        return (1.0, 1.0), ["the pixel spacing is not stated: 1 mm is assumed, so lengths and volumes mean nothing"]
    if image.spacing_at_detector:
        return image.spacing_mm, ["the pixel spacing is that of the detector: lengths in the patient are shorter"]
    return image.spacing_mm, []


def display_notes(image: Slice) -> list[str]:
    """What to tell a person of how values are shown."""
    if image.photometric == "MONOCHROME1":
        return ["low values are bright (MONOCHROME1): the values are kept, and shown that way"]
    return []
