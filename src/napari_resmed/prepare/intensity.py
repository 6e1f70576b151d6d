"""Intensities as MONAI's transforms make them ready: steps one after the other, each on all channels.

After MONAI 1.6, ``monai.transforms.intensity.array``; the classes are named at each kind below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import ModelError

__all__ = ["INTENSITIES", "Intensity", "apply_intensities"]

INTENSITIES = ("range", "percentiles", "unit", "zscore", "threshold")


@dataclass(frozen=True)
class Intensity:
    """One step.

    Parameters
    ----------
    kind:
        ``"range"`` (``ScaleIntensityRange``: ``low..high`` become ``to_low..to_high``), ``"percentiles"``
        (``ScaleIntensityRangePercentiles``: the same for two percentiles of the image), ``"unit"``
        (``ScaleIntensity``: least and greatest), ``"zscore"`` (``NormalizeIntensity``: mean 0, deviation 1),
        ``"threshold"`` (``ThresholdIntensity``: what is not greater than ``low`` becomes ``to_low``; with ``below``
        what is not less).
    low, high, to_low, to_high:
        See ``kind``.
    clip:
        Whether values beyond ``to_low..to_high`` are cut to them.
    nonzero:
        Of ``"zscore"``: whether only voxels that are not zero count and change.
    by_channel:
        Whether figures are taken of each channel for itself.
    mean, std:
        Of ``"zscore"``: one for all channels or one for each, instead of the image's own. Empty: its own.
    below:
        Of ``"threshold"``.

    Raises
    ------
    ModelError
        If the numbers make no sense.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    to_low: float = 0.0
    to_high: float = 1.0
    clip: bool = False
    nonzero: bool = False
    by_channel: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    below: bool = False

    def __post_init__(self) -> None:
        if self.kind not in INTENSITIES:
            raise ModelError(f"the model's intensities are made {self.kind!r}, expected {', '.join(INTENSITIES)}")
        numbers = (self.low, self.high, self.to_low, self.to_high, *self.mean, *self.std)
        if not all(isfinite(number) for number in numbers):
            raise ModelError(f"the model's intensities are made {self.kind} with {numbers}, expected numbers")
        if self.kind in ("range", "percentiles") and self.low >= self.high:
            raise ModelError(f"the model's intensities go from {self.low} to {self.high}, expected the lower one first")
        if self.kind == "percentiles" and not 0 <= self.low < self.high <= 100:
            raise ModelError(f"the model's percentiles are {self.low} and {self.high}, expected 0 to 100")

    def to_json(self) -> dict[str, Any]:
        """Plain values; those that say nothing left out."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Intensity:
        """Read what :meth:`to_json` wrote."""
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name in ("low", "high", "to_low", "to_high"):
                read[name] = float(value)
            elif name in ("mean", "std"):
                read[name] = tuple(float(one) for one in value)
            elif name in ("clip", "nonzero", "by_channel", "below"):
                read[name] = bool(value)
        return cls(str(values["kind"]), **read)


def apply_intensities(image: NDArray[np.float32], steps: Sequence[Intensity]) -> None:
    """Change an image ``(c, z, y, x)`` in place."""
    for step in steps:
        parts = [(image[n : n + 1], n) for n in range(len(image))] if step.by_channel else [(image, 0)]
        for part, number in parts:
            _KINDS[step.kind](part, step, number)


def _range(part: NDArray[np.float32], step: Intensity, number: int) -> None:
    _stretch(part, step.low, step.high, step)


def _percentiles(part: NDArray[np.float32], step: Intensity, number: int) -> None:
    low, high = np.percentile(part, [step.low, step.high])
    _stretch(part, float(low), float(high), step)


def _unit(part: NDArray[np.float32], step: Intensity, number: int) -> None:
    low, high = float(part.min()), float(part.max())
    if low == high:
        part *= step.to_low
    else:
        _stretch(part, low, high, step)


def _stretch(part: NDArray[np.float32], low: float, high: float, step: Intensity) -> None:
    part -= low
    if high > low:
        part *= (step.to_high - step.to_low) / (high - low)
    part += step.to_low
    if step.clip:
        np.clip(part, step.to_low, step.to_high, out=part)


def _zscore(part: NDArray[np.float32], step: Intensity, number: int) -> None:
    counts = part != 0 if step.nonzero else np.ones((), bool)
    values = part[counts] if step.nonzero else part
    if not values.size:
        return
    mean = _of(step.mean, number) if step.mean else float(values.mean(dtype=np.float64))
    std = _of(step.std, number) if step.std else float(values.std(dtype=np.float64))
    np.subtract(part, mean, out=part, where=counts)
    np.divide(part, std or 1.0, out=part, where=counts)


def _of(numbers: Sequence[float], channel: int) -> float:
    return numbers[channel] if len(numbers) > 1 else numbers[0]


def _threshold(part: NDArray[np.float32], step: Intensity, number: int) -> None:
    part[part >= step.low if step.below else part <= step.low] = step.to_low


_KINDS: dict[str, Callable[[NDArray[np.float32], Intensity, int], None]] = {
    "range": _range,
    "percentiles": _percentiles,
    "unit": _unit,
    "zscore": _zscore,
    "threshold": _threshold,
}
