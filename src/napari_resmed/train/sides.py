"""Whether left and right are told apart: then no image may be mirrored, unless their labels are exchanged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from napari_resmed.case import Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets import load_case
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.train.fingerprint import Fingerprint

__all__ = ["side_pairs", "tells_sides"]

_SIDE = re.compile(r"(?<![a-z])(left|right|lh|rh|l|r|sin|dex|sinister|dexter|links|rechts)(?![a-z])", re.IGNORECASE)
_LEFT = {"left", "lh", "l", "sin", "sinister", "links"}
# Cases that are looked at where no name says it; a pair that is none shows so in one of them.
LOOKED_AT = 4
# How far a structure's middle has to be off the middle of both, as a share of the image's width, to be on a side.
OFF_THE_MIDDLE = 0.04


def tells_sides(dataset: Dataset, facts: Fingerprint) -> bool:
    """Whether any structure is the left or the right one of a pair.

    By its name; where structures have no names, by looking for two of about one size that lie on opposite sides of the
    same middle in every case.
    """
    unnamed = []
    for label in dataset.labels:
        if _SIDE.search(_words(label.name)):
            return True
        if label.name == default_name(label.value):
            unnamed.append(label.value)
    if len(unnamed) < 2:
        return False
    signs: dict[tuple[int, int], list[int]] = {}
    for turned in _some_labels(dataset, facts):
        for pair in combinations(unnamed, 2):
            signs.setdefault(pair, []).append(_opposite(turned, *pair))
    return any(abs(sum(found)) == len(found) for found in signs.values())


def side_pairs(dataset: Dataset, facts: Fingerprint) -> tuple[tuple[int, int], ...]:
    """Values of the structures that are each other's mirror image, by their names.

    Empty where an image that is mirrored, and these exchanged, would show what no body does: where a structure of one
    side has no partner or some have no names, and where one that has no side lies off the middle all the same, as the
    liver does.
    """
    sided: dict[str, list[tuple[int, bool]]] = {}
    others = []
    for label in dataset.labels:
        words = _words(label.name)
        found = _SIDE.findall(words)
        if found:
            sided.setdefault(_SIDE.sub("?", words).casefold(), []).append((label.value, found[0].casefold() in _LEFT))
        elif label.name == default_name(label.value):
            return ()
        else:
            others.append(label.value)
    if any(sorted(is_left for _, is_left in pair) != [False, True] for pair in sided.values()):
        return ()
    pairs = tuple((one, other) for (one, _), (other, _) in sided.values())
    for turned in _some_labels(dataset, facts):
        width = turned.shape[2]
        middles = [_middle(turned, one) + _middle(turned, other) for one, other in pairs]
        middle = np.nanmean(middles) / 2 if np.isfinite(middles).any() else np.nan
        if any(abs(_middle(turned, value) - middle) > OFF_THE_MIDDLE * width for value in others):
            return ()
    return pairs


def _some_labels(dataset: Dataset, facts: Fingerprint) -> Iterator[np.ndarray]:
    """Label maps of the first few cases that can be used, axes towards Superior, Posterior, Left."""
    names = {case.name for case in facts.cases[:LOOKED_AT]}
    for case in dataset.cases:
        if case.name not in names:
            continue
        try:
            image, labels = load_case(case, dataset)
        except ResMedError:
            continue
        yield canonical_order(image.affine).apply(labels.data)


def _middle(labels: np.ndarray, value: int) -> float:
    """A structure's middle along the last axis, in voxels; not a number where it is absent."""
    columns = np.flatnonzero((labels == value).any((0, 1)))
    return float(columns[0] + columns[-1]) / 2 if len(columns) else math.nan


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\b[LR])(?=[A-Z][a-z])", " ", name.replace("_", " "))


def _opposite(labels: np.ndarray, one: int, other: int) -> int:
    """1 or -1 where two structures lie beside each other left and right, by which is which; 0 else."""
    middles, sizes = [], []
    for value in (one, other):
        here = np.argwhere(labels == value)
        if not len(here):
            return 0
        middles.append(here.mean(0))
        sizes.append(len(here))
    if max(sizes) > 3 * min(sizes):
        return 0
    apart = middles[0] - middles[1]
    width = labels.shape[2]
    beside = abs(apart[2]) > 2 * OFF_THE_MIDDLE * width and abs(apart[2]) > 2 * max(abs(apart[0]), abs(apart[1]))
    return int(np.sign(apart[2])) if beside else 0
