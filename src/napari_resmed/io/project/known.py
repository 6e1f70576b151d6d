"""Which case of a project an image is: by what is in it, not by where it lies or what it is called."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from napari_resmed.io.project.index import Record
from napari_resmed.io.project.sources import Source
from napari_resmed.io.umlauts import in_one_way

__all__ = ["Known"]


class Known:
    """Cases by what their images came from.

    Parameters
    ----------
    records:
        What the project says of them.
    places:
        Where the images that are being brought in lie: a case whose image is one of these is no other's.
    """

    def __init__(self, records: Mapping[str, Record], places: Collection[str]) -> None:
        self._records = dict(records)
        self._places = set(map(in_one_way, places))
        self._of: dict[str, list[str]] = {}  # names by fingerprint, and by place where a record has no fingerprint
        for name, record in records.items():
            self._note(name, record)

    def add(self, name: str, record: Record) -> None:
        """One more case."""
        self._records[name] = record
        self._note(name, record)

    def find(self, source: Source, place: str, fingerprint: str) -> tuple[str, bool]:
        """The case that has a source's image, and whether it is that very one rather than another of the same image.

        Without a name where there is none. A place is believed only where nothing is known of what was in it.
        """
        place = in_one_way(place)
        names = self._of.get(fingerprint, []) if fingerprint else []
        for name in names:
            if source.series is not None or (place and in_one_way(self._records[name].source) == place):
                return name, True
        for name in self._of.get(place, []) if place else []:
            return name, True
        for name in names:
            if self._is_called_so(name, source):
                return name, True
        return (names[0], False) if names else ("", False)

    def _note(self, name: str, record: Record) -> None:
        if word := record.fingerprint or in_one_way(record.source):
            self._of.setdefault(word, []).append(name)

    def _is_called_so(self, name: str, source: Source) -> bool:
        """Whether a case of the same image is this one, though its file lies elsewhere now."""
        before = in_one_way(self._records[name].source)
        if before:
            file = source.files[0]  # a place is where links lead to
            called = {in_one_way(file.name), in_one_way(file.resolve().name)}
            return before not in self._places and PurePosixPath(before).name in called
        return re.sub(r"_\d+$", "", name) == source.name or name == source.name
