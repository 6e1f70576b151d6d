"""How far a case has come."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["State"]


class State(StrEnum):
    """How far a case has come, in the words that a person reads.

    Only accepted cases lie where nnU-Net trains.
    """

    NOT_STARTED = "not started"
    PREDICTED = "predicted"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"
