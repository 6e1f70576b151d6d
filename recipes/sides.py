"""Left and right in SNOMED CT."""

from __future__ import annotations

from napari_resmed.labels import Code

__all__ = ["LEFT", "RIGHT"]

LEFT, RIGHT = Code("SCT", "7771000", "Left"), Code("SCT", "24028007", "Right")
