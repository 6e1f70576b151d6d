"""The frames of a multi-frame object: what each says of itself, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom

from napari_resmed.geometry import AxisOrder, compose
from napari_resmed.io.dicom.objects.planes import Frames, Placement, own_grid, place_on
from napari_resmed.io.dicom.objects.reference import reference_of
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.stack import SAME_DIRECTION, SAME_SPACING_MM, SQUARE_COSINE
from napari_resmed.io.dicom.values import Malformed, number, numbers

__all__ = ["functional_groups", "place_frames"]

# Direction vectors may be this much off length 1: cosines printed with two digits are off by 0.005 each.
LENGTH_OFF = 0.02


def functional_groups(header: Any) -> list[Any]:
    """Give the functional groups of every frame, those shared by all filled in (PS3.3 C.7.6.16).

    Raises
    ------
    Malformed
        If there is another number of them than of frames, or the frames lie on a slide.
    """
    if "ImageOrientationSlide" in header or "TotalPixelMatrixOriginSequence" in header:
        raise Malformed("the segmentation lies on a microscope slide, expected one of a patient's body")
    own = list(header.get("PerFrameFunctionalGroupsSequence") or ())
    shared = header.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
    frames = int(number(header, "NumberOfFrames") or 1)
    if not own and frames == 1:
        own = [pydicom.Dataset()]
    if len(own) != frames:
        raise Malformed(f"found {len(own)} descriptions for {frames} frames; export it again")
    for group in own:
        for element in shared[0]:
            if element.tag not in group:
                group.add(element)
    return own


def place_frames(header: Any, groups: list[Any], images: Sequence[Series]) -> tuple[Placement, list[str]]:
    """Where the frames of a segmentation go, and what to tell a person of it.

    On the grid of the image that is meant, where their pixels are its voxels; else on one of their own.

    Raises
    ------
    Malformed
        If they do not say where they lie, or are not parallel and of one spacing.
    InputError
        If they form no regular grid.
    """
    reference = reference_of(header)
    candidates = reference.candidates(images)
    shape = int(header.Rows), int(header.Columns)
    if not any("PlanePositionSequence" in group for group in groups):
        return _place_flat(groups, shape, candidates, reference.why_none(images))
    frames = _geometry(groups, shape)
    for image in candidates:
        placement = place_on(frames, image.affine, image.shape[-3:])  # type: ignore[arg-type]
        if placement:
            return placement, []
    found = "its voxels are not those of the image that it refers to" if candidates else reference.why_none(images)
    return own_grid(frames), [f"{found}: it lies on a grid of its own, from the first to the last marked slice"]


def _geometry(groups: list[Any], shape: tuple[int, int]) -> Frames:
    """Where the frames say that they lie."""

    def of(group: Any, sequence: str, tag: str, count: int) -> tuple[float, ...]:
        items = group.get(sequence)
        found = numbers(items[0], tag, count) if items else ()
        if not found:
            raise Malformed(f"found a frame without {tag}, expected one for each; export it again")
        return found

    positions = np.array([of(group, "PlanePositionSequence", "ImagePositionPatient", 3) for group in groups])
    directions = np.array([of(group, "PlaneOrientationSequence", "ImageOrientationPatient", 6) for group in groups])
    spacings = np.array([of(group, "PixelMeasuresSequence", "PixelSpacing", 2) for group in groups])
    if np.ptp(directions, axis=0).max() > SAME_DIRECTION or np.ptp(spacings, axis=0).max() > SAME_SPACING_MM:
        raise Malformed("found frames of different orientations or pixel spacings, expected one; export it again")
    lengths = np.linalg.norm(directions[0].reshape(2, 3), axis=1)
    if np.abs(lengths - 1).max() > LENGTH_OFF or spacings.min() <= 0:
        raise Malformed("found directions that are no unit vectors or a pixel spacing of 0 mm; export it again")
    row, column = directions[0].reshape(2, 3) / lengths[:, None]
    if abs(row @ column) > SQUARE_COSINE:
        raise Malformed("found rows and columns that do not meet at a right angle; export it again")
    measures = groups[0].PixelMeasuresSequence[0]
    gap = number(measures, "SpacingBetweenSlices") or number(measures, "SliceThickness") or 0.0
    return Frames(positions, row, column, (float(spacings[0, 0]), float(spacings[0, 1])), shape, abs(gap))


def _place_flat(
    groups: list[Any], shape: tuple[int, int], candidates: list[Series], why_none: str
) -> tuple[Placement, list[str]]:
    """A segmentation of a picture without a place in the patient: a radiograph, a photograph."""
    keep = AxisOrder((0, 1, 2), (False, False, False))
    here = (0,) * len(groups)
    for image in candidates:
        if image.shape[-3:] == (1, *shape):
            return Placement(image.affine, (1, *shape), keep, here), []
    measures = groups[0].get("PixelMeasuresSequence")
    spacing = numbers(measures[0], "PixelSpacing", 2) if measures else ()
    affine = compose((0, 0, 0), (1.0, *(spacing or (1.0, 1.0))))
    note = f"the file does not say where it lies in the patient, and {why_none}"
    return Placement(affine, (1, *shape), keep, here), [f"{note}: the origin is its first voxel"]
