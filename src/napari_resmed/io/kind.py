"""Telling a label map from an image.

Files rarely say which they are. A label map is whole numbers, few of them, in solid regions: most
neighbours are equal. An image, even a smooth one in eight bits, changes from voxel to voxel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io.provenance import read_labels
from napari_resmed.labels import LabelMap, LabelSet, count_values, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = ["looks_like_labels", "settle_kind", "surely_image"]

# Whole-body label sets have about 120 structures, cortical parcellations up to 2 000 with large values.
MOST_LABELS = 3000
# Share of neighbouring pairs (at least one of them not background) with the same value. Measured on the data
# at hand: label maps 0.48 (small organs at 4 mm) to 0.97, images 0.00 to 0.33 but for pictures with large
# saturated areas, which have every grey value.
EQUAL_NEIGHBOURS = 0.4
# With a name that says "labels", coarser regions do: a small mask is mostly border.
EQUAL_NEIGHBOURS_NAMED = 0.15
# More values than this with hardly a gap between them are grey levels: label sets that large have gaps.
GREY_LEVELS = 150
GREY_LEVELS_USED = 0.9
# A part of a volume tells for certain that it is an image when, of this many pairs, fewer than this share are equal:
# half of what the coarsest of small named masks has.
MANY_PAIRS = 200_000
SURELY_UNEQUAL = 0.07
# Enough voxels to tell, few enough to cost nothing.
MOST_SLICES = 40

_NAMES = re.compile(
    r"(?:^|[^a-z])(?:seg|segs|dseg|aseg|aparc|segmentations?|labels?|labelmaps?|masks?|roi|rois|parc|"
    r"parcellations?|lesions?|annotations?|gt|groundtruth)(?:[^a-z]|$)"
)


def settle_kind(volume: Volume, path: Path, labels: LabelSet | None = None, says_labels: bool = False) -> Volume:
    """The volume as a :class:`LabelMap` where its file says or shows that it is one.

    Parameters
    ----------
    volume:
        As read.
    path:
        Its file, whose name is a hint and beside which a note may say that it holds labels, and which.
    labels:
        Labels that the file itself names.
    says_labels:
        Whether the file declares that it holds labels.
    """
    # In time only what says that it is: of such volumes there is no telling by looks.
    if "c" in volume.axes:
        return volume
    noted = read_labels(path)
    looks = says_labels or looks_like_labels(volume.data, volume.name or path.name)
    if not looks and (noted is None or not _holds_only(volume.data, noted)):
        return volume
    whole = _whole_numbers(volume.data)
    if whole is None:
        return volume
    named = _named(labels or LabelSet(), noted)
    return LabelMap(
        whole,
        volume.affine,
        volume.axes,
        volume.modality,
        volume.name,
        volume.meta,
        named.completed(count_values(whole)[0].tolist()),
    )


def _holds_only(data: NDArray[Any], noted: LabelSet) -> bool:
    """Whether the note beside the file may be of this array: it may also be left over from what was there before."""
    return set(count_values(data)[0].tolist()) <= {0, *noted.values}


def _named(own: LabelSet, noted: LabelSet | None) -> LabelSet:
    """The labels that the file names; the note beside it adds codes, which an image header cannot hold.

    A note may be left over from another map, so where both name a label the file is right.
    """
    if noted is None or not len(own):
        return noted or own
    known = {(label.value, label.name): label for label in noted}
    return LabelSet(tuple(known.get((label.value, label.name), label) for label in own))


def _whole_numbers(data: NDArray[Any]) -> NDArray[Any] | None:
    """The array as the labels it stands for, or None where it does not."""
    if data.dtype.kind in "bu":
        return data
    if not all(_are_whole(plane) for plane in data) or data.min() < 0:
        return None
    return data if data.dtype.kind == "i" else data.astype(smallest_integer_type(int(data.max())))


def looks_like_labels(data: NDArray[Any], name: str = "") -> bool:
    """Whether an array is more likely a label map than an image.

    Parameters
    ----------
    data:
        Any number of dimensions; the last three are spatial.
    name:
        The file's name, whose words ("seg", "mask", ...) count as a hint.

    Returns
    -------
    bool
        True for a label map. A constant array is not one.
    """
    if data.ndim != 3 or data.dtype.kind not in "biuf":
        return False
    if data.dtype.kind == "b":
        return True
    sample = data[:: max(1, data.shape[0] // MOST_SLICES)]
    if surely_image(sample) or not all(_are_whole(plane) for plane in sample):
        return False
    if sample.min() < 0 or data.min() < 0 or sample.max() > np.iinfo(np.int32).max:
        return False
    values = _distinct(sample)
    if len(values) < 2:
        # Nothing in the sample: a small structure may lie between the sampled slices.
        values, sample = _distinct(data), data
        if len(values) < 2:
            return False
    if len(values) == 2 and values[0] == 0:
        return True
    if len(values) > MOST_LABELS:
        return False
    if len(values) > GREY_LEVELS and len(values) >= GREY_LEVELS_USED * (float(values[-1]) + 1):
        return False
    named = bool(_NAMES.search(name.lower()))
    equal, pairs = _neighbours(sample)
    return equal >= (EQUAL_NEIGHBOURS_NAMED if named else EQUAL_NEIGHBOURS) * pairs > 0


def surely_image(planes: Iterable[NDArray[Any]]) -> bool:
    """Whether the first planes of a volume already show that it holds no labels; stops as soon as they do.

    Parameters
    ----------
    planes:
        ``(y, x)`` each, in order, read while they are asked for.

    Returns
    -------
    bool
        True where :func:`looks_like_labels` of the whole would say no; False where all of it must be looked at.
    """
    equal = pairs = 0
    for plane in planes:
        if not _are_whole(plane) or plane.min() < 0:
            return True
        more_equal, more_pairs = _neighbours(plane[None])
        equal, pairs = equal + more_equal, pairs + more_pairs
        # Two values are a mask, however ragged.
        if pairs > MANY_PAIRS and equal < SURELY_UNEQUAL * pairs and len(np.unique(plane)) > 2:
            return True
    return False


def _are_whole(plane: NDArray[Any]) -> bool:
    """Whether all numbers are whole; the first row tells of most images that they are not."""
    if plane.dtype.kind != "f":
        return True
    return all(
        bool(np.isfinite(part).all() and (part == np.rint(part)).all()) for part in (plane[len(plane) // 2], plane)
    )


def _distinct(data: NDArray[Any]) -> NDArray[Any]:
    """Distinct values, ascending; a few more than :data:`MOST_LABELS` where there are more."""
    if data.dtype == np.int16:
        data = data.view(np.uint16)  # none is below 0; these are counted ten times as fast
    found = np.array([], data.dtype)
    for plane in data:  # one at a time: all at once would take several times their memory
        found = np.union1d(found, count_values(plane)[0].astype(data.dtype))
        if len(found) > MOST_LABELS:
            break
    return found


def _neighbours(data: NDArray[Any]) -> tuple[int, int]:
    """How many in-slice neighbours have the same value, and how many pairs are not both background."""
    equal = pairs = 0
    for plane in data:
        for first, second in ((plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])):
            matter = (first != 0) | (second != 0)
            pairs += int(np.count_nonzero(matter))
            equal += int(np.count_nonzero((first == second) & matter))
    return equal, pairs
