"""Which images are of one patient, as far as their files say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_resmed.io.dicom import describe
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.shown_volume import Origin

__all__ = ["origin_of", "patients_of"]

# What programs that take the identity away put in its place, the same for everybody, begins with one of these.
_NOBODY = ("anon", "unknown", "none", "no id", "n/a")


def origin_of(layer: Any) -> Origin | None:
    """Where a layer came from; None where nothing is known."""
    origin = (layer.metadata.get(KEY) or {}).get("origin")
    return origin if isinstance(origin, Origin) else None


def patients_of(origins: Sequence[Origin | None]) -> list[str]:
    """Whose image each is: "patient 1", "patient 2", ...; nothing for one that shares its patient with no other.

    Of one patient are images of one study (StudyInstanceUID), of one PatientID, and of one file. Numbers for names:
    who the patient is goes nowhere. Reads headers: meant for a thread beside the window's.

    Parameters
    ----------
    origins:
        Of every image; None where nothing is known.
    """
    groups: list[tuple[set[int], set[tuple[str, str]]]] = []
    for number, origin in enumerate(origins):
        members, marks = {number}, _marks(origin)
        apart = []
        for others, known in groups:
            if marks & known:
                members |= others
                marks |= known
            else:
                apart.append((others, known))
        groups = [*apart, (members, marks)]
    several = sorted(sorted(members) for members, _ in groups if len(members) > 1)
    numbers = {member: number for number, members in enumerate(several, 1) for member in members}
    return [f"patient {numbers[number]}" if number in numbers else "" for number in range(len(origins))]


def _marks(origin: Origin | None) -> set[tuple[str, str]]:
    """What an image has in common with others of its patient."""
    if origin is None:
        return set()
    if origin.series is None:
        return {("file", str(origin.path))} if origin.path is not None else set()
    said = describe(origin.series, identity=True)
    study, patient = said.get("Study UID", ""), said.get("Patient ID", "").strip().casefold()
    marks = {("study", study)} if study else set()
    return marks | ({("patient", patient)} if patient.strip("0 .-") and not patient.startswith(_NOBODY) else set())
