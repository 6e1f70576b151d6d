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
    said = ""
    if result.get("sure") is not None:
        said = f"By its own estimate its overlap (Dice) is <b>{result['sure']:.2f}</b>. "
    told = result.get("held_out")
    if told and told["right"] is not None:
        strokes = "stroke" if told["strokes"] == 1 else "strokes"
        return f"{said}Of {told['strokes']} {strokes} held out, <b>{told['right']:.0%}</b> is answered right."
    return f"{said}Not checked on strokes yet: that takes two separate ones of a class."
