"""A folder of images becomes a project; the folder itself stays as it is."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError, WorkError
from napari_resmed.events import Progress
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.files import write
from napari_resmed.io.project.bring_in import bring_in, labels_for
from napari_resmed.io.project.description import ENDING, Description, write_description
from napari_resmed.io.project.incoming import in_labels_and_more
from napari_resmed.io.project.index import Index, write_index
from napari_resmed.io.project.layout import Layout
from napari_resmed.io.project.names_beside import read_names_beside, with_names_beside
from napari_resmed.io.project.origin import fingerprint_of, in_words, place_of, relative
from napari_resmed.io.project.project import Project, is_project, open_project
from napari_resmed.io.project.repair import repair
from napari_resmed.io.project.sources import Source, find_sources, not_taken, read_source
from napari_resmed.io.project.state import State
from napari_resmed.io.whole_file import reason
from napari_resmed.labels import LabelSet

__all__ = ["create_project"]


def create_project(
    images: Path | str, folder: Path | str, labels: LabelSet | None = None
) -> Generator[Progress, None, Project]:
    """Make a project of a folder of images.

    Images that are ``.nii.gz`` already are linked where that is possible (they then take no room), else copied;
    others are converted, losslessly. What cannot be used is left out and listed with the reason; of labels, those that
    no image is called like, too, and of DICOM a second copy. Where the folder holds ``images`` and ``labels``,
    cases with labels are accepted.

    Parameters
    ----------
    images:
        With its folders below; not changed.
    folder:
        The new project; appears whole or not at all.
    labels:
        What is to be annotated; may be named later.

    Yields
    ------
    Progress
        After every image.

    Raises
    ------
    InputError
        If the folder is there already, cannot be written, nothing in ``images`` can be used, or nnU-Net could not train
        on the names that lie beside.
    WorkError
        If writing fails half-way.
    """
    images, folder = Path(images), Path(folder)
    if is_project(images):
        raise InputError(f"{images.name} is a project already; open it")
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise InputError(f"{folder} is there already; choose another name")
    sources = find_sources(images)
    unused = not_taken(images, sources)
    beside, unread = read_names_beside(images)
    named = with_names_beside(Description(labels or LabelSet()), beside, images)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.parent / f".part-{uuid.uuid4().hex}"
        part.mkdir()
    except OSError as problem:
        raise InputError(f"cannot make the project {folder}: {reason(problem)}; choose another place") from problem
    try:
        index = Index(left_out=(*unused, *unread))
        yield from _fill(part, sources, named, index, images, folder, beside)
        with suppress(FileNotFoundError):
            folder.rmdir()
        part.rename(folder)
    except OSError as problem:
        raise WorkError(f"could not make the project {folder}: {reason(problem)}; nothing was left there") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_project(folder)


def _fill(
    part: Path, sources: list[Source], named: Description, index: Index, images: Path, folder: Path, beside: Meaning
) -> Generator[Progress, None, None]:
    """Bring everything into a folder that nobody sees yet, and that becomes ``folder``."""
    layout = Layout(part, ENDING, 1)
    names: dict[str, str] = {}
    for number, source in enumerate(sources):
        try:
            volumes = read_source(source)
            fingerprint = fingerprint_of(source)
            if source.series is not None and fingerprint in names:
                raise InputError(f"its image is there already, as {names[fingerprint]}")
            if not index.cases:
                layout = replace(layout, channels=len(volumes))
                layout.make()
            bring_in(source, volumes, layout, source.name)
            index = index.with_case(source.name, source=place_of(source, folder), fingerprint=fingerprint)
            names[fingerprint] = source.name
            known = labels_for(source, volumes[0])
            if known is not None:
                more, known = in_labels_and_more(named.labels, known, beside)
                named = named.with_labels(more)
                write(known, layout.labels(source.name, State.ACCEPTED))
                index = index.with_case(source.name, state=State.ACCEPTED)
        except InputError as problem:  # of the image, or of its labels alone
            index = replace(index, left_out=(*index.left_out, (source.name, in_words(problem, source))))
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    if not index.cases:
        raise InputError(f"none of the {len(sources)} images can be used: {index.left_out[-1][1]}")
    # A folder of DICOM alone may be called like the patient.
    told = relative(images, folder) if any(record.source for record in index.cases.values()) else ""
    index = replace(index, labels=named.labels, source=told)
    channels = tuple(f"channel {k}" for k in range(layout.channels)) if layout.channels > 1 else ("image",)
    write_description(part, replace(named, channels=channels), index.accepted)
    write_index(part, index)
    repair(part)  # moves accepted cases in
