"""How a model answers an image in a single window: whole, or the part of it that a coarse first look finds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from napari_resmed.errors import ModelError

__all__ = ["OneWindow"]

# A margin that was too narrow becomes so many times as wide, up to so much: then the whole image is gone through.
MARGINS, MOST_MARGIN_MM = 3.0, 40.0


@dataclass(frozen=True)
class OneWindow:
    """What a window may hold, and how what belongs into it is found.

    Windows that overlap see most voxels several times, and each only a part of what is around. A network that learnt
    whole images answers faster, and better, where one window holds all that it tells.

    Parameters
    ----------
    voxels:
        The most that the window may have; an image of more is answered in windows of the model's patch.
    look_mm:
        Spacing of the first look, at which the network finds its structures roughly.
    margin_mm:
        How much around these is answered, to all sides.
    mirrored:
        Whether the window is answered mirrored, too, along the axes that the model names, without being asked for it.
    passed_over:
        Values of structures that do not count in the look, nor at the window's sides: they lie closely around the
        others, and are easily found far from them.

    Raises
    ------
    ModelError
        If one of them is no size.
    """

    voxels: int
    look_mm: float
    margin_mm: float
    mirrored: bool = False
    passed_over: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels < 1 or not 0 < self.look_mm < math.inf or not 0 <= self.margin_mm < math.inf:
            raise ModelError(
                f"the model's one window has {self.voxels} voxels, after a look at {self.look_mm} mm with a margin of "
                f"{self.margin_mm} mm; expected 1 or more, a spacing, and 0 or more"
            )

    def wider(self) -> Self | None:
        """What to try where structures go on beyond the margin; None: the whole image, in windows."""
        wide = replace(self, margin_mm=max(MARGINS * self.margin_mm, self.look_mm))
        return wide if wide.margin_mm <= MOST_MARGIN_MM else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {**asdict(self), "passed_over": list(self.passed_over)}

    @classmethod
    def from_json(cls, entry: Any) -> Self | None:
        """Read what :meth:`to_json` wrote; None of a model that says nothing.

        Raises
        ------
        ModelError
            If it says something else.
        """
        if entry is None:
            return None
        known = set(cls.__dataclass_fields__)
        if isinstance(entry, Mapping):
            entry = {"passed_over": [], **entry}  # models of before there was a choice
        if not isinstance(entry, Mapping) or set(entry) != known or not isinstance(entry["mirrored"], bool):
            raise ModelError(f"the model says {entry!r} of its one window, expected {', '.join(sorted(known))}")
        try:
            sizes = int(entry["voxels"]), float(entry["look_mm"]), float(entry["margin_mm"])
            return cls(*sizes, entry["mirrored"], tuple(map(int, entry["passed_over"])))
        except (OverflowError, TypeError, ValueError) as problem:
            raise ModelError(f"what the model says of its one window is wrong at {problem}") from problem
