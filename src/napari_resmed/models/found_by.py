"""How a model of a small part of the body comes to that part in an image that shows more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from napari_resmed.errors import ModelError
from napari_resmed.labels import LEFT, RIGHT, Code, LabelSet

__all__ = ["FoundBy"]


@dataclass(frozen=True)
class FoundBy:
    """Another model that finds the part, coarse to fine.

    Parameters
    ----------
    model:
        Name of a model of the catalogue that segments larger images; no folder.
    structures:
        Names of some of its labels; each is a part by itself.
    margin_mm:
        How much around a structure belongs to its part, to all sides; one voxel at least.

    Raises
    ------
    ModelError
        If there is no model or structure named, one twice, or the margin is no length.
    """

    model: str
    structures: tuple[str, ...]
    margin_mm: float

    def __post_init__(self) -> None:
        names = set(self.structures)
        if (
            not self.model
            or set(self.model) & set("/\\")
            or not names
            or "" in names
            or len(names) < len(self.structures)
        ):
            raise ModelError(
                f"the model finds its part by {self.model!r} within {', '.join(self.structures) or 'nothing'}, "
                "expected a name of a model, and structures of it"
            )
        if not math.isfinite(self.margin_mm) or self.margin_mm < 0:
            raise ModelError(f"the model's part has a margin of {self.margin_mm} mm, expected 0 or more")

    def parts(self, finder: LabelSet) -> dict[str, str]:
        """What is said before a label's name, by the structure that a part was found by; nothing of a single part.

        Parameters
        ----------
        finder:
            The labels of the model that finds the parts.
        """
        if len(self.structures) == 1:
            return {}
        sides = {label.name: label.modifier for label in finder if label.modifier in (LEFT, RIGHT)}
        return {structure: _before(structure, sides.get(structure)) for structure in self.structures}

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {**asdict(self), "structures": list(self.structures)}

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
        if not isinstance(entry, Mapping) or set(entry) != known or not isinstance(entry["structures"], list):
            raise ModelError(f"the model says {entry!r} of what finds its part, expected {', '.join(sorted(known))}")
        try:
            return cls(str(entry["model"]), tuple(map(str, entry["structures"])), float(entry["margin_mm"]))
        except (TypeError, ValueError) as problem:
            raise ModelError(f"what the model says of how its part is found is wrong at {problem}") from problem


def _before(structure: str, side: Code | None) -> str:
    return side.meaning.lower() if side else f"{structure}:"
