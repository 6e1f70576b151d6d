"""What a trained network takes a case's voxels for, before it is trained on: the beginning of new structures.

It tells where each new structure begins (in the class that most of it is given), and which classes hold none of it:
there, unpainted places can be taken for background.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_resmed.models.model import Model
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.sliding_window import sliding_window
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.held_out import known_box
from napari_resmed.train.store import Prepared
from napari_resmed.train.transfer import Origin

__all__ = ["SeenByBase", "assumed_background", "look_with_base"]

OVERLAP = 0.25
# A class holds none of the structures where it has at least so many known voxels, of which they are at most this share,
# and where at most this share of any structure lies in it: what the network mistakes at their borders.
ENOUGH_VOXELS, SHARE_OF_CLASS, SHARE_OF_STRUCTURE = 500, 0.02, 0.1
# Probability from which an answer of the network counts as sure.
SURE = 0.9


@dataclass(frozen=True, eq=False)
class SeenByBase:
    """Known voxels by what they are and what the network takes them for.

    Parameters
    ----------
    counts:
        float64 ``(1 + structures, classes of the network)``; the first row is background.
    """

    counts: NDArray[np.float64]

    def origins(self, labels: Sequence[str]) -> dict[str, Origin]:
        """The class that most voxels of each structure are given, and the structure's share of it."""
        origins = {}
        for number, name in enumerate(labels, 1):
            if self.counts[number].any():
                row = int(self.counts[number].argmax())
                origins[name] = Origin(row, float(self.counts[number, row] / self.counts[:, row].sum()))
        return origins

    @property
    def empty_classes(self) -> tuple[int, ...]:
        """Classes in which no structure lies, as far as was painted."""
        known, inside = self.counts.sum(0), self.counts[1:]
        empty = (known >= ENOUGH_VOXELS) & (inside.sum(0) <= SHARE_OF_CLASS * known)
        empty &= (inside <= SHARE_OF_STRUCTURE * inside.sum(1, keepdims=True)).all(0)
        return tuple(np.flatnonzero(empty).tolist())


def look_with_base(
    base: Model, network: nn.Module, machine: Machine, cases: Iterable[Prepared], structures: int
) -> Generator[None, None, SeenByBase]:
    """Compare a trained network's answers with what is known of a few cases.

    Parameters
    ----------
    base, network:
        The trained model and its network, on the machine's device.
    cases:
        A few, on its grid; classes 1.. of their target are the structures.
    structures:
        How many there are.

    Yields
    ------
    None
        Between two windows.
    """
    counts = np.zeros((1 + structures, len(base.class_values)))
    for case in cases:
        box = known_box(case.target, base.patch)
        scores = yield from _scores(base, network, machine, case.image[(slice(None), *box)])
        found = scores.argmax(0).numpy()
        target = case.target[box]
        known = target >= 0
        np.add.at(counts, (target[known], found[known]), 1)
    return SeenByBase(counts)


def assumed_background(
    base: Model, network: nn.Module, machine: Machine, case: Prepared, empty: Sequence[int]
) -> Generator[None, None, NDArray[np.bool_]]:
    """Unknown voxels ``(z, y, x)`` that the network surely takes for a class in which no structure lies."""
    if not empty or not (case.target == UNKNOWN).any():
        return np.zeros(case.target.shape, bool)
    scores = yield from _scores(base, network, machine, case.image)
    share, found = scores.softmax(0).max(0)
    sure = (share >= SURE).numpy() & np.isin(found.numpy(), list(empty))
    assumed: NDArray[np.bool_] = sure & (case.target == UNKNOWN)
    return assumed


def _scores(
    base: Model, network: nn.Module, machine: Machine, image: NDArray[np.floating[Any]]
) -> Generator[None, None, Tensor]:
    windows = sliding_window(
        torch.from_numpy(image.astype(np.float32)),
        network,
        machine,
        classes=len(base.class_values),
        patch=base.patch,
        overlap=OVERLAP,
    )
    while True:
        try:
            next(windows)
        except StopIteration as end:
            scores: Tensor = end.value
            return scores
        yield
