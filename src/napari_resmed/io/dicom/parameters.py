"""What the times of a series differ in besides the clock: echo time, b-value, trigger time and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from napari_resmed.io.dicom.slice import B_VALUE, TRIGGER_TIME, Slice

__all__ = ["PARAMETERS", "in_words", "values_of", "varying"]

# Values nearer than this, in the parameter's unit, are one: scanners print two digits or more.
_SAME = 0.01
# More values than this are not told one by one: the first and the last of them are.
_MOST_TOLD, _FIRST_TOLD = 8, 3


@dataclass(frozen=True)
class Parameter:
    """One of them, in words for one and many; its unit; its keys in ``Volume.meta``, of all times and of one."""

    name: str
    plural: str
    unit: str
    key: str
    key_of_one: str
    of: Callable[[Slice], float | None]


def _fact(name: str) -> Callable[[Slice], float | None]:
    def of(image: Slice) -> float | None:
        value = image.facts.get(name)
        return float(value) if isinstance(value, int | float) else None

    return of


def _time(index: int) -> Callable[[Slice], float | None]:
    return lambda image: image.times[index] if len(image.times) > index else None


PARAMETERS = (
    Parameter("echo time", "echoes", "ms", "echo_times_ms", "echo_time_ms", lambda image: image.echo_time_ms),
    Parameter("b-value", "b-values", "s/mm²", "b_values_s_per_mm2", "b_value_s_per_mm2", _time(B_VALUE)),
    Parameter("trigger time", "trigger times", "ms", "trigger_times_ms", "trigger_time_ms", _time(TRIGGER_TIME)),
    Parameter(
        "inversion time", "inversion times", "ms", "inversion_times_ms", "inversion_time_ms", _fact("inversion_time_ms")
    ),
    Parameter("flip angle", "flip angles", "°", "flip_angles_deg", "flip_angle_deg", _fact("flip_angle_deg")),
)


def varying(slices: Sequence[Slice], frames: int) -> dict[str, tuple[float, ...]]:
    """Values by time, by the parameter's key in ``Volume.meta``, of those that change from time to time.

    One that differs within a time too, as trigger times often do from slice to slice, has no value by time and is
    left out.

    Parameters
    ----------
    slices:
        In order: by time, then by place.
    frames:
        How many times there are.
    """
    if frames < 2:
        return {}
    positions = len(slices) // frames
    found: dict[str, tuple[float, ...]] = {}
    for parameter in PARAMETERS:
        values = [parameter.of(image) for image in slices]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            continue
        moments = [known[start : start + positions] for start in range(0, len(known), positions)]
        if all(max(moment) - min(moment) < _SAME for moment in moments) and max(known) - min(known) >= _SAME:
            found[parameter.key] = tuple(moment[0] for moment in moments)
    return found


def values_of(values: Sequence[float], unit: str) -> str:
    """Values in words: ``"0, 1000 (6 times) s/mm²"``."""
    counts = Counter(round(value, 2) for value in values)  # Philips says 0.001 for one of several zeros
    told = [f"{value:g}" + (f" ({count} times)" if count > 1 else "") for value, count in counts.items()]
    if len(told) > _MOST_TOLD:
        told = [*told[:_FIRST_TOLD], "...", told[-1]]
    return ", ".join(told) + (unit if unit == "°" else f" {unit}")


def in_words(parameters: Mapping[str, Sequence[float]], ordered_by: str, frames: int) -> str:
    """The times of a series in a few words: ``"4 echoes: 2.5, 5, 7.5, 10 ms"``; empty where there is but one."""
    if frames < 2:
        return ""
    known = [(one, parameters[one.key]) for one in PARAMETERS if one.key in parameters]
    main = next((one for one in PARAMETERS if one.name == ordered_by), None)
    echoes = ordered_by == "echo number"
    words = f"{frames} {main.plural if main else 'echoes' if echoes else 'times'}"
    parts = []
    for one, values in known:
        told = values_of(values, one.unit)
        if one is main:
            words += f": {told}"
        else:
            parts.append(f"{one.plural} {told}")
    return "; ".join([words, *parts])
