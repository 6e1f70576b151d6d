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
from napari_resmed.io.datasets.load import grids_in_words, on_grid
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.io.datasets.table import meaning_in
from napari_resmed.io.files import read, write
from napari_resmed.io.project.cases import as_label_map
from napari_resmed.io.project.description import ENDING, Description, read_description, write_description
from napari_resmed.io.project.index import Index, read_index, write_index
from napari_resmed.io.project.layout import INDEX, Layout
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
# What no structure can be called in nnU-Net's layout.
_NAMES_OF_NONE = {"", "background", "ignore"}
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
    try:
        index = Index(source=_relative(images, folder), left_out=lonely)
        yield from _fill(part, sources, labels or LabelSet(), index, folder, _names_beside(images))
        with suppress(FileNotFoundError):
            folder.rmdir()
        part.rename(folder)
    except OSError as problem:
        raise WorkError(f"could not make the project {folder}: {reason(problem)}; nothing was left there") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_project(folder)


def _fill(
    part: Path, sources: list[Source], labels: LabelSet, index: Index, folder: Path, beside: LabelSet
) -> Generator[Progress, None, None]:
    """Bring everything into a folder that nobody sees yet, and that becomes ``folder``."""
    layout = Layout(part, ENDING, 1)
    values: set[int] = set()
    labels = _with_names(labels, beside)
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
                write(known, layout.labels(source.name, State.ACCEPTED))
                values |= set(known.counts())
                labels = _with_names(labels, known.labels)
                index = index.with_case(source.name, state=State.ACCEPTED)
        except InputError as problem:  # of the image, or of its labels alone
            index = replace(index, left_out=(*index.left_out, (source.name, str(problem))))
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    if not index.cases:
        raise InputError(f"none of the {len(sources)} images can be used: {index.left_out[-1][1]}")
    labels = labels.completed(values)
    index = replace(index, labels=labels)
    channels = tuple(f"channel {k}" for k in range(layout.channels)) if layout.channels > 1 else ("image",)
    write_description(part, Description(labels, channels), index.accepted)
    write_index(part, index)
    repair(part)  # moves accepted cases in


def add_images(project: Project, images: Path | str) -> Generator[Progress, None, tuple[tuple[str, str], ...]]:
    """Bring more images into a project, as cases not started; those it has already are passed over.

    Where the folder holds ``images`` and ``labels``, cases with labels are accepted.

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
    lonely = labels_without_image(images, sources)
    beside = _names_beside(images)
    before = read_index(project.folder).cases
    known = {word for record in before.values() for word in (record.source, record.fingerprint) if word}
    used = {name.lower() for name in before}
    sources = [source for source in sources if _origin(source, project.folder)["source"] not in known]
    left_out = [*lonely]
    for number, source in enumerate(sources):
        fingerprint = _fingerprint(source)
        if fingerprint not in known:
            name = _unlike(source.name, used)
            used.add(name.lower())
            try:
                volumes = read_source(source)
                _bring_in(source, volumes, project.layout, name)
                with locked(project.folder):
                    origin = _origin(source, project.folder)
                    index = read_index(project.folder).with_case(name, **origin, fingerprint=fingerprint)
                    write_index(project.folder, index)
                labels = _read_labels(source, volumes[0])
                if labels is not None:
                    _accept_with(project, name, labels, beside)
            except InputError as problem:  # of the image, or of its labels alone
                left_out.append((source.name, str(problem)))
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    if left_out:
        with locked(project.folder):
            index = read_index(project.folder)
            names = {name for name, _ in left_out}
            others = tuple(entry for entry in index.left_out if entry[0] not in names)
            write_index(project.folder, replace(index, left_out=(*others, *left_out)))
    return tuple(left_out)


def _accept_with(project: Project, name: str, labels: LabelMap, beside: LabelSet) -> None:
    """Give a new case the labels that it came with."""
    named = _with_names(beside, labels.labels)
    with locked(project.folder):
        if project.layout.find_labels(name, State.NOT_STARTED) is not None:
            return  # somebody painted it meanwhile
        set_labels(project.folder, _with_names(read_label_set(project), named).completed(labels.counts()))
        write(labels, project.layout.labels(name, State.ACCEPTED))
        index = read_index(project.folder).with_case(name, state=State.ACCEPTED)
        write_index(project.folder, index)
        put_in_place(project.layout, name, State.ACCEPTED)
        write_description(project.folder, read_description(project.folder), index.accepted)


def _names_beside(images: Path) -> LabelSet:
    """What a file of names in a folder of images calls the labels."""
    meaning = meaning_in(images)
    return LabelSet() if meaning is None else meaning.labels


def _with_names(labels: LabelSet, others: LabelSet) -> LabelSet:
    """Labels, and what others call the values that have no name of their own; nnU-Net wants every name but once."""
    found = {label.value: label for label in labels}
    for label in others:
        names = {one.name.casefold() for one in found.values()} | _NAMES_OF_NONE
        known = found.get(label.value)
        if (known is None or known.name == default_name(label.value)) and label.name.strip().casefold() not in names:
            found[label.value] = label
    return LabelSet(tuple(found.values()))


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
            raise InputError(f"{path.name} cannot be read: {reason(problem)}") from problem
    return digest.hexdigest()


def _relative(path: Path, project: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), project.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return path.name
