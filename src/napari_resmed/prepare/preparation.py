"""What is done to an image before the network sees it: a description, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from napari_resmed.errors import ModelError

__all__ = ["Preparation"]

ORIENTATION = "SPL"


@dataclass(frozen=True)
class Preparation:
    """Orientation, spacing, intensity.

    Parameters
    ----------
    spacing_mm:
        Voxel edges ``(z, y, x)`` of the network's grid.
    percentiles:
        The two percentiles of all voxels that become 0 and 1; values beyond are clipped.
    windows:
        For channels whose numbers mean something by themselves (CT in Hounsfield units): the two values that
        become 0 and 1 instead, one pair per channel, None where the percentiles are taken. Empty: none at all.
    orientation:
        Patient sides the axes ``(z, y, x)`` grow towards. Only ``"SPL"`` is in use.
    """

    spacing_mm: tuple[float, float, float]
    percentiles: tuple[float, float] = (0.5, 99.5)
    orientation: str = ORIENTATION
    windows: tuple[tuple[float, float] | None, ...] = ()

    def __post_init__(self) -> None:
        if self.orientation != ORIENTATION:
            raise ModelError(f"the model wants the orientation {self.orientation!r}, expected {ORIENTATION!r}")
        if len(self.spacing_mm) != 3 or not all(0 < mm < inf for mm in self.spacing_mm):
            raise ModelError(f"the model's spacing is {self.spacing_mm}, expected three lengths in mm")
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ModelError(f"the model's percentiles are {self.percentiles}, expected 0 <= low < high <= 100")
        for window in self.windows:
            if window is not None and not -inf < window[0] < window[1] < inf:
                raise ModelError(f"the model's intensity window is {window}, expected a lower and a higher value")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        if not self.windows:
            del values["windows"]
        return values

    def window(self, channel: int) -> tuple[float, float] | None:
        """The fixed range of a channel; None where percentiles decide."""
        return self.windows[channel] if channel < len(self.windows) else None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preparation:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ModelError
            If a value is missing or makes no sense.
        """
        try:
            z, y, x = (float(value) for value in values["spacing_mm"])
            low, high = (float(value) for value in values["percentiles"])
            windows = tuple(
                None if window is None else (float(window[0]), float(window[1])) for window in values.get("windows", ())
            )
            return cls((z, y, x), (low, high), str(values["orientation"]), windows)
        except (KeyError, TypeError, ValueError, IndexError) as problem:
            raise ModelError(f"the model's preparation is incomplete: {problem}") from problem
