"""Intensities as nnU-Net makes them ready: on the image's own grid, before it is resampled.

After Isensee et al., Nature Methods 2021 (online methods, "intensity normalization").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import ModelError

__all__ = ["KINDS", "Normalization", "normalize"]

KINDS = ("zscore", "ct", "none", "unit", "byte")
# Under this a standard deviation or a range counts as none.
LEAST = 1e-8


@dataclass(frozen=True)
class Normalization:
    """What is done to one channel.

    Parameters
    ----------
    kind:
        ``"zscore"`` (mean 0, deviation 1, of the image itself), ``"ct"`` (clipped to ``low..high``, then ``mean`` and
        ``std`` of the training data), ``"none"``, ``"unit"`` (least and greatest become 0 and 1), ``"byte"`` (divided
        by 255).
    masked:
        Of ``"zscore"``: whether only the voxels that are not zero count and change, holes among them filled.
    low, high, mean, std:
        Of ``"ct"``.
    """

    kind: str
    masked: bool = False
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(f"the model's normalization is {self.kind!r}, expected one of {', '.join(KINDS)}")
        # Not so simply said: it also refuses what is not a number.
        if self.kind == "ct" and not (-inf < self.low < self.high < inf and -inf < self.mean < inf and self.std >= 0):
            raise ModelError(f"the model's normalization clips to {self.low}..{self.high}, expected two finite values")

    def to_json(self) -> dict[str, Any]:
        """Plain values; those that say nothing left out."""
        values = asdict(self)
        told = {"ct": ("low", "high", "mean", "std"), "zscore": ("masked",) if self.masked else ()}
        return {name: values[name] for name in ("kind", *told.get(self.kind, ()))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Normalization:
        """Read what :meth:`to_json` wrote."""
        numbers = {name: float(values[name]) for name in ("low", "high", "mean", "std") if name in values}
        return cls(str(values["kind"]), bool(values.get("masked", False)), **numbers)


def normalize(channel: NDArray[np.float32], how: Normalization, inside: NDArray[np.bool_] | None) -> None:
    """Change one channel ``(z, y, x)`` in place.

    Parameters
    ----------
    channel:
        float32.
    how:
        What is done.
    inside:
        Where the image is not zero; needed where ``how.masked``.
    """
    if how.kind == "ct":
        np.clip(channel, how.low, how.high, out=channel)
        channel -= how.mean
        channel /= max(how.std, LEAST)
    elif how.kind == "unit":
        channel -= channel.min()
        channel /= max(float(channel.max()), LEAST)
    elif how.kind == "byte":
        channel /= 255
    elif how.kind == "zscore" and how.masked and inside is not None:
        values = channel[inside]
        channel[inside] = (values - values.mean()) / max(float(values.std()), LEAST)
    elif how.kind == "zscore":
        mean, std = channel.mean(), channel.std()
        channel -= mean
        channel /= max(float(std), LEAST)
