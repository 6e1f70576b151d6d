"""Which case to look at next."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from napari_resmed.io.project.project import ProjectCase
from napari_resmed.io.project.state import State

__all__ = ["suggest_next"]


def suggest_next(cases: Sequence[ProjectCase], current: str = "", seen: Collection[str] = ()) -> str:
    """The case from which a model would learn most: the predicted one that it was least sure of.

    Uncertainty sampling (Settles, Active Learning Literature Survey, 2009, section 3.1).

    Parameters
    ----------
    cases:
        Of the project, in the order of the list.
    current:
        The case that is open; never suggested. Cases not started are suggested in order from here on.
    seen:
        Cases that were opened already: suggested only when no other is left.

    Returns
    -------
    str
        After the predicted ones come those not started, then those corrected but not accepted; empty where every
        other case is accepted.
    """
    left = [case for case in cases if case.name != current and case.state is not State.ACCEPTED]
    fresh = [case for case in left if case.name not in seen] or left
    predicted = [case for case in fresh if case.state is State.PREDICTED]
    if predicted:
        # Of equally unsure ones, and of those never asked about, the first in the list.
        return max(predicted, key=lambda case: -1.0 if case.uncertainty is None else case.uncertainty).name
    for state in (State.NOT_STARTED, State.CORRECTED):
        names = [case.name for case in fresh if case.state is state]
        if names:
            return next((name for name in names if name > current), names[0])
    return ""
