"""The times of a volume that is written as a DICOM series, each with the tags that tell it from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray
from pydicom.valuerep import format_number_as_ds

from napari_resmed.volume import Volume

__all__ = ["Moment", "moments_of"]

# Lists in Volume.meta with a number for each time, and the tag that one of them goes into.
_TAGS = {
    "b_values_s_per_mm2": "DiffusionBValue",
    "trigger_times_ms": "TriggerTime",
    "inversion_times_ms": "InversionTime",
    "flip_angles_deg": "FlipAngle",
}
_ECHOES = "echo_times_ms"
_MS_PER_S = 1000


@dataclass(frozen=True)
class Moment:
    """One time: its voxels ``(z, y, x)`` or ``(c, z, y, x)``, and its tags."""

    data: NDArray[Any]
    tags: Mapping[str, Any]


def moments_of(volume: Volume) -> list[Moment]:
    """Every time of a volume; a single one where it has no time axis."""
    if "t" not in volume.axes:
        return [Moment(volume.data, {"AcquisitionNumber": 1})]
    shared: dict[str, Any] = {}
    echoes = _of_all(volume, _ECHOES)
    # Told apart by echo time alone, as scanners do it; but only where that says their order, too.
    by_echo = bool(echoes) and all(a < b for a, b in pairwise(echoes)) and echoes[0] >= 0
    if not by_echo:
        shared["NumberOfTemporalPositions"] = volume.frames
        step = volume.meta.get("time_step_s")
        if isinstance(step, int | float) and step > 0:
            shared["TemporalResolution"] = format_number_as_ds(float(step) * _MS_PER_S)
    moments = []
    for time in range(volume.frames):
        tags = {**shared, "AcquisitionNumber": 1 if by_echo else time + 1}
        if by_echo:
            tags |= {"EchoNumbers": time + 1, "EchoTime": format_number_as_ds(echoes[time])}
        else:
            tags["TemporalPositionIdentifier"] = time + 1
        for key, tag in _TAGS.items():
            values = _of_all(volume, key)
            if values:
                tags[tag] = values[time] if tag == "DiffusionBValue" else format_number_as_ds(values[time])
        moments.append(Moment(volume.data[time], tags))
    return moments


def _of_all(volume: Volume, key: str) -> list[float]:
    """A number for each time, to two digits as the reader tells echoes apart; none where it is not so."""
    values = volume.meta.get(key)
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != volume.frames:
        return []
    if not all(isinstance(value, int | float) for value in values):
        return []
    return [round(float(value), 2) if key == _ECHOES else float(value) for value in values]
