"""How sure an answer is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["sure_words"]


def sure_words(result: Mapping[str, Any]) -> str:
    """One line on how good the answer is likely to be.

    Parameters
    ----------
    result:
        The fields of :class:`napari_resmed.jobs.scribble.Scribbled`.
    """
    told = result.get("held_out")
    if told and told["right"] is not None:
        strokes = "stroke" if told["strokes"] == 1 else "strokes"
        said = f"Checked on {told['strokes']} {strokes} held out: <b>{told['right']:.0%}</b> right."
    else:
        said = "Not checked yet: that takes two separate strokes of a class."
    if result.get("sure") is not None:
        said += f" By its own estimate its overlap (Dice) is {result['sure']:.2f}."
    return said
