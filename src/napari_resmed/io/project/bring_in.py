"""The files of one case come into a project: its images as they are, where that is possible, and its labels."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib

from napari_resmed.errors import InputError, ResMedError, WorkError
from napari_resmed.io.datasets.load import grids_in_words, on_grid
from napari_resmed.io.files import read, write
from napari_resmed.io.project.cases import as_label_map
from napari_resmed.io.project.layout import Layout
from napari_resmed.io.project.sources import Source
from napari_resmed.io.project.state import State
from napari_resmed.io.whole_file import reason
from napari_resmed.labels import LabelMap, count_values, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = ["bring_in", "labels_for"]

# Others may lie in several files, or hold more than their header shows: those are written anew.
_LINKED = (".nii", ".nii.gz")


def bring_in(source: Source, volumes: tuple[Volume, ...], layout: Layout, name: str) -> None:
    """Link, copy or convert the images of a case to where those not started lie; what is there already stays.

    Raises
    ------
    InputError
        If the project's cases have another number of channels, or nothing can be written.
    WorkError
        If a file cannot be copied.
    """
    if len(volumes) != layout.channels:
        raise InputError(f"it has {len(volumes)} channels, the other cases have {layout.channels}")
    for number, (volume, target) in enumerate(zip(volumes, layout.images(name, State.NOT_STARTED), strict=True)):
        if target.exists():
            continue
        file = source.files[number] if len(source.files) == len(volumes) else None
        if file is not None and _fits_as_it_is(file, volume, layout.ending):
            _link(file, target)
        else:
            write(volume, target)


def labels_for(source: Source, image: Volume) -> LabelMap | None:
    """The labels that a case-to-be came with, on the exact grid of an image; None where it has none.

    Raises
    ------
    InputError
        If they are no labels, or lie on another grid.
    """
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


def _fits_as_it_is(file: Path, volume: Volume, ending: str) -> bool:
    """Whether nnU-Net would read from this very file what we do."""
    if ending not in _LINKED or not file.name.endswith(ending) or volume.meta.get("warnings"):
        return False
    return len(nib.load(file).shape) == 3


def _link(file: Path, target: Path) -> None:
    """Give a file a second name, or copy it; neither file is ever written into afterwards."""
    try:
        os.link(file.resolve(), target)
    except FileExistsError:
        return  # another window brings in the same
    except OSError:  # another disk, or a file system without links
        _copy(file, target)


def _copy(file: Path, target: Path) -> None:
    part = target.with_name(f".part-{target.name}")
    try:
        shutil.copyfile(file, part)
        part.replace(target)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise WorkError(f"could not copy {file.name}: {reason(problem)}") from problem
