"""A folder of images becomes a project; the folder itself stays as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Collection, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nibabel as nib

from napari_resmed.errors import InputError, ResMedError, WorkError
from napari_resmed.events import Progress
from napari_resmed.io.datasets.folders import NAMES_FILE
from napari_resmed.io.datasets.load import grids_in_words, on_grid
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.datasets.table import meaning_in
from napari_resmed.io.files import read, write
from napari_resmed.io.project.cases import as_label_map
from napari_resmed.io.project.description import ENDING, Description, read_description, write_description
from napari_resmed.io.project.incoming import in_labels_and_more, join
from napari_resmed.io.project.index import Index, read_index, write_index
from napari_resmed.io.project.layout import DATASET, INDEX, Layout
from napari_resmed.io.project.lock import locked
from napari_resmed.io.project.project import Project, is_project, open_project, read_label_set, set_labels
from napari_resmed.io.project.repair import put_in_place, repair
from napari_resmed.io.project.sources import (
    Source,
    find_sources,
    images_folder,
    labels_without_image,
    read_source,
)
from napari_resmed.io.project.state import State
from napari_resmed.io.whole_file import reason
from napari_resmed.labels import LabelMap, LabelSet, count_values, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = ["add_images", "create_project", "find_project_of", "suggest_folder"]

# nnU-Net's own data sets have numbers up to 500 by custom.
FIRST_NUMBER = 501
# Names of folders that say nothing of what is in them.
_PLAIN_NAMES = ("images", "imagestr", "imagests", "data", "nifti", "dicom", "raw")


def suggest_folder(images: Path) -> Path:
    """A place for a project, beside the folder of images, with a name that nnU-Net takes: ``Dataset501_liver``."""
    root = images_folder(images)
    subject = root if root.name.lower() not in _PLAIN_NAMES else root.parent
    name = "".join(letter if letter.isalnum() else "_" for letter in subject.name).strip("_") or "cases"
    place = root.parent if root == images else images
    place = place if place != subject else subject.parent
    taken = {path.name.split("_")[0] for path in place.glob("Dataset*")}
    number = next(number for number in range(FIRST_NUMBER, 10_000) if f"Dataset{number}" not in taken)
    return place / f"Dataset{number}_{name}"


def find_project_of(images: Path) -> Path | None:
    """The project that was made of a folder of images before, if it lies where :func:`suggest_folder` puts one."""
    for folder in sorted(suggest_folder(images).parent.glob("Dataset*")):
        if not (folder / INDEX).is_file():
            continue
        with suppress(InputError, OSError):
            source = read_index(folder).source
            if source and (folder / source).resolve() == images.resolve():
                return folder
    return None


def create_project(
    images: Path | str, folder: Path | str, labels: LabelSet | None = None
) -> Generator[Progress, None, Project]:
    """Make a project of a folder of images.

    Images that are ``.nii.gz`` already are linked where that is possible (they then take no room), else copied;
    others are converted, losslessly. What cannot be used is left out and listed with the reason; of labels, those that
    no image is called like, too. Where the folder holds ``images`` and ``labels``, cases with labels are accepted.

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
        If the folder is there already, cannot be written, or nothing in ``images`` can be used.
    WorkError
        If writing fails half-way.
    """
    images, folder = Path(images), Path(folder)
    if is_project(images):
        raise InputError(f"{images.name} is a project already; open it")
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise InputError(f"{folder} is there already; choose another name")
    sources = find_sources(images)
    lonely = labels_without_image(images, sources)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.parent / f".part-{uuid.uuid4().hex}"
        part.mkdir()
    except OSError as problem:
        raise InputError(f"cannot make the project {folder}: {reason(problem)}; choose another place") from problem
    beside, unread = _names_beside(images)
    try:
        index = Index(source=_relative(images, folder), left_out=(*lonely, *unread))
        yield from _fill(part, sources, labels or LabelSet(), index, folder, beside)
        with suppress(FileNotFoundError):
            folder.rmdir()
        part.rename(folder)
    except OSError as problem:
        raise WorkError(f"could not make the project {folder}: {reason(problem)}; nothing was left there") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_project(folder)


def _fill(
    part: Path, sources: list[Source], labels: LabelSet, index: Index, folder: Path, beside: Meaning
) -> Generator[Progress, None, None]:
    """Bring everything into a folder that nobody sees yet, and that becomes ``folder``."""
    layout = Layout(part, ENDING, 1)
    labels, _ = join(labels, beside.labels, ())
    for number, source in enumerate(sources):
        try:
            volumes = read_source(source)
            if not index.cases:
                layout = replace(layout, channels=len(volumes))
                layout.make()
            _bring_in(source, volumes, layout, source.name)
            index = index.with_case(source.name, **_origin(source, folder), fingerprint=_fingerprint(source))
            known = _read_labels(source, volumes[0])
            if known is not None:
                more, known = in_labels_and_more(labels, known, beside)
                labels = Description(labels).with_labels(more).labels
                write(known, layout.labels(source.name, State.ACCEPTED))
                index = index.with_case(source.name, state=State.ACCEPTED)
        except InputError as problem:  # of the image, or of its labels alone
            index = replace(index, left_out=(*index.left_out, (source.name, str(problem))))
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    if not index.cases:
        raise InputError(f"none of the {len(sources)} images can be used: {index.left_out[-1][1]}")
    index = replace(index, labels=labels)
    channels = tuple(f"channel {k}" for k in range(layout.channels)) if layout.channels > 1 else ("image",)
    write_description(part, Description(labels, channels), index.accepted)
    write_index(part, index)
    repair(part)  # moves accepted cases in


def add_images(project: Project, images: Path | str) -> Generator[Progress, None, tuple[tuple[str, str], ...]]:
    """Bring more images into a project, as cases not started; those it has already are passed over.

    Where the folder holds ``images`` and ``labels``, cases with labels are accepted, and so are those that the project
    has and nobody has begun. An image that was away and is here again is the case it was.

    Returns
    -------
    tuple of (name, reason)
        What was left out.

    Raises
    ------
    InputError, WorkError
        As :func:`create_project`.
    """
    images = Path(images)
    sources = find_sources(images)
    beside, unread = _names_beside(images)
    left_out = [*labels_without_image(images, sources), *unread]
    _leave_out(project, left_out)
    there = _There(read_index(project.folder))
    for number, source in enumerate(sources):
        try:
            _add(project, source, beside, there)
        except InputError as problem:  # of the image, or of its labels alone
            left_out.append((source.name, str(problem)))
            _leave_out(project, left_out[-1:])
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    return tuple(left_out)


class _There:
    """What a project has: cases by what their images came from, and names."""

    def __init__(self, index: Index) -> None:
        self.cases = {word: name for name, one in index.cases.items() for word in (one.source, one.fingerprint) if word}
        self.away = {one.fingerprint: name for name, one in index.away.items() if one.fingerprint}
        self.bare = {name for name, one in index.cases.items() if one.state is State.NOT_STARTED}
        self.names = {name.lower() for name in (*index.cases, *index.away)}

    def name_for(self, source: Source, fingerprint: str) -> str:
        """That of the case whose image was away; else one unlike any other."""
        if fingerprint in self.away:
            return self.away[fingerprint]
        name = _unlike(source.name, self.names)
        self.names.add(name.lower())
        return name


def _add(project: Project, source: Source, beside: Meaning, there: _There) -> None:
    """One image more, or its labels, if that is what the project lacks."""
    name = there.cases.get(_origin(source, project.folder)["source"])
    if name is None:
        fingerprint = _fingerprint(source)
        name = there.cases.get(fingerprint)
        if name is None:
            name = there.name_for(source, fingerprint)
            volumes = read_source(source)
            _bring_in(source, volumes, project.layout, name)
            _write_down(project, source, name, fingerprint, there)
            _take_labels(project, name, source, volumes[0], beside)
        elif not name.lower().startswith(source.name.lower()):
            raise InputError(f"its image is there already, as {name}")
    if source.labels is not None and name in there.bare:
        _take_labels(project, name, source, read_source(source)[0], beside)


def _write_down(project: Project, source: Source, name: str, fingerprint: str, there: _There) -> None:
    """Say in the index what a new image is."""
    origin = _origin(source, project.folder)
    with locked(project.folder):
        # Of a case that was away, all that is known holds again.
        index = repair(project.folder) if fingerprint in there.away else read_index(project.folder)
        write_index(project.folder, index.with_case(name, **origin, fingerprint=fingerprint))
    there.cases |= {word: name for word in (fingerprint, origin["source"]) if word}


def _leave_out(project: Project, entries: Collection[tuple[str, str]]) -> None:
    """Note what is left out and why, in place of what was said of it before."""
    if entries:
        with locked(project.folder):
            index = read_index(project.folder)
            names = {name for name, _ in entries}
            others = tuple(entry for entry in index.left_out if entry[0] not in names)
            write_index(project.folder, replace(index, left_out=(*others, *entries)))


def _take_labels(project: Project, name: str, source: Source, image: Volume, beside: Meaning) -> None:
    """Give a case that nobody has begun the labels that its image came with."""
    labels = _read_labels(source, image)
    if labels is None:
        return
    with locked(project.folder):
        if project.layout.find_labels(name, State.NOT_STARTED) is not None:
            return  # somebody painted it meanwhile
        more, labels = in_labels_and_more(read_label_set(project), labels, beside)
        set_labels(project.folder, more)
        write(labels, project.layout.labels(name, State.ACCEPTED))
        index = read_index(project.folder).with_case(name, state=State.ACCEPTED)
        left_out = tuple(entry for entry in index.left_out if entry[0] != source.name)
        write_index(project.folder, replace(index, left_out=left_out))
        put_in_place(project.layout, name, State.ACCEPTED)
        write_description(project.folder, read_description(project.folder), index.accepted)


def _names_beside(images: Path) -> tuple[Meaning, tuple[tuple[str, str], ...]]:
    """What a file of names in a folder of images says of the labels; and what of it says nothing usable, and why."""
    try:
        return meaning_in(images) or Meaning(), ()
    except InputError as problem:
        return Meaning(), ((NAMES_FILE if (images / NAMES_FILE).is_file() else DATASET, str(problem)),)


def _unlike(name: str, used: Collection[str]) -> str:
    """A name unlike those that are used; upper and lower case are one."""
    free, number = name, 2
    while free.lower() in used:
        free, number = f"{name}_{number}", number + 1
    return free


def _read_labels(source: Source, image: Volume) -> LabelMap | None:
    """The labels of a case-to-be, on the image's exact grid."""
    if source.labels is None:
        return None
    try:
        found = as_label_map(read(source.labels), source.labels.name)
    except ResMedError as problem:
        raise InputError(f"its labels cannot be used: {problem}") from problem
    turned = on_grid(found, image)
    if turned is None:
        sizes = f"{_by(found.shape)} voxels, the image has {_by(image.shape)}"
        raise InputError(
            f"its labels lie on another grid ({sizes if found.shape != image.shape else grids_in_words(image, found)})"
        )
    found, _ = turned
    largest = int(count_values(found.data)[0].max())
    return replace(found, data=found.data.astype(smallest_integer_type(largest)), affine=image.affine)


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _bring_in(source: Source, volumes: tuple[Volume, ...], layout: Layout, name: str) -> None:
    """Link, copy or convert the images of a case to where those not started lie."""
    if len(volumes) != layout.channels:
        raise InputError(f"it has {len(volumes)} channels, the other cases have {layout.channels}")
    targets = layout.images(name, State.NOT_STARTED)
    for target in targets:
        if target.exists():
            raise InputError(_taken(target))
    for number, (volume, target) in enumerate(zip(volumes, targets, strict=True)):
        file = source.files[number] if len(source.files) == len(volumes) else None
        if file is None or not _fits_as_it_is(file, volume) or not _link(file, target):
            write(volume, target)


def _taken(target: Path) -> str:
    return f"the project has a file {target.name} already; give the image another name"


def _fits_as_it_is(file: Path, volume: Volume) -> bool:
    """Whether nnU-Net would read from this very file what we do."""
    if not file.name.endswith(ENDING) or volume.meta.get("warnings"):
        return False
    return len(nib.load(file).shape) == 3


def _link(file: Path, target: Path) -> bool:
    """Give a file a second name, or copy it; neither file is ever written into afterwards."""
    try:
        os.link(file.resolve(), target)
    except FileExistsError as problem:
        raise InputError(_taken(target)) from problem
    except OSError:  # another disk, or a file system without links
        part = target.with_name(f".part-{target.name}")
        try:
            shutil.copyfile(file, part)
            part.replace(target)
        except OSError as problem:
            part.unlink(missing_ok=True)
            raise WorkError(f"could not copy {file.name}: {reason(problem)}") from problem
    return True


def _origin(source: Source, project: Path) -> dict[str, str]:
    """Where a case came from, for the index: its file; nothing of DICOM, as folders may be named after people."""
    return {"source": _relative(source.files[0], project) if source.files else ""}


def _fingerprint(source: Source) -> str:
    """What tells a case-to-be from any other, wherever it lies: its series, or what is in its files."""
    if not source.files:
        return source.fingerprint
    digest = hashlib.sha256()
    for path in source.files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as problem:
            why = (problem.strerror or "unknown reason").lower()
            raise InputError(f"{path.name} cannot be read: {why}") from problem
    return digest.hexdigest()


def _relative(path: Path, project: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), project.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return path.name
