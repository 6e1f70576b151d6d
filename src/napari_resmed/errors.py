"""What can go wrong, as a person is told it.

Every message says what was found, what was expected and what to do, in one line, and names no patient.
"""

from __future__ import annotations

__all__ = ["CancelledError", "InputError", "ModelError", "ResMedError", "WorkError"]


class ResMedError(Exception):
    """Base of every error that is meant for a person.

    ``exit_code`` is what the command line returns: 1 where the work failed, 2 where the input or the
    call was wrong.
    """

    exit_code = 1


class InputError(ResMedError):
    """The file, image or value handed in cannot be used."""

    exit_code = 2


class ModelError(InputError):
    """The model is unknown, incomplete or does not fit the image."""


class WorkError(ResMedError):
    """The work itself failed: out of memory, disk full, worker died."""


class CancelledError(ResMedError):
    """The work was stopped on request."""
