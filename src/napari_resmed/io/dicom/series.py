"""A DICOM series: images that can be read as one volume, or the reason why they cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.dicom.group import make_stacks
from napari_resmed.io.dicom.irregular import remedies
from napari_resmed.io.dicom.parameters import in_words, varying
from napari_resmed.io.dicom.pixels import value_type
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.stack import Stack

__all__ = ["Series", "on_grid", "series_of"]


@dataclass(frozen=True, eq=False)
class Series:
    """A stack of images that can be read as one volume, or the reason why it cannot.

    Parameters
    ----------
    id:
        SeriesInstanceUID, or the file's name where there is none; with ``-1``, ``-2``, ... where a series falls
        into several stacks.
    description:
        What the scanner's operator called it; may be empty.
    modality:
        DICOM's two letters.
    shape:
        Size of every axis of ``axes``; empty where there is a problem.
    spacing_mm:
        Voxel edges ``(z, y, x)``; zeros where there is a problem.
    affine:
        4x4, array index ``(z, y, x)`` to patient coordinates in mm, LPS; the identity where there is a
        problem.
    axes:
        ``"zyx"``, ``"czyx"``, ``"tzyx"`` or ``"tczyx"``; empty where there is a problem.
    dtype:
        Type of the values as read, after rescaling.
    files:
        Along the slice normal, times one after the other; every file once.
    warnings:
        What a person should know, a sentence each.
    problem:
        Why it cannot be read: found, expected, what to do. Empty when it can.
    kind:
        ``"image"``; ``"labels"`` for segmentations and contours (SEG, RTSTRUCT); ``"other"`` for reports,
        plans and all else that is no picture.
    remedies:
        What :func:`~napari_resmed.io.dicom.read.read_series` can do about the problem when asked:
        ``"largest_block"``, ``"resample"``.
    sop_class:
        UID of the storage class of its first file (PS3.4 B.5); empty where the file does not say.
    ordered_by:
        What tells the times of a series in time apart, in words; empty elsewhere.
    parameters:
        What else changes from time to time, a value for each: ``echo_times_ms``, ``b_values_s_per_mm2``,
        ``trigger_times_ms``, ``inversion_times_ms``, ``flip_angles_deg``.
    """

    id: str
    description: str
    modality: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    affine: geometry.Affine
    axes: str
    dtype: str
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    problem: str = ""
    slices: tuple[Slice, ...] = field(default=(), repr=False)
    kind: str = "image"
    remedies: tuple[str, ...] = ()
    sop_class: str = ""
    ordered_by: str = ""
    parameters: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    keep: object = field(default=None, repr=False)  # what must live as long as the files: an unpacked archive

    @property
    def times(self) -> str:
        """The times in a few words: ``"10 times"``, ``"4 echoes: 2.5, 5, 7.5, 10 ms"``; empty where there is one."""
        return in_words(self.parameters, self.ordered_by, self.shape[0] if "t" in self.axes else 1)


def series_of(slices: Sequence[Slice]) -> list[Series]:
    """List the series that images form, in order of files."""
    stacks = make_stacks(slices)
    stacks.sort(key=lambda stack: min((image.path, image.frame or 0) for image in stack.slices))
    parts: defaultdict[str, int] = defaultdict(int)
    for stack in stacks:
        parts[stack.slices[0].series_uid] += 1
    seen: defaultdict[str, int] = defaultdict(int)
    grids = _grids(stacks)
    result = []
    for stack in stacks:
        uid = stack.slices[0].series_uid
        seen[uid] += 1
        # A file that does not say of which series it is goes by its name.
        series = _describe(stack, f"{uid or stack.slices[0].path.name}{f'-{seen[uid]}' if parts[uid] > 1 else ''}")
        if uid and len(grids[uid]) > 1 and stack.slices[0].row:
            note = f"one of {len(grids[uid])} parts of its series, which holds images of several orientations or sizes"
            series = replace(series, warnings=(*series.warnings, note))
        result.append(series)
    return result


def _grids(stacks: Sequence[Stack]) -> defaultdict[str, set[tuple[object, ...]]]:
    """Orientations, sizes and spacings by series, of images that say where they lie."""
    grids: defaultdict[str, set[tuple[object, ...]]] = defaultdict(set)
    for first in (stack.slices[0] for stack in stacks):
        if first.row and first.position:
            turned = tuple(round(cosine, 2) for cosine in first.row + first.column)
            spacing = tuple(round(mm, 3) for mm in first.spacing_mm)
            grids[first.series_uid].add((turned, first.rows, first.columns, spacing))
    return grids


def on_grid(series: Series, stack: Stack) -> Series:
    """The series with the grid of a stack: its own, or that which a remedy makes.

    Raises
    ------
    InputError
        If the stack has none.
    """
    if stack.affine is None:
        raise InputError(stack.problem)
    stack.affine.setflags(write=False)
    first = stack.slices[0]
    colour = first.samples > 1 or first.photometric == "PALETTE COLOR"
    lead: list[tuple[str, int]] = [("t", stack.frames)] if stack.frames > 1 else []
    lead += [("c", 3)] if colour else []
    return replace(
        series,
        shape=(*(size for _, size in lead), stack.positions, first.rows, first.columns),
        spacing_mm=geometry.spacing(stack.affine),
        affine=stack.affine,
        axes="".join(letter for letter, _ in lead) + "zyx",
        dtype=str(np.result_type(*{value_type(image) for image in stack.slices})),
        files=tuple(dict.fromkeys(image.path for image in stack.slices)),
        slices=stack.slices,
        warnings=stack.warnings,
        problem="",
        remedies=(),
        ordered_by=stack.ordered_by,
        parameters=varying(stack.slices, stack.frames),
    )


def _describe(stack: Stack, identity: str) -> Series:
    first = stack.slices[0]
    series = Series(
        id=identity,
        description=first.description,
        modality=first.modality,
        shape=(),
        spacing_mm=(0.0, 0.0, 0.0),
        affine=np.eye(4),
        axes="",
        dtype="",
        files=tuple(dict.fromkeys(image.path for image in stack.slices)),
        warnings=stack.warnings,
        problem=stack.problem,
        slices=stack.slices,
        kind=first.kind,
        remedies=remedies(stack) if stack.problem else (),
        sop_class=first.sop_class,
    )
    return on_grid(series, stack) if stack.affine is not None else series
