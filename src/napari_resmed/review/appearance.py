"""How images of one kind look as a whole: enough to see that another is of another kind, too little to know anybody.

Of every channel a few means over a coarse grid and a few quantiles; of many images their mean and covariance, which is
all that a model keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_IMAGES", "Appearance", "appearance_of", "inverted"]

Floats = NDArray[np.float64]

# Parts along every axis of a slice, and of a volume.
_FLAT_GRID, _DEEP_GRID = (1, 4, 4), (3, 3, 3)
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
# Of so many values the quantiles are taken; more tell no more.
_SAMPLED = 4096
# Fewer images say too little of how images of their kind look, and a mean of them would be too much like each.
LEAST_IMAGES = 10
# No value is taken to vary less than this from image to image, in units of the intensity range.
_LEAST_DEVIATION = 0.03
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Appearance:
    """Mean ``(value,)`` and covariance ``(value, value)`` of :func:`appearance_of` over images."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, vectors: Sequence[Sequence[float]]) -> Appearance:
        """Of at least two images; the fewer there are, the less is made of how values go together."""
        values = np.asarray(vectors, np.float64)
        count, length = values.shape
        covariance = np.cov(values, rowvar=False)
        own = np.diag(np.diag(covariance))
        share = length / (length + count)
        covariance = (1 - share) * covariance + share * own + _LEAST_DEVIATION**2 * np.eye(length)
        return cls(values.mean(0), covariance)

    def distance(self, vector: Sequence[float]) -> float:
        """How far an image is from the mean, in standard deviations (Mahalanobis, 1936), per value."""
        off = np.asarray(vector, np.float64) - self.mean
        return float(np.sqrt(off @ np.linalg.solve(self.covariance, off) / len(off)))

    def agreement(self, vector: Sequence[float]) -> float:
        """Correlation of where an image is bright with where images of the kind are: -1 to 1."""
        here, there = (values[: -len(_QUANTILES)] for values in (np.asarray(vector, np.float64), self.mean))
        spread = here.std() * there.std()
        return float(((here - here.mean()) * (there - there.mean())).mean() / spread) if spread > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean": self.mean.round(_DIGITS).tolist(), "covariance": self.covariance.round(_DIGITS + 2).tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Appearance:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, ValueError
            If it is something else, or no image can be compared with it.
        """
        mean, covariance = (np.asarray(values[name], np.float64) for name in ("mean", "covariance"))
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not np.isfinite(mean).all():
            raise ValueError(f"a mean of {mean.shape} values and a covariance of {covariance.shape}")
        np.linalg.cholesky(covariance)  # of what is no covariance there is no distance
        return cls(mean, covariance)


def appearance_of(channel: NDArray[np.floating[Any]]) -> list[float] | None:
    """A few values of one channel ``([t,] z, y, x)`` in 0..1; None where it is the same everywhere.

    Of a series, those of its mean over time. What was only filled up around the image does not count, whatever its
    value.
    """
    image = np.asarray(channel, np.float32)
    seen = _without_border(image.mean(0) if image.ndim == 4 else image)
    if seen is None:
        return None
    grid = _FLAT_GRID if image.shape[-3] == 1 else _DEEP_GRID
    values = [
        float(part.mean())
        for slab in _parts(seen, 0, grid[0])
        for row in _parts(slab, 1, grid[1])
        for part in _parts(row, 2, grid[2])
    ]
    sample = seen.reshape(-1)[:: max(1, seen.size // _SAMPLED)]
    return [round(value, _DIGITS) for value in (*values, *np.quantile(sample, _QUANTILES).tolist())]


def inverted(vector: Sequence[float]) -> list[float]:
    """The values of the same image with bright and dark exchanged."""
    means, quantiles = vector[: -len(_QUANTILES)], vector[-len(_QUANTILES) :]
    return [1 - value for value in (*means, *reversed(quantiles))]


def _without_border(image: NDArray[np.float32]) -> NDArray[np.float32] | None:
    for axis in (2, 1, 0):
        others = tuple(other for other in range(3) if other != axis)
        there = np.flatnonzero(image.max(others) > image.min(others))
        if not len(there):
            return None
        # Of a single slice, or one that varies along one axis alone, all of the others counts.
        image = image.take(range(int(there[0]), int(there[-1]) + 1), axis)
    return image


def _parts(image: NDArray[np.float32], axis: int, count: int) -> list[NDArray[np.float32]]:
    """Equal parts along an axis; of fewer voxels than parts, some several times."""
    size = image.shape[axis]
    edges = [
        (number * size // count, max(number * size // count + 1, (number + 1) * size // count))
        for number in range(count)
    ]
    return [image[(slice(None),) * axis + (slice(low, high),)] for low, high in edges]
