"""Telling a label map from an image.

Files rarely say which they are. A label map is whole numbers, few of them, in solid regions: most
neighbours are equal. An image, even a smooth one in eight bits, changes from voxel to voxel.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io.provenance import read_labels
from napari_resmed.labels import LabelMap, LabelSet, count_values, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = ["looks_like_labels", "settle_kind"]

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
        Its file, whose name is a hint and beside which a note may name the labels.
    labels:
        Labels that the file itself names.
    says_labels:
        Whether the file declares that it holds labels.
    """
    if volume.axes != "zyx" or not (says_labels or looks_like_labels(volume.data, volume.name or path.name)):
        return volume
    whole = _whole_numbers(volume.data)
    if whole is None:
        return volume
    named = _named(labels or LabelSet(), read_labels(path))
    return LabelMap(
        whole,
        volume.affine,
        volume.axes,
        volume.modality,
        volume.name,
        volume.meta,
        named.completed(count_values(whole)[0].tolist()),
    )


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
    if data.dtype.kind == "f" and not (np.isfinite(data).all() and (data == np.rint(data)).all()):
        return None
    if data.min() < 0:
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
    step = max(1, data.shape[0] // MOST_SLICES)
    sample = np.asarray(data[::step])
    if data.dtype.kind == "f" and not (np.isfinite(sample).all() and (sample == np.rint(sample)).all()):
        return False
    if sample.min() < 0 or data.min() < 0 or sample.max() > np.iinfo(np.int32).max:
        return False
    values = np.unique(sample)
    if len(values) < 2:
        # Nothing in the sample: a small structure may lie between the sampled slices.
        values, sample = np.unique(data), np.asarray(data)
        if len(values) < 2:
            return False
    if len(values) == 2 and values[0] == 0:
        return True
    if len(values) > MOST_LABELS:
        return False
    if len(values) > GREY_LEVELS and len(values) >= GREY_LEVELS_USED * (float(values[-1]) + 1):
        return False
    named = bool(_NAMES.search(name.lower()))
    return _equal_neighbours(sample) >= (EQUAL_NEIGHBOURS_NAMED if named else EQUAL_NEIGHBOURS)


def _equal_neighbours(data: NDArray[Any]) -> float:
    """Share of in-slice neighbours with the same value, among pairs that are not both background."""
    equal = pairs = 0
    for axis in (1, 2):
        if data.shape[axis] < 2:
            continue
        first = data.take(range(data.shape[axis] - 1), axis)
        second = data.take(range(1, data.shape[axis]), axis)
        matter = (first != 0) | (second != 0)
        pairs += int(matter.sum())
        equal += int(((first == second) & matter).sum())
    return equal / pairs if pairs else 0.0
