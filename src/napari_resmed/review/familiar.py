"""What the images were like that a model was trained on, and what it answers on such images.

A few figures that a model carries in its description, under ``training`` and ``familiar``. What speaks against a model
for an image is said from them in :mod:`napari_resmed.review.misfit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from napari_resmed.errors import ModelError
from napari_resmed.review.quality import Usual

__all__ = ["Familiar", "UsualVolume", "log_odds"]

Range = tuple[float, float]

# No structure's volume is taken to vary less than by this factor from patient to patient: of few images alike, a spread
# says little.
LEAST_FACTOR = 1.3
# The same of how sure the network is, in log odds.
LEAST_SPREAD = 0.5
# Of fewer answers nothing usual is derived.
LEAST_ANSWERS = 3


@dataclass(frozen=True)
class UsualVolume:
    """Geometric mean of a structure's volume over images, and its geometric standard deviation."""

    ml: float
    factor: float

    @classmethod
    def of(cls, logs: Sequence[float], more_variance: float = 0.0, shift: float = 0.0) -> Self:
        """Of the logarithms of volumes in ml.

        Parameters
        ----------
        logs:
            At least one.
        more_variance, shift:
            What a network's errors add to the logarithms' variance and to their mean.
        """
        count = len(logs)
        variance = (float(np.var(logs, ddof=1)) if count > 1 else 0.0) + more_variance
        # That of a further image: the mean itself is uncertain.
        spread = math.sqrt(variance * (1 + 1 / count))
        return cls(round(math.exp(float(np.mean(logs)) + shift), 5), round(max(LEAST_FACTOR, math.exp(spread)), 4))


@dataclass(frozen=True)
class Familiar:
    """What a model knows.

    Parameters
    ----------
    images:
        How many the figures are of.
    extent_mm:
        Least and largest edge of an image towards Superior, Posterior, Left; empty where nothing is known.
    voxel_mm:
        The longest edge of a voxel among them.
    lowest:
        Of every channel the range, over images, of the 0.5th percentile of its voxels, in the images' own unit.
    looks:
        How prepared images look as a whole.
    volumes:
        By label value, of structures that are in every image: what the model finds of them.
    certainty:
        Mean and spread over images of the log odds of its :class:`napari_resmed.predict.certainty.Certainty`.
    """

    images: int = 0
    extent_mm: tuple[Range, ...] = ()
    voxel_mm: float = math.inf
    lowest: tuple[Range, ...] = ()
    looks: Usual = field(default_factory=Usual)
    volumes: Mapping[int, UsualVolume] = field(default_factory=dict)
    certainty: Range | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "images": self.images,
            "extent_mm": [list(pair) for pair in self.extent_mm],
            **({"voxel_mm": self.voxel_mm} if self.voxel_mm < math.inf else {}),
            "lowest": [list(pair) for pair in self.lowest],
            **({"looks": self.looks.to_json()} if self.looks.appearance else {}),
            "volumes": {str(value): {"ml": of.ml, "factor": of.factor} for value, of in self.volumes.items()},
            **({"certainty": list(self.certainty)} if self.certainty else {}),
        }

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read what :meth:`to_json` wrote; of a model that says nothing, everything is familiar.

        Raises
        ------
        ModelError
            If it says something else, or something that no image can be compared with.
        """
        if not isinstance(values, Mapping):
            return cls()
        try:
            extent_mm = tuple(_pair(pair) for pair in values.get("extent_mm", ()))
            if len(extent_mm) not in (0, 3):
                raise ValueError(f"{len(extent_mm)} edges")
            mean, spread = _pair(values["certainty"]) if "certainty" in values else (0.0, 0.0)
            return cls(
                images=int(values.get("images", 0)),
                extent_mm=extent_mm,
                voxel_mm=float(values.get("voxel_mm", math.inf)),
                lowest=tuple(_pair(pair) for pair in values.get("lowest", ())),
                looks=Usual.from_json(values.get("looks")),
                volumes={
                    int(value): UsualVolume(float(of["ml"]), max(LEAST_FACTOR, float(of["factor"])))
                    for value, of in values.get("volumes", {}).items()
                    if float(of["ml"]) > 0
                },
                certainty=(mean, max(LEAST_SPREAD, spread)) if "certainty" in values else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise ModelError(f"what the model says of familiar images cannot be read at {problem}") from problem


def usual_certainty(shares: Sequence[float]) -> Range | None:
    """Mean and spread of the log odds of some images' certainty; None of too few."""
    if len(shares) < LEAST_ANSWERS:
        return None
    odds = [log_odds(share) for share in shares]
    spread = math.sqrt(1 + 1 / len(odds)) * float(np.std(odds, ddof=1))
    return round(float(np.mean(odds)), 4), round(max(LEAST_SPREAD, spread), 4)


def log_odds(share: float) -> float:
    """Of a share 0..1, which is taken for neither."""
    inside = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(inside / (1 - inside))


def _pair(values: Any) -> Range:
    low, high = values
    return float(low), float(high)
