"""The files follow the index.

A change of state is first written into the index, then the files are moved. Whatever happened in between, doing the
moves again puts things right: that is done for one case after a change, and for all on opening.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.project.description import Description, read_description, write_description
from napari_resmed.io.project.index import Index, Record, read_index, write_index
from napari_resmed.io.project.layout import INDEX, Layout
from napari_resmed.io.project.state import State
from napari_resmed.io.umlauts import in_one_way
from napari_resmed.io.whole_file import reason

__all__ = ["as_the_files_say", "layout_of", "put_in_place", "repair"]

# Nothing takes this long to write: what is older was left by a program that died.
LEFT_OVER_SECONDS = 24 * 3600


def layout_of(folder: Path, description: Description) -> Layout:
    """The places of a project's files."""
    return Layout(folder, description.ending, len(description.channels))


def put_in_place(layout: Layout, name: str, state: State) -> None:
    """Move the files of a case to where its state wants them; nothing is replaced.

    The label file goes in before its image and comes out after it, so that nnU-Net never sees an image without labels.

    Raises
    ------
    InputError, WorkError
        If a file cannot be moved.
    """
    images = list(zip(layout.find_images(name, state), layout.images(name, state), strict=True))
    found = layout.find_labels(name, state)
    labels = [(found, layout.labels(name, state))] if found else []
    for here, there in [*labels, *images] if state is State.ACCEPTED else [*images, *labels]:
        if here == there or not here.exists() or there.exists():
            continue
        try:
            there.parent.mkdir(exist_ok=True)
            here.replace(there)
        except OSError as problem:
            raise WorkError(f"could not move {here.name} to {there.parent.name}: {reason(problem)}") from problem


def as_the_files_say(record: Record, layout: Layout, name: str) -> Record:
    """What is said of a case, as far as it can be: without labels none is begun, with labels none is not."""
    labelled = layout.find_labels(name, record.state) is not None
    if labelled and record.state is State.NOT_STARTED:
        return replace(record, state=State.CORRECTED)
    if not labelled and record.state is not State.NOT_STARTED:
        return replace(record, state=State.NOT_STARTED, uncertainty=None, complete_slices=())
    return record


def repair(folder: Path) -> Index:
    """Make index, files and ``dataset.json`` agree; only with the project's lock held.

    Cases that the index does not know are added: with labels in ``labelsTr`` as accepted, with labels in ``labelsUn``
    as corrected, else as not started. Without labels no case is more than not started, with labels none is less than
    corrected. What is known of a case whose image is not there is kept until it is.

    Raises
    ------
    InputError
        If the folder is no project, or nothing can be written in it.
    WorkError
        If a file cannot be moved.
    """
    description, index = read_description(folder), read_index(folder)
    layout = layout_of(folder, description)
    try:
        layout.make()
    except OSError as problem:
        raise InputError(f"cannot write to the project {folder.name}: {reason(problem)}") from problem
    before = index
    trained, other = layout.image_names(State.ACCEPTED), layout.image_names(State.NOT_STARTED)
    said = {**index.away, **index.cases}
    # Another system may write the files' umlauts in another way.
    anew = _written_anew([*trained, *other], said)
    said |= {name: said[old] for name, old in anew.items()}
    present = {
        name: as_the_files_say(said.get(name) or Record(_guess(layout, name)), layout, name)
        for name in (*trained, *other)
    }
    # A case whose image is gone can neither be trained on nor counted; but it may come back.
    away = {name: record for name, record in said.items() if name not in present and name not in anew.values()}
    index = replace(index, cases=present, away=away, labels=index.colour(description.labels))
    if index != before or not (folder / INDEX).exists():
        write_index(folder, index)
    for name, record in present.items():
        put_in_place(layout, name, record.state)
    write_description(folder, description, index.accepted)
    _sweep(layout)
    return index


def _written_anew(names: Iterable[str], said: Collection[str]) -> dict[str, str]:
    """The name under which something is said of each case of which nothing is said under its own."""
    known = {in_one_way(name): name for name in said}
    return {name: known[in_one_way(name)] for name in names if name not in said and in_one_way(name) in known}


def _guess(layout: Layout, name: str) -> State:
    if layout.labels(name, State.ACCEPTED).exists():
        return State.ACCEPTED
    return State.CORRECTED if layout.labels(name, State.CORRECTED).exists() else State.NOT_STARTED


def _sweep(layout: Layout) -> None:
    for file in layout.left_overs():
        with suppress(OSError):
            if time.time() - os.path.getmtime(file) > LEFT_OVER_SECONDS:  # noqa: PTH204
                file.unlink()
