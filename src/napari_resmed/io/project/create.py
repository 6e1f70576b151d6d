"""A folder of images becomes a project; the folder itself stays as it is."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nibabel as nib

from napari_resmed.errors import InputError, ResMedError, WorkError
from napari_resmed.events import Progress
from napari_resmed.io.files import read, write
from napari_resmed.io.project.cases import as_label_map
from napari_resmed.io.project.description import ENDING, Description, write_description
from napari_resmed.io.project.index import Index, read_index, write_index
from napari_resmed.io.project.layout import INDEX, Layout
from napari_resmed.io.project.lock import locked
from napari_resmed.io.project.project import Project, is_project, open_project
from napari_resmed.io.project.repair import repair
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
    try:
        index = Index(source=_relative(images, folder), left_out=lonely)
        yield from _fill(part, sources, labels or LabelSet(), index, folder)
        with suppress(FileNotFoundError):
            folder.rmdir()
        part.rename(folder)
    except OSError as problem:
        raise WorkError(f"could not make the project {folder}: {reason(problem)}; nothing was left there") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_project(folder)


def _fill(
    part: Path, sources: list[Source], labels: LabelSet, index: Index, folder: Path
) -> Generator[Progress, None, None]:
    """Bring everything into a folder that nobody sees yet, and that becomes ``folder``."""
    layout = Layout(part, ENDING, 1)
    values: set[int] = set()
    for number, source in enumerate(sources):
        try:
            volumes = read_source(source)
            if not index.cases:
                layout = replace(layout, channels=len(volumes))
                layout.make()
            _bring_in(source, volumes, layout, source.name)
            index = index.with_case(source.name, **_origin(source, folder))
            known = _read_labels(source, volumes[0])
            if known is not None:
                write(known, layout.labels(source.name, State.ACCEPTED))
                values |= set(known.counts())
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
    before = read_index(project.folder)
    known = {word for record in before.cases.values() for word in (record.source, record.fingerprint) if word}
    sources = [source for source in sources if known.isdisjoint(_origin(source, project.folder).values())]
    names = _apart([source.name for source in sources], before.cases)
    left_out: list[tuple[str, str]] = []
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        try:
            _bring_in(source, read_source(source), project.layout, name)
        except InputError as problem:
            left_out.append((source.name, str(problem)))
            with locked(project.folder):
                index = read_index(project.folder)
                others = tuple(entry for entry in index.left_out if entry[0] != source.name)
                write_index(project.folder, replace(index, left_out=(*others, left_out[-1])))
        else:
            with locked(project.folder):
                index = read_index(project.folder).with_case(name, **_origin(source, project.folder))
                write_index(project.folder, index)
        yield Progress(f"Reading {source.name}", (number + 1) / len(sources))
    return tuple(left_out)


def _apart(names: list[str], taken: Iterable[str]) -> list[str]:
    """New names, each unlike those that are taken; upper and lower case are one."""
    used = {name.lower() for name in taken}
    result = []
    for name in names:
        free, number = name, 2
        while free.lower() in used:
            free, number = f"{name}_{number}", number + 1
        used.add(free.lower())
        result.append(free)
    return result


def _read_labels(source: Source, image: Volume) -> LabelMap | None:
    """The labels of a case-to-be, on the image's exact grid."""
    if source.labels is None:
        return None
    try:
        found = as_label_map(read(source.labels), source.labels.name)
    except ResMedError as problem:
        raise InputError(f"its labels cannot be used: {problem}") from problem
    if not found.same_grid(image):
        raise InputError(
            f"its labels lie on another grid ({'×'.join(map(str, found.shape))} voxels, the image has "
            f"{'×'.join(map(str, image.shape))})"
        )
    largest = int(count_values(found.data)[0].max())
    return replace(found, data=found.data.astype(smallest_integer_type(largest)), affine=image.affine)


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
    """Where a case came from, for the index: its file; of DICOM the series, as folders may be named after people."""
    return {
        "source": _relative(source.files[0], project) if source.files else "",
        "fingerprint": source.fingerprint,
    }


def _relative(path: Path, project: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), project.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return path.name
