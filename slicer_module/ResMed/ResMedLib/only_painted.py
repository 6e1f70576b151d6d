"""Whether what is unpainted in a segmentation is unknown rather than background; each has its own answer."""

from __future__ import annotations

from typing import Any

__all__ = ["is_only_painted", "say_only_painted"]

# Attribute of the segmentation; it is saved with the scene.
_KEY = "ResMed.OnlyPainted"
_YES = "yes"


def is_only_painted(segmentation: Any) -> bool:
    """Whether only paint counts; not where nobody said so."""
    return bool(segmentation.GetAttribute(_KEY) == _YES)


def say_only_painted(segmentation: Any, only_painted: bool) -> None:
    """Say it of one segmentation."""
    segmentation.SetAttribute(_KEY, _YES if only_painted else None)
