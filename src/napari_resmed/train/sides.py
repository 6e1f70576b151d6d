"""Whether left and right are told apart: then no image may be mirrored, unless their labels are exchanged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from napari_resmed.case import Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets.load import open_labels
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.train.fingerprint import Fingerprint

__all__ = ["side_pairs", "tells_sides"]

_LEFT = r"left|lh|lt?|sin|sinister|sinistr[oa]|links?|linke[rns]?|gauche|izquierd[oa]"
_RIGHT = r"right|rh|rt?|dex|dexter|destr[oa]|rechts?|rechte[rns]?|droite?|derech[oa]"
# A word by itself: "cortex" and "heart" hold some of these.
_SIDE = re.compile(rf"(?<![^\W\d_])(?:({_LEFT})|{_RIGHT})(?![^\W\d_])", re.IGNORECASE)
# Cases that are looked at where no name says it, of those that show a pair; one that is none shows so in one of them.
LOOKED_AT = 4
# How far a structure's middle has to be off the middle of both, as a share of the image's width, to be on a side.
OFF_THE_MIDDLE = 0.04
# How much larger than the other one of a pair may be.
OF_ONE_SIZE = 3


def tells_sides(dataset: Dataset, facts: Fingerprint) -> bool:
    """Whether any structure is the left or the right one of a pair.

    By its name; where no name says so, by looking for two that lie on opposite sides of the same middle in every case
    that shows both in about one size.
    """
    if any(_SIDE.search(_words(label.name)) for label in dataset.labels):
        return True
    # By what was counted before, so that no label map is read where no two are alike.
    likely = {case.name: pairs for case in facts.cases if (pairs := _alike(dataset, case.voxels))}
    signs: dict[tuple[int, int], list[int]] = {}
    for name, turned in _some_labels(dataset, list(likely)):
        centres = _centres(turned, dataset.labels.values)
        for one, other in likely[name]:
            if one in centres and other in centres:
                side = _opposite(centres[one], centres[other], turned.shape[2])
                signs.setdefault((one, other), []).append(side)
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
            sided.setdefault(_SIDE.sub("?", words).casefold(), []).append((label.value, bool(found[0])))
        elif label.name == default_name(label.value):
            return ()
        else:
            others.append(label.value)
    if any(sorted(is_left for _, is_left in pair) != [False, True] for pair in sided.values()):
        return ()
    pairs = tuple((one, other) for (one, _), (other, _) in sided.values())
    for _, turned in _some_labels(dataset, [case.name for case in facts.cases]):
        width = turned.shape[2]
        middles = [_middle(turned, one) + _middle(turned, other) for one, other in pairs]
        middle = np.nanmean(middles) / 2 if np.isfinite(middles).any() else np.nan
        if any(abs(_middle(turned, value) - middle) > OFF_THE_MIDDLE * width for value in others):
            return ()
    return pairs


def _some_labels(dataset: Dataset, names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Names and label maps of the first few of these cases, axes towards Superior, Posterior, Left."""
    wanted = set(names[:LOOKED_AT])
    for case in dataset.cases:
        if case.name not in wanted:
            continue
        try:
            labels = open_labels(case)
        except ResMedError:
            continue
        yield case.name, canonical_order(labels.affine).apply(labels.data)


def _alike(dataset: Dataset, voxels: Mapping[int, int]) -> list[tuple[int, int]]:
    """Structures of which a case has both, in about one size."""
    there = [value for value in dataset.labels.values if voxels.get(value)]
    sizes = ((pair, [voxels[value] for value in pair]) for pair in combinations(there, 2))
    return [pair for pair, of in sizes if max(of) <= OF_ONE_SIZE * min(of)]


def _middle(labels: np.ndarray, value: int) -> float:
    """A structure's middle along the last axis, in voxels; not a number where it is absent."""
    columns = np.flatnonzero((labels == value).any((0, 1)))
    return float(columns[0] + columns[-1]) / 2 if len(columns) else math.nan


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\b[LR])(?=[A-Z][a-z])", " ", name.replace("_", " "))


def _centres(labels: np.ndarray, values: Sequence[int]) -> dict[int, np.ndarray]:
    """The centre of mass ``(z, y, x)`` of every value that is there, in voxels."""
    known = np.array(sorted(values))
    sums = np.zeros((4, len(known)))
    for z, plane in enumerate(labels):  # a slice at a time, so that memory stays small
        y, x = np.nonzero(plane)
        found = plane[y, x]
        number = np.searchsorted(known, found)
        hit = known.take(number, mode="clip") == found
        weights = (np.full(len(found), z), y, x, np.ones(len(found)))
        sums += [np.bincount(number[hit], weight[hit], len(known)) for weight in weights]
    there = sums[3] > 0
    return dict(zip(known[there].tolist(), (sums[:3, there] / sums[3, there]).T, strict=True))


def _opposite(one: np.ndarray, other: np.ndarray, width: int) -> int:
    """1 or -1 where two centres lie beside each other left and right, by which is which; 0 else."""
    apart = one - other
    beside = abs(apart[2]) > 2 * OFF_THE_MIDDLE * width and abs(apart[2]) > 2 * max(abs(apart[0]), abs(apart[1]))
    return int(np.sign(apart[2])) if beside else 0
