"""A project: a folder of cases on which several people and windows may work at once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.io.project.description import read_description, write_description
from napari_resmed.io.project.index import read_index, write_index
from napari_resmed.io.project.layout import DATASET, INDEX, Layout
from napari_resmed.io.project.lock import locked
from napari_resmed.io.project.repair import repair
from napari_resmed.io.project.state import State
from napari_resmed.labels import LabelSet

__all__ = ["Project", "ProjectCase", "is_project", "list_cases", "open_project", "read_label_set", "write_label_set"]


def _new_session() -> str:
    return uuid.uuid4().hex[:8]


@dataclass(frozen=True)
class Project:
    """An opened project; what changes is read from its files whenever it is asked for.

    Parameters
    ----------
    folder:
        Where it lies.
    channels:
        What the images of a case are, in their order.
    ending:
        Of its image and label files.
    session:
        A random word for whoever opened it; tells one window's writing from another's.
    """

    folder: Path
    channels: tuple[str, ...]
    ending: str
    session: str = field(default_factory=_new_session)

    @property
    def layout(self) -> Layout:
        """The places of its files."""
        return Layout(self.folder, self.ending, len(self.channels))


@dataclass(frozen=True)
class ProjectCase:
    """One case in the list.

    Parameters
    ----------
    name:
        Its name, and that of its files.
    state:
        How far it has come.
    uncertainty:
        How unsure the model was, 0..1; None where no model was asked.
    written:
        When its labels were last written (UTC, ISO 8601); empty where never.
    complete_slices:
        How many of its slices are marked as complete; where any are, what is unpainted elsewhere is unknown.
    """

    name: str
    state: State
    uncertainty: float | None = None
    written: str = ""
    complete_slices: int = 0


def is_project(folder: Path) -> bool:
    """Whether a folder can be opened: a project, or raw data of nnU-Net."""
    return (folder / INDEX).is_file() or ((folder / DATASET).is_file() and (folder / "imagesTr").is_dir())


def open_project(folder: Path | str) -> Project:
    """Open a project, or make one of an nnU-Net raw folder; what an interruption left undone is done.

    In an nnU-Net folder the labelled cases are accepted; images without labels, which nnU-Net would refuse, move to
    ``imagesUn``.

    Raises
    ------
    InputError
        If the folder is neither, is damaged, or nothing can be written in it.
    WorkError
        If another program does not let go of its lock, or a file cannot be moved.
    """
    folder = Path(folder)
    if not is_project(folder):
        raise InputError(f"{folder.name} is no project: expected {DATASET} and imagesTr, or {INDEX}")
    with locked(folder):
        repair(folder)
        description = read_description(folder)
    return Project(folder, description.channels, description.ending)


def list_cases(project: Project) -> tuple[ProjectCase, ...]:
    """Every case and how far it has come, by name.

    Raises
    ------
    InputError
        If the index is damaged.
    """
    cases = read_index(project.folder).cases
    return tuple(
        ProjectCase(name, one.state, one.uncertainty, one.written, len(one.complete_slices))
        for name, one in sorted(cases.items())
    )


def read_label_set(project: Project) -> LabelSet:
    """The project's labels, with their colours.

    Raises
    ------
    InputError
        If ``dataset.json`` or the index is damaged.
    """
    return read_index(project.folder).colour(read_description(project.folder).labels)


def write_label_set(project: Project, labels: LabelSet, before: LabelSet | None = None) -> None:
    """Name the project's labels anew; maps that are written already keep their values.

    Parameters
    ----------
    project:
        Whose.
    labels:
        All of them; or, beside ``before``, those that are others now.
    before:
        What these were changed from: what another window changed or added since stays.

    Raises
    ------
    InputError
        If nnU-Net could not train on them, see :meth:`Description.with_labels`, another window gave a new label's value
        to one of its own, or nothing can be written.
    WorkError
        If another program does not let go of the project's lock.
    """
    with locked(project.folder):
        if before is not None:
            changed = {label.value: label for label in labels if label not in before.labels}
            now = {one.value: one for one in read_label_set(project)}
            for value in changed.keys() - set(before.values):
                if value in now and now[value].name not in (default_name(value), changed[value].name):
                    raise InputError(
                        f"another window has just added {now[value].name!r} as label {value}; add yours again, it gets "
                        "the next value"
                    )
            labels = LabelSet(tuple((now | changed).values()))
        set_labels(project.folder, labels)


def set_labels(folder: Path, labels: LabelSet) -> None:
    """:func:`write_label_set`, with the lock held already."""
    description, index = read_description(folder).with_labels(labels), read_index(folder)
    if index.labels != labels:
        index = replace(index, labels=labels)
        write_index(folder, index)
    write_description(folder, description, index.accepted)
