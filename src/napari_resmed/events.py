"""What a running job tells its face: small values, the same for napari, Slicer and the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "Event",
    "Failed",
    "Finished",
    "Metric",
    "Preview",
    "Progress",
    "Started",
    "Warning",
    "from_message",
    "to_message",
]


@dataclass(frozen=True)
class Started:
    """The job began; ``what`` says it in words."""

    what: str


@dataclass(frozen=True)
class Progress:
    """A step was made.

    Parameters
    ----------
    what:
        What is being done now, e.g. ``"Segmenting"``.
    done:
        Share of the whole job that is done, 0..1.
    seconds_left:
        Estimate of the time left; None while nothing can be said.
    """

    what: str
    done: float
    seconds_left: float | None = None


@dataclass(frozen=True)
class Metric:
    """A figure measured under way, e.g. the training loss at a step."""

    name: str
    value: float
    step: int


@dataclass(frozen=True)
class Preview:
    """Something to look at before the end; arrays travel beside the message."""

    what: str
    data: Any = None


@dataclass(frozen=True)
class Warning:
    """Something the person should know, which did not stop the work."""

    message: str


@dataclass(frozen=True)
class Finished:
    """The job is done; ``result`` is what it returned."""

    result: Any = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Failed:
    """The job ended without a result.

    Parameters
    ----------
    message:
        One line for a person.
    kind:
        ``"input"``, ``"work"`` or ``"cancelled"``.
    detail:
        The traceback, for ``--debug`` and bug reports; never shown unasked.
    """

    message: str
    kind: str = "work"
    detail: str = field(default="", repr=False)


Event = Started | Progress | Metric | Preview | Warning | Finished | Failed

_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Started, Progress, Metric, Preview, Warning, Finished, Failed)
}


def to_message(event: Event) -> dict[str, Any]:
    """The event as a dictionary with its name under ``"event"``; results stay as they are."""
    if isinstance(event, Finished):
        return {"event": "Finished", "result": event.result, "seconds": event.seconds}
    if isinstance(event, Preview):
        return {"event": "Preview", "what": event.what, "data": event.data}
    return {"event": type(event).__name__, **asdict(event)}


def from_message(message: dict[str, Any]) -> Event:
    """The event a dictionary of :func:`to_message` stands for.

    Raises
    ------
    ValueError
        If the name is not one of the events.
    """
    fields = dict(message)
    name = fields.pop("event", None)
    if name not in _TYPES:
        raise ValueError(f"found the event {name!r}, expected one of {', '.join(_TYPES)}")
    return _TYPES[name](**fields)
