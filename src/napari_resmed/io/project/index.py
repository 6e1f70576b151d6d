"""The index of a project: what nnU-Net's layout has no place for.

``resmed.json`` holds how far every case has come, how unsure the model was, when its labels were last written and by
which session (a random word, no person), which of its slices are painted completely, the labels' colours, and what was
left out. It can be made anew from the files: what is lost then is the difference between predicted and corrected, and
the marks on complete slices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import napari_resmed
from napari_resmed.errors import InputError
from napari_resmed.io.project.layout import INDEX
from napari_resmed.io.project.state import State
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelSet

__all__ = ["FORMAT", "Index", "Record", "read_index", "write_index"]

# Raised when an older program could no longer read it.
FORMAT = 1
# What a record says in words.
_WORDS = ("model", "source", "fingerprint", "written", "session")


@dataclass(frozen=True)
class Record:
    """What the index says of one case.

    Parameters
    ----------
    state:
        How far it has come; its files follow this, see :mod:`napari_resmed.io.project.repair`.
    uncertainty:
        How unsure the model was, 0..1; None where no model was asked.
    model:
        Name and version of the model that predicted its labels; empty where none did.
    source:
        Where its image came from, relative to the project; empty for DICOM, whose folders may be named after people.
    fingerprint:
        Of the DICOM series or the files that its image came from, so that it is known again wherever project and images
        lie; names nobody. Empty in projects of older programs.
    written, session:
        When (UTC, ISO 8601) and by which session its labels were last written; empty where never.
    complete_slices:
        ``(axis, index)`` in the label file's own order of axes (0 z, 1 y, 2 x): where there are any, what is unpainted
        elsewhere is unknown rather than background.
    """

    state: State = State.NOT_STARTED
    uncertainty: float | None = None
    model: str = ""
    source: str = ""
    fingerprint: str = ""
    written: str = ""
    session: str = ""
    complete_slices: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is empty is left out."""
        entry: dict[str, Any] = {"state": str(self.state)}
        if self.uncertainty is not None:
            entry["uncertainty"] = round(self.uncertainty, 5)
        entry |= {key: text for key in _WORDS if (text := getattr(self, key))}
        if self.complete_slices:
            entry["complete_slices"] = [list(place) for place in self.complete_slices]
        return entry

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        doubt = entry.get("uncertainty")
        return cls(
            State(entry["state"]),
            None if doubt is None else float(doubt),
            **{key: str(entry.get(key, "")) for key in _WORDS},
            complete_slices=tuple((int(axis), int(index)) for axis, index in entry.get("complete_slices", ())),
        )


@dataclass(frozen=True)
class Index:
    """The whole index.

    Parameters
    ----------
    cases:
        By name.
    away:
        What was said of cases whose images are not there now, as on a disk that is not: it holds again when they are.
    labels:
        Colours and codes; names and values are nnU-Net's to say.
    source:
        The folder the images came from, relative to the project.
    left_out:
        File names of what is no case of the project, and why.
    """

    cases: Mapping[str, Record] = field(default_factory=dict)
    labels: LabelSet = field(default_factory=LabelSet)
    source: str = ""
    left_out: tuple[tuple[str, str], ...] = ()
    away: Mapping[str, Record] = field(default_factory=dict)

    def with_case(self, name: str, **changes: Any) -> Self:
        """The index with something else said of one case."""
        return replace(self, cases={**self.cases, name: replace(self.cases.get(name, Record()), **changes)})

    def colour(self, named: LabelSet) -> LabelSet:
        """Labels as ``dataset.json`` names them, with the colours and codes that are remembered here."""
        known = self.labels
        return LabelSet(tuple(known[one.value].called(one.name) if one.value in known else one for one in named))

    @property
    def accepted(self) -> int:
        """How many cases are accepted."""
        return sum(record.state is State.ACCEPTED for record in self.cases.values())


def read_index(folder: Path) -> Index:
    """Read a project's index; an empty one where there is none.

    Raises
    ------
    InputError
        If it is damaged, or of a newer program.
    """
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise InputError(f"{INDEX} has format {found['format']}, expected {FORMAT}; update this program")
        return Index(
            {str(name): Record.from_json(entry) for name, entry in found["cases"].items()},
            LabelSet.from_json(found.get("labels", ())),
            str(found.get("source", "")),
            tuple((str(name), str(reason)) for name, reason in found.get("left_out", ())),
            {str(name): Record.from_json(entry) for name, entry in found.get("away", {}).items()},
        )
    except FileNotFoundError:
        return Index()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(
            f"{INDEX} of the project {folder.name} cannot be read; rename it and open the project again: it is made "
            "anew from the files"
        ) from problem


def write_index(folder: Path, index: Index) -> None:
    """Replace a project's index; only with its lock held.

    Raises
    ------
    InputError, WorkError
        If it cannot be written.
    """
    found = {
        "format": FORMAT,
        "made_by": f"napari-resmed {napari_resmed.__version__}",
        "source": index.source,
        "labels": index.labels.to_json(),
        "cases": {name: index.cases[name].to_json() for name in sorted(index.cases)},
        "left_out": [list(entry) for entry in index.left_out],
    }
    if index.away:
        found["away"] = {name: index.away[name].to_json() for name in sorted(index.away)}
    with whole_file(folder / INDEX) as part:
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        # What names of files hold that is no text is written as JSON's own \\udcXX.
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
