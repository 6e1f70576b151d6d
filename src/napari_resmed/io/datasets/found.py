"""What a layout says of itself, before what is missing is looked up in the files."""

from __future__ import annotations

from dataclasses import dataclass

from napari_resmed.case import Case
from napari_resmed.io.datasets.meaning import Meaning

__all__ = ["Found", "a_few"]

_NAMES_IN_A_NOTE = 5


@dataclass(frozen=True)
class Found:
    """Cases of a layout.

    Parameters
    ----------
    cases:
        In their final order.
    meaning:
        What the numbers in the labels mean; None where the layout does not say.
    channels:
        What the images are; empty where the layout does not say.
    notes:
        What a person should know though nothing is wrong enough to stop, one sentence each.
    """

    cases: tuple[Case, ...]
    meaning: Meaning | None = None
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def a_few(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - _NAMES_IN_A_NOTE
    return ", ".join(names[:_NAMES_IN_A_NOTE]) + (f" and {more} more" if more > 0 else "")
