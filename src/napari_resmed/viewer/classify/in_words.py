"""What is said of a classifier, of one answer, and of the answers to a whole folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from napari_resmed.models.model import Model
from napari_resmed.review.quality import GOOD
from napari_resmed.viewer.parts.duration import duration

__all__ = ["about", "calibration", "counted", "many", "not_used"]

# Classes and modalities that are named; more would fill the dock.
MOST_NAMED = 6
# Files that are listed with what is wrong with them; all are in the table.
MOST_LISTED = 12
# The temperature of a model that was not calibrated.
_AS_IT_IS = 1.0


def about(model: Model) -> str:
    """What a classifier takes, what it chooses between, and how good it is."""
    classes = ", ".join(model.classes[:MOST_NAMED])
    if len(model.classes) > MOST_NAMED:
        classes += f" and {len(model.classes) - MOST_NAMED} more"
    area = model.measured.get("held-out AUC", {}).get("mean")
    good = f"; held-out AUC {area:.2f}" if isinstance(area, float) else ""
    return f"{', '.join(model.channels)}: {classes}{good}"


def calibration(model: Model) -> str:
    """How honest the probabilities are meant to be."""
    if model.temperature == _AS_IT_IS:
        return "As the network gives them; they were not calibrated"
    return f"Calibrated on the cases that were held out in training (temperature {model.temperature:.2f})"


def counted(shares: Mapping[str, float], channels: Sequence[str]) -> str:
    """How much each modality counted; empty where that is not known, or there is one only."""
    if len(channels) < 2 or set(shares) != set(channels):
        return ""
    said = sorted(shares.items(), key=lambda one: -one[1])[:MOST_NAMED]
    return "Counted: " + ", ".join(f"{name} {share:.0%}" for name, share in said)


def many(images: Sequence[Mapping[str, Any]], table: Path, seconds: float) -> str:
    """What was said of a folder's images, as rich text."""
    found = Counter(image["predicted"] for image in images if image["predicted"])
    failed = sum(not image["predicted"] for image in images)
    unusual = sum(bool(image["predicted"]) and image["quality"] != GOOD for image in images)
    parts = ", ".join(f"{count} {name}" for name, count in found.most_common(MOST_NAMED))
    said = (
        f"Classified {len(images) - failed} image{'s' * (len(images) - failed != 1)} in {duration(seconds)}: {parts}. "
    )
    if not parts:
        said = "None of the images could be used. "
    if unusual:
        said += f"{unusual} look{'s' * (unusual == 1)} unusual. "
    if failed and parts:
        said += f"{failed} could not be used. "
    return escape(said) + f"The answers are in <b>{escape(table.name)}</b>."


def not_used(images: Sequence[Mapping[str, Any]]) -> str:
    """Which images could not be used, and why, a line each."""
    lines = [f"{Path(image['path']).name}: {image['quality']}" for image in images if not image["predicted"]]
    if len(lines) > MOST_LISTED:
        lines[MOST_LISTED:] = [f"… and {len(lines) - MOST_LISTED} more, in the table"]
    return "\n".join(lines)
