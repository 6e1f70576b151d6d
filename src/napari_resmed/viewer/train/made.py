"""What a training made, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from napari_resmed.viewer.parts.duration import duration

__all__ = ["what_was_made"]


def what_was_made(result: Mapping[str, Any], seconds: float) -> str:
    """The result of the job ``train``, as rich text."""
    held = len(result["plan"].get("held_out", ()))
    where = f"{held} held-out case{'s' * (held > 1)}" if held else "the held-out slices"
    best = result["best_metric"]
    classes = "classes" in result["plan"]
    figure = "AUC" if classes else "mean Dice"
    how_good = f"{figure} {best:.2f} on {where}" if best is not None else "nothing to measure it by was held out"
    little = str(result.get("little") or "")
    if little:
        how_good += f". <b>{escape(little[:1].upper() + little[1:])}</b>"
    stopped = " It was stopped early; Resume trains on." if result["stopped"] else ""
    if classes:
        return (
            f"Made <b>{escape(result['name'])}</b> in {duration(seconds)}: {how_good}.{stopped} "
            "It is in the Classify dock's list now."
        )
    return (
        f"Made <b>{escape(result['name'])}</b> in {duration(seconds)}: {how_good}.{stopped} "
        "It is in the Segment dock's list now: segment the next image with it, correct, and train again."
    )
