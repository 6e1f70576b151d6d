"""Which of loose DICOM images belong together: one stack each of series, orientation, matrix, spacing and contrast."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from napari_resmed.io.dicom.echoes import join_echoes
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.stack import (
    SAME_DIRECTION,
    SAME_SPACING_MM,
    Stack,
    by_place,
    display_notes,
    height_mm,
    pixel_spacing,
    stack_of,
)

__all__ = ["make_stacks"]

Key = TypeVar("Key", bound=Hashable)


def make_stacks(slices: Iterable[Slice]) -> list[Stack]:
    """Group images by series, orientation, matrix and spacing; contrasts apart, times and echoes together."""
    stacks: list[Stack] = []
    for group in _split(slices, _exact_key):
        if group[0].problem:
            stacks.append(Stack(tuple(group), problem=group[0].problem))
        elif group[0].film:
            stacks.append(_film(group))
        elif not (group[0].position and group[0].row):
            stacks += [_alone(image) for image in group]
        else:
            for near in _near_groups(group):
                stacks += _stack_or_split(near)
    return stacks


def _exact_key(image: Slice) -> tuple[Hashable, ...]:
    placed = bool(image.position and image.row)
    matrix = (image.rows, image.columns, image.samples, image.frame_of_reference, image.stack)
    # Without a series, those of one folder belong together.
    series = image.series_uid or image.path.parent
    # An object that marks structures, or a film, is whole in its file.
    file = image.path if image.kind == "labels" or image.film else None
    return (series, image.problem, placed, file, *(() if image.problem else matrix))


def _split(slices: Iterable[Slice], key: Callable[[Slice], Key]) -> list[list[Slice]]:
    groups: defaultdict[Key, list[Slice]] = defaultdict(list)
    for image in slices:
        groups[key(image)].append(image)
    return list(groups.values())


def _near_groups(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Split by orientation and pixel spacing, which are printed numbers and equal only nearly."""
    groups: list[list[Slice]] = []
    for image in slices:
        for group in groups:
            first = group[0]
            turned = max(abs(a - b) for a, b in zip(image.row + image.column, first.row + first.column, strict=True))
            same_spacing = len(image.spacing_mm) == len(first.spacing_mm) and all(
                abs(a - b) < SAME_SPACING_MM for a, b in zip(image.spacing_mm, first.spacing_mm, strict=True)
            )
            if turned < SAME_DIRECTION and same_spacing:
                group.append(image)
                break
        else:
            groups.append([image])
    return groups


def _stack_or_split(slices: Sequence[Slice]) -> list[Stack]:
    """One stack, or several where copies or contrasts share their places."""
    copies = _copies_among(slices)
    if copies:
        folders = _split(slices, lambda image: image.path.parent)
        # One series copied into several folders is several whole series, not a broken one.
        if len(folders) > 1 and not any(_copies_among(group) for group in folders):
            return [stack for group in folders for stack in _stack_or_split(group)]
        names = " and ".join(image.path.name for image in copies[:2])
        return [
            Stack(
                tuple(sorted(slices, key=lambda image: height_mm(image, slices[0]))),
                problem=f"found the same image twice ({names}), expected every image once; remove the copies",
                irregular=True,
            )
        ]
    places = by_place(slices)
    if len(places) < len(slices):
        contrasts = _split(slices, lambda image: image.contrast)
        if len(contrasts) > 1:
            return [stack for group in contrasts for stack in _apart(group, len(slices), contrasts)]
        echoes = _split(slices, lambda image: (image.echo_number, image.echo_time_ms))
        if len(echoes) > 1:
            return join_echoes([stack for group in echoes for stack in _stack_or_split(group)])
    return [stack_of(places)]


def _apart(group: Sequence[Slice], count: int, contrasts: Sequence[Sequence[Slice]]) -> list[Stack]:
    """The stacks of one contrast; where the others have more or fewer images, one may be misnamed, and it is told."""
    stacks = _stack_or_split(group)
    if len({len(other) for other in contrasts}) == 1:
        return stacks
    more = count - len(group)
    images = f"{more} more image{'s' if more > 1 else ''} of its series"
    note = f"there {'are' if more > 1 else 'is'} {images} at the same places, said to be of another type"
    return [replace(stack, warnings=(*stack.warnings, note)) for stack in stacks]


def _copies_among(slices: Sequence[Slice]) -> list[Slice]:
    """Find images with one identity, if there are such."""
    counts = Counter((image.uid, image.frame, image.corner) for image in slices if image.uid)
    twice = next((key for key, count in counts.items() if count > 1), None)
    return [image for image in slices if (image.uid, image.frame, image.corner) == twice] if twice else []


def _film(images: Sequence[Slice]) -> Stack:
    """Make a stack of frames of which nothing but the order is known."""
    ordered = tuple(sorted(images, key=lambda image: image.frame or 0))
    alone = _alone(ordered[0])
    note = f"the file does not say where its {len(ordered)} frames lie: they are taken for times of one place"
    return replace(
        alone, slices=ordered, frames=len(ordered), warnings=(note, *alone.warnings[1:]), ordered_by="frame number"
    )


def _alone(image: Slice) -> Stack:
    """Make a stack of an image without a place in the patient: a radiograph, a screen shot."""
    spacing, notes = pixel_spacing(image)
    thickness = abs(image.thickness_mm or 0.0) or 1.0
    notes.insert(0, "the file does not say where the image lies in the patient: the origin is its first voxel")
    return Stack(
        (image,),
        affine=np.array(
            [[0, 0, spacing[1], 0], [0, spacing[0], 0, 0], [thickness, 0, 0, 0], [0, 0, 0, 1]],
            dtype=np.float64,
        ),
        warnings=tuple(notes + display_notes(image)),
    )
