"""The images and labels of one case, read and written so that nobody's work is lost.

Whoever reads labels gets a token: what the file held. Whoever writes them hands it back; if the file has changed
meanwhile, somebody else wrote it, and theirs stays while ours is put beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.files import read, write
from napari_resmed.io.project.description import read_description, write_description
from napari_resmed.io.project.index import Index, Record, read_index, write_index
from napari_resmed.io.project.lock import locked
from napari_resmed.io.project.project import Project, read_label_set, set_labels
from napari_resmed.io.project.repair import put_in_place
from napari_resmed.io.project.state import State
from napari_resmed.io.whole_file import reason
from napari_resmed.labels import LabelMap, LabelSet, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = [
    "NO_LABELS",
    "Written",
    "accept",
    "as_label_map",
    "read_images",
    "read_labels",
    "reopen",
    "write_labels",
    "write_prediction",
]

# The token of a case that has no label file.
NO_LABELS = ""
# Another window may move a case between looking for its files and reading them; it will not do so for ever.
TRIES = 5

_Slices = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Written:
    """How writing labels went.

    Parameters
    ----------
    token:
        Of the label file as it is now, ours or theirs.
    state:
        Of the case now.
    conflict:
        Where ours went because somebody else had written meanwhile; None where all is well.
    """

    token: str
    state: State
    conflict: Path | None = None


def read_images(project: Project, name: str) -> tuple[Volume, ...]:
    """The images of a case, one per channel; never labels, whatever they look like.

    Raises
    ------
    InputError
        If the project has no such case, or an image is gone or damaged.
    """
    for attempt in range(TRIES):
        paths = project.layout.find_images(name, _state(project, name))
        try:
            volumes = [read(path) for path in paths]
        except InputError:
            if attempt + 1 < TRIES and not all(path.exists() for path in paths):
                continue
            raise
        return tuple(
            Volume(one.data, one.affine, one.axes, one.modality, _channel_name(project, name, number), one.meta)
            for number, one in enumerate(volumes)
        )
    raise AssertionError("unreachable")


def _channel_name(project: Project, name: str, number: int) -> str:
    return name if len(project.channels) == 1 else f"{name} {project.channels[number]}"


def read_labels(project: Project, name: str) -> tuple[LabelMap | None, str]:
    """The labels of a case with the project's names, and the token that writing them asks for.

    Returns
    -------
    labels, token
        None and :data:`NO_LABELS` where there are none yet. Where slices are marked as complete,
        ``meta["complete_slices"]`` holds them as ``[axis, index]`` pairs in the file's own order of axes.

    Raises
    ------
    InputError
        If the project has no such case, or its label file is damaged or holds no labels.
    """
    for attempt in range(TRIES):
        record = _record(read_index(project.folder), name)
        path = project.layout.find_labels(name, record.state)
        if path is None:
            return None, NO_LABELS
        try:
            token = _token(path, record.complete_slices)
            found = read(path)
            if _token(path, record.complete_slices) == token:
                break
        except (OSError, InputError):
            if attempt + 1 == TRIES or path.exists():
                raise
    else:
        raise WorkError(f"the labels of {name} are being written by another window; try again")
    return _named(as_label_map(found, path.name), project, name, record.complete_slices), token


def _named(found: LabelMap, project: Project, name: str, slices: _Slices) -> LabelMap:
    meta = {**found.meta, "complete_slices": [list(place) for place in slices]} if slices else found.meta
    return replace(found, labels=read_label_set(project).completed(found.counts()), name=name, meta=meta)


def as_label_map(volume: Volume, name: str) -> LabelMap:
    """A volume that is known to hold labels, as such.

    Raises
    ------
    InputError
        If its voxels are not whole numbers of 0 or more, or it is not 3D.
    """
    if volume.axes != "zyx" and volume.frames == volume.channels == 1:
        volume = volume.with_data(volume.data.reshape(volume.grid_shape), "zyx")
    if volume.axes != "zyx":
        layers = volume.frames * volume.channels
        raise InputError(f"{name} holds {layers} layers of labels, expected one; save the one you want by itself")
    if isinstance(volume, LabelMap):
        return volume
    data: Any = volume.data
    if not np.isfinite(data).all() or data.min() < 0 or (data != np.rint(data)).any():
        raise InputError(f"{name} holds no labels; expected a map of whole numbers of 0 or more")
    whole = data.astype(smallest_integer_type(int(data.max())))
    return LabelMap(whole, volume.affine, "zyx", volume.modality, volume.name, volume.meta)


def write_labels(project: Project, name: str, labels: LabelMap, token: str) -> Written:
    """Write what a person painted; the case becomes corrected, or stays accepted.

    Parameters
    ----------
    project, name:
        The case.
    labels:
        On the grid of its image. Values that the project does not know are added to its labels. Slices in
        ``meta["complete_slices"]`` are those that are complete now.
    token:
        From :func:`read_labels` or the last :func:`write_labels`.

    Raises
    ------
    InputError
        If the project has no such case, or nothing can be written there.
    WorkError
        If writing fails; what was there stays.
    """
    _state(project, name)
    slices = tuple((int(axis), int(index)) for axis, index in labels.meta.get("complete_slices", ()))
    with _being_written(project, name, labels) as part:
        ours = _token(part, slices)
        with locked(project.folder):
            index = read_index(project.folder)
            record = _record(index, name)
            there = project.layout.find_labels(name, record.state)
            now = _token(there, record.complete_slices) if there else NO_LABELS
            if now != token:
                beside = project.layout.conflict(name, project.session)
                _replace(part, beside)
                return Written(now, record.state, beside)
            kept = record.state if record.state is State.ACCEPTED else State.CORRECTED
            _note(project, name, labels, state=kept, complete_slices=slices)
            try:
                _replace(part, there or project.layout.labels(name, kept))
            except WorkError:
                write_index(project.folder, index)  # what it says of complete slices is true of the new labels alone
                raise
            return Written(ours, kept)


def write_prediction(
    project: Project, name: str, labels: LabelMap, uncertainty: float | None = None, model: str = ""
) -> bool:
    """Write what a model found, unless the case has labels by now; returns whether it was written.

    Parameters
    ----------
    project, name, labels:
        As :func:`write_labels`.
    uncertainty:
        How unsure the model was of the whole case, 0..1; None where nobody knows.
    model:
        Its name and version, for the index.

    Raises
    ------
    InputError, WorkError
        As :func:`write_labels`.
    """
    _state(project, name)
    with _being_written(project, name, labels) as part, locked(project.folder):
        state = _state(project, name)
        if state is not State.NOT_STARTED or project.layout.find_labels(name, state):
            return False
        _note(project, name, labels, state=State.PREDICTED, uncertainty=uncertainty, model=model)
        _replace(part, project.layout.labels(name, State.PREDICTED))
        return True


def accept(project: Project, name: str, token: str) -> Written:
    """Accept a case as it is: its files move to where nnU-Net trains.

    Returns
    -------
    Written
        With the state unchanged and another token where somebody else wrote the labels meanwhile.

    Raises
    ------
    InputError
        If the case has no labels, or nothing can be written.
    WorkError
        If a file cannot be moved; opening the project again goes on with it.
    """
    return _move(project, name, token, State.ACCEPTED)


def reopen(project: Project, name: str, token: str) -> Written:
    """Take an accepted case back to corrected; otherwise as :func:`accept`."""
    return _move(project, name, token, State.CORRECTED)


def _move(project: Project, name: str, token: str, state: State) -> Written:
    with locked(project.folder):
        index = read_index(project.folder)
        record = _record(index, name)
        before = record.state
        there = project.layout.find_labels(name, before)
        if there is None:
            raise InputError(f"{name} has no labels yet; predict or paint them first")
        now = _token(there, record.complete_slices)
        if now != token:
            return Written(now, before)
        index = index.with_case(name, state=state)
        write_index(project.folder, index)
        put_in_place(project.layout, name, state)
        write_description(project.folder, read_description(project.folder), index.accepted)
        return Written(now, state)


def _state(project: Project, name: str) -> State:
    return _record(read_index(project.folder), name).state


def _record(index: Index, name: str) -> Record:
    if name not in index.cases:
        raise InputError(f"the project has no case {name}; open the project again")
    return index.cases[name]


def _note(project: Project, name: str, labels: LabelMap, **changes: Any) -> None:
    """Say in the index what is about to be written, and name values that were painted before anybody named them.

    The index comes first: opening a project takes back what it says of labels that never came.
    """
    named = read_description(project.folder)
    present = [value for value, voxels in labels.counts().items() if voxels and value not in named.labels]
    if present and not named.regions:
        known = read_label_set(project)
        set_labels(project.folder, LabelSet((*known, *(labels.labels.completed(present)[v] for v in present))))
    changes |= {"written": datetime.now(UTC).isoformat(timespec="seconds"), "session": project.session}
    write_index(project.folder, read_index(project.folder).with_case(name, **changes))


def _token(path: Path, slices: _Slices) -> str:
    """What tells one content of a label file, and of what is said of its slices, from another."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() + "".join(f" {axis}.{index}" for axis, index in slices)


@contextmanager
def _being_written(project: Project, name: str, labels: LabelMap) -> Iterator[Path]:
    """A label file written in full beside its place, so that the lock is held for renames alone."""
    path = project.layout.being_written(name, project.session)
    smallest = labels.data.astype(smallest_integer_type(int(labels.data.max())))
    try:
        write(labels.with_data(smallest), path)
        yield path
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _replace(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except OSError as problem:
        raise WorkError(f"could not write {target.name}: {reason(problem)}; what was there stays") from problem
