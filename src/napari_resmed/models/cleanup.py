"""What a model wants done to its answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from napari_resmed.errors import ModelError

__all__ = ["Cleanup"]


@dataclass(frozen=True)
class Cleanup:
    """What is done to one label after the network; nothing unless said.

    Parameters
    ----------
    largest_component:
        Only the largest connected piece is kept; voxels that touch by a corner are connected.
    minimum_mm3:
        Pieces smaller than this become background.
    fill_holes:
        Background that the label encloses becomes the label.

    Raises
    ------
    ModelError
        If the size is no size.
    """

    largest_component: bool = False
    minimum_mm3: float = 0.0
    fill_holes: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.minimum_mm3) or self.minimum_mm3 < 0:
            raise ModelError(f"the cleanup asks for pieces of {self.minimum_mm3} mm³, expected 0 or more")

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.largest_component or self.minimum_mm3 > 0 or self.fill_holes

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Cleanup:
        """Read what :meth:`to_json` wrote; what is left out is not done.

        Raises
        ------
        ModelError
            If it asks for something unknown: a model that is believed cleaned up must not go without.
        """
        if not isinstance(entry, Mapping):
            raise ModelError(f"found the cleanup {entry!r}, expected {', '.join(cls.__dataclass_fields__)}")
        unknown = sorted(set(entry) - set(cls.__dataclass_fields__))
        flags = [entry.get("largest_component", False), entry.get("fill_holes", False)]
        size = entry.get("minimum_mm3", 0.0)
        if unknown or not all(isinstance(flag, bool) for flag in flags) or not isinstance(size, int | float):
            raise ModelError(f"found the cleanup {dict(entry)!r}, expected {', '.join(cls.__dataclass_fields__)}")
        return cls(flags[0], float(size), flags[1])
