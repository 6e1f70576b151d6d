"""More images come into a project, and labels that come later."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.events import Progress
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.files import read, write
from napari_resmed.io.project.bring_in import bring_in, labels_for
from napari_resmed.io.project.description import read_description, write_description
from napari_resmed.io.project.incoming import in_labels_and_more
from napari_resmed.io.project.index import Index, Record, read_index, write_index
from napari_resmed.io.project.known import Known
from napari_resmed.io.project.lock import locked
from napari_resmed.io.project.names import unlike
from napari_resmed.io.project.names_beside import NAMES_FILES, read_names_beside, with_names_beside
from napari_resmed.io.project.origin import fingerprint_of, in_words, place_of
from napari_resmed.io.project.project import Project, set_labels
from napari_resmed.io.project.repair import as_the_files_say, put_in_place
from napari_resmed.io.project.sources import Source, find_sources, not_taken, read_source
from napari_resmed.io.project.state import State
from napari_resmed.volume import Volume

__all__ = ["add_images"]

# The index is written about so often, however many cases there are.
NOTE_SECONDS = 1.0
# What is in the files of a batch is looked at before the first of it comes; nobody waits for more than this.
BATCH_BYTES = 256 * 2**20


def add_images(project: Project, images: Path | str) -> Generator[Progress, None, tuple[tuple[str, str], ...]]:
    """Bring more images into a project, as cases not started; those it has already are passed over.

    Where the folder holds ``images`` and ``labels``, cases with labels are accepted, and so are those that the project
    has and nobody has begun. An image that was away and is here again is the case it was. Which case an image is, what
    is in it says: another image in the place of a former one is another case.

    Returns
    -------
    tuple of (name, reason)
        What was left out.

    Raises
    ------
    InputError, WorkError
        As :func:`napari_resmed.io.project.create.create_project`.
    """
    images = Path(images)
    sources = find_sources(images)
    beside, unread = read_names_beside(images)
    with_names_beside(read_description(project.folder), beside, images)
    adding = _Adding(project, sources, beside, [*not_taken(images, sources), *unread])
    size, done = 1, 0
    try:
        while done < len(sources):
            began = time.monotonic()
            for coming in adding.begin(_first(sources[done : done + size])):
                adding.add(coming)
                done += 1
                yield Progress(f"Reading {coming.source.name}", done / len(sources))
            size = size * 2 if time.monotonic() - began < NOTE_SECONDS else max(1, size // 2)
    finally:
        adding.note()
    return tuple(adding.left_out)


def _first(sources: Sequence[Source]) -> list[Source]:
    """The first of the sources, and as many more as are quickly looked at."""
    found: list[Source] = []
    left = BATCH_BYTES
    for source in sources:
        if left < 0:
            break
        found.append(source)
        with suppress(OSError):
            left -= sum(file.stat().st_size for file in source.told_by)
    return found


@dataclass(frozen=True)
class _Coming:
    """An image that is about to come, or to be passed over.

    ``name`` and ``record`` are those of its case; ``has`` says whether the project has it, ``bare`` whether it lacks
    labels that nobody has begun; ``why`` why it is left out, which may be known before it is read.
    """

    source: Source
    name: str = ""
    record: Record = field(default_factory=Record)
    has: bool = False
    bare: bool = False
    why: str = ""


class _Adding:
    """Brings in images, in batches.

    What will be said of a batch stands in the index, as of cases that are away, before its first file comes: wherever
    it is stopped, opening the project finds every file and what it is.
    """

    def __init__(
        self, project: Project, sources: Sequence[Source], beside: Meaning, left_out: list[tuple[str, str]]
    ) -> None:
        self._project, self._layout, self._beside = project, project.layout, beside
        self._places = {place_of(source, project.folder) for source in sources}
        self._index = read_index(project.folder)
        self.left_out = left_out
        # Names of which what was said of them before no longer holds.
        self._settled = set(NAMES_FILES)
        # Cases of this folder by where their images came from.
        self._at: dict[str, list[str]] = {}
        for name, record in self._index.cases.items():
            if record.source and record.source in self._places:
                self._at.setdefault(record.source, []).append(name)
        self._forget()

    def _forget(self) -> None:
        """Of the batch before."""
        self._planned: dict[str, Record] = {}
        self._new: set[str] = set()
        self._came: set[str] = set()
        self._labelled: set[str] = set()

    def begin(self, batch: Sequence[Source]) -> list[_Coming]:
        """Say what the sources will be, and note what has come before them."""
        prints = [self._fingerprint(source) for source in batch]
        with locked(self._project.folder):
            index = self._noted()
            here, away = Known(index.cases, self._places), Known(index.away, self._places)
            used = {name.lower() for name in (*index.cases, *index.away)}
            planned: dict[str, Record] = {}
            found: list[_Coming] = []
            for source, (fingerprint, why) in zip(batch, prints, strict=True):
                coming = _Coming(source, why=why) if why else self._plan(source, fingerprint, index, here, away, used)
                found.append(coming)
                if coming.name and not coming.has:
                    planned[coming.name] = coming.record
                    here.add(coming.name, coming.record)
                    used.add(coming.name.lower())
            self._write(replace(index, away={**planned, **index.away}))
            self._forget()
            self._planned, self._new = planned, planned.keys() - index.away.keys()
        return found

    def _plan(
        self, source: Source, fingerprint: str, index: Index, here: Known, away: Known, used: set[str]
    ) -> _Coming:
        place = place_of(source, self._project.folder)
        name, is_it = here.find(source, place, fingerprint)
        if name:
            why = "" if is_it else f"its image is there already, as {name}"
            record = index.cases.get(name, Record())
            return _Coming(source, name, record, has=True, bare=record.state is State.NOT_STARTED, why=why)
        name, is_it = away.find(source, place, fingerprint)
        if name:  # all that is known of it holds again
            why = "" if is_it else f"its image is there already, as {name}"
            record = replace(index.away[name], fingerprint=fingerprint)
            return _Coming(source, name, replace(record, source=place) if is_it else record, why=why)
        name = unlike(source.name, used)
        there = self._layout.find_labels(name, State.ACCEPTED)
        for file in (*self._layout.find_images(name, State.NOT_STARTED), *([there] if there else [])):
            if file.exists():
                why = f"the project has a file {file.name} already; give the image another name"
                return _Coming(source, why=why)
        state = State.ACCEPTED if source.labels else State.NOT_STARTED  # should its labels come, too
        return _Coming(source, name, Record(state, source=place, fingerprint=fingerprint))

    def add(self, coming: _Coming) -> None:
        """One image more, or its labels, if that is what the project lacks."""
        source = coming.source
        try:
            if coming.name and not coming.has:
                volumes = read_source(source)
                bring_in(source, volumes, self._layout, coming.name)
                self._came.add(coming.name)
                self._settle(source)
            if coming.why:
                raise InputError(coming.why)
            if coming.has:
                self._settle(source)
            if source.labels is not None and not coming.has:
                self._take_labels(coming.name, source, volumes[0])
            elif source.labels is not None and coming.bare:
                self._take_labels(coming.name, source, self._image_of(coming))
        except InputError as problem:  # of the image, or of its labels alone
            self.left_out.append((source.name, in_words(problem, source)))

    def _image_of(self, coming: _Coming) -> Volume:
        """The project's own image of a case that it has."""
        path = self._layout.find_images(coming.name, coming.record.state)[0]
        if not path.exists():
            raise InputError(f"its image {path.name} is not in the project now; open the project again, then add it")
        return read(path)

    def _take_labels(self, name: str, source: Source, image: Volume) -> None:
        """Give a case that nobody has begun the labels that its image came with."""
        labels = labels_for(source, image)
        folder = self._project.folder
        with locked(folder):
            if labels is None or self._layout.find_labels(name, State.NOT_STARTED) is not None:
                return  # somebody painted it meanwhile
            known = self._index.colour(read_description(folder).labels)
            more, labels = in_labels_and_more(known, labels, self._beside)
            if more != known:
                set_labels(folder, read_index(folder).colour(more))
            write(labels, self._layout.labels(name, State.ACCEPTED))
        self._labelled.add(name)

    def note(self) -> None:
        """Note what has come, and forget what did not."""
        with locked(self._project.folder):
            self._write(self._noted())
            self._forget()

    def _noted(self) -> Index:
        """The index with what has come, and without what was planned and did not."""
        index = read_index(self._project.folder)
        cases, away = dict(index.cases), dict(index.away)
        for name in self._came | self._labelled:
            record = cases.get(name) or self._planned.get(name)
            if record is None:
                continue  # its image has gone meanwhile
            if name in self._labelled and record.state is State.NOT_STARTED:
                record = replace(record, state=State.ACCEPTED)
            cases[name] = as_the_files_say(record, self._layout, name)
        for name in self._new | self._came:
            away.pop(name, None)
        said = self._settled | {name for name, _ in self.left_out}
        others = [entry for entry in index.left_out if entry[0] not in said]
        return replace(index, cases=cases, away=away, left_out=(*others, *self.left_out))

    def _write(self, index: Index) -> None:
        """Write the index, then move the files of what has come to where it wants them."""
        folder = self._project.folder
        if index != read_index(folder):
            write_index(folder, index)
        for name in self._came | self._labelled:
            if name in index.cases:
                put_in_place(self._layout, name, index.cases[name].state)
        write_description(folder, read_description(folder), index.accepted)
        self._index = index

    def _fingerprint(self, source: Source) -> tuple[str, str]:
        """Of a source, and why there is none; nothing is read of what the project has under a second name."""
        place = place_of(source, self._project.folder)
        for name in self._at.get(place, ()):
            record = self._index.cases.get(name, Record())
            ours = self._layout.find_images(name, record.state)
            with suppress(OSError):
                if len(ours) == len(source.files) and all(map(Path.samefile, source.files, ours)):
                    return record.fingerprint, ""
        try:
            return fingerprint_of(source), ""
        except InputError as problem:
            return "", str(problem)

    def _settle(self, source: Source) -> None:
        self._settled |= {source.name} | ({source.labels.name} if source.labels else set())
