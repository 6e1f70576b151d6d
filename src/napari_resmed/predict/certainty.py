"""How sure a network is, on the whole, of what it found."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_resmed.nets.split import Head

__all__ = ["Certainty"]

# Every so-manieth voxel of a row along y and x: a mean over a whole structure needs no more.
STEP = 3


class Certainty:
    """Mean probability of the winning class where that is a structure; rows are added as they are finished."""

    def __init__(self) -> None:
        self._sum, self._voxels = 0.0, 0

    def add(self, means: Tensor, head: Head | None = None) -> None:
        """Take some rows, class 0 being background; see :class:`napari_resmed.predict.belt.Rows`."""
        few = means[:, :, ::STEP, ::STEP]
        few = (few if head is None else head(few[None])[0]).float()
        best, winner = torch.softmax(few, 0).max(0)
        found = winner > 0
        self._sum += float(best[found].sum())
        self._voxels += int(found.sum())

    @property
    def mean(self) -> float | None:
        """0..1; None where nothing was found."""
        return self._sum / self._voxels if self._voxels else None
