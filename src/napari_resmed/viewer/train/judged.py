"""By which figure a training is judged on what is held out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AREA", "DICE", "Judged"]


@dataclass(frozen=True)
class Judged:
    """A figure, as the job names it and as a person reads it.

    Parameters
    ----------
    word:
        In the job's metrics: ``"mean Dice"``, ``"Dice left"``; in small letters in its history.
    each:
        What there is one figure for.
    title:
        Of the curves.
    """

    word: str
    each: str
    title: str

    @property
    def key(self) -> str:
        """In the job's history."""
        return self.word.lower()


DICE = Judged("Dice", "structure", "Dice on what is held out")
AREA = Judged("AUC", "class", "AUC on what is held out")
