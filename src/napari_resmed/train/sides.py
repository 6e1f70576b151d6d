"""Whether left and right are told apart: then no image may be mirrored."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np

from napari_resmed.case import Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets import load_case
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.train.fingerprint import Fingerprint

__all__ = ["tells_sides"]

_SIDE = re.compile(r"(?<![a-z])(left|right|lh|rh|l|r|sin|dex|sinister|dexter|links|rechts)(?![a-z])", re.IGNORECASE)
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
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\b[LR])(?=[A-Z][a-z])", " ", label.name.replace("_", " "))
        if _SIDE.search(words):
            return True
        if label.name == default_name(label.value):
            unnamed.append(label.value)
    if len(unnamed) < 2:
        return False
    names = {case.name for case in facts.cases[:LOOKED_AT]}
    signs: dict[tuple[int, int], list[int]] = {}
    for case in dataset.cases:
        if case.name not in names:
            continue
        try:
            image, labels = load_case(case, dataset)
        except ResMedError:
            continue
        turned = canonical_order(image.affine).apply(labels.data)
        for pair in combinations(unnamed, 2):
            signs.setdefault(pair, []).append(_opposite(turned, *pair))
    return any(abs(sum(found)) == len(found) for found in signs.values())


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
