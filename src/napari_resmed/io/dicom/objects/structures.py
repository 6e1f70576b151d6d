"""Radiotherapy structure sets to label maps (PS3.3 A.19): contours become voxels of the image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.objects.in_words import in_words
from napari_resmed.io.dicom.objects.outline import enclosed
from napari_resmed.io.dicom.objects.reference import Reference, reference_of
from napari_resmed.io.dicom.objects.segments import code_of
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.values import Malformed, number, text
from napari_resmed.io.overlap import Piece, crop, pack
from napari_resmed.labels import Label, LabelMap, LabelSet, default_colour

__all__ = ["STRUCTURE_SET", "read_structures"]

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"

# A contour may rise by this much out of its plane, in voxels across it: coordinates are printed numbers.
OFF_PLANE = 0.25
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def read_structures(path: Path, images: Sequence[Series] = ()) -> list[LabelMap]:
    """Read a structure set on the grid of the image that it was drawn on.

    A voxel belongs to a structure when its centre lies within the contours of its slice, or on them. A contour
    within another of the same structure is a hole. Contours between two slices go to the nearer one.

    Parameters
    ----------
    path:
        A file of the storage class RT Structure Set.
    images:
        Series among which the image that it was drawn on is.

    Returns
    -------
    list of LabelMap
        One; more, as few as possible, where structures overlap. Values are ROI numbers, or 1, 2, ... where
        a number is below 1 or used twice.

    Raises
    ------
    InputError
        If the image is not among ``images``, the file is damaged, or holds no closed contour.
    WorkError
        If there is not enough memory.
    """
    with in_words(path.name):
        header = pydicom.dcmread(path)
        image, notes = _image(header, images, path)
        regions = list(_regions(header))
        if not regions:
            raise InputError(f"{path.name} holds no structure, expected at least one; export it again")
        grid: tuple[int, int, int] = image.shape[-3:]  # type: ignore[assignment]
        pieces: dict[int, dict[int, Piece]] = {}
        labels: list[Label] = []
        for region in regions:
            if region.contours or not region.other:
                pieces[region.label.value] = _draw(region, np.linalg.inv(image.affine.astype(np.float64)), grid)
                labels.append(region.label)
            notes += region.notes
        if not labels:
            raise InputError(f"{path.name} holds points and lines alone, expected closed contours; {'; '.join(notes)}")
        return _label_maps(header, image, pieces, LabelSet(tuple(labels)), notes)


@dataclass
class _Region:
    """A region of interest: its closed contours in patient coordinates, mm, and what else it holds by kind."""

    label: Label
    contours: list[NDArray[np.float64]] = field(default_factory=list)
    exclusive: bool = False
    other: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def _image(header: Any, images: Sequence[Series], path: Path) -> tuple[Series, list[str]]:
    """The image that the structures were drawn on."""
    reference = reference_of(header)
    found = [image for image in reference.candidates(images) if image.slices[0].position]
    if not found:
        raise InputError(
            f"{path.name} is a structure set, whose contours become voxels of the image that they were drawn on, but "
            f"{reference.why_none(images)}; put that series beside it, or name its folder (--like)"
        )
    notes = []
    first = found[0].slices[0]
    if first.frame_of_reference and not _same_frame(reference, first.frame_of_reference):
        notes.append("it states other patient coordinates (frame of reference) than the image series that it names")
    return found[0], notes


def _same_frame(reference: Reference, frame: str) -> bool:
    return not reference.frames or frame in reference.frames


def _regions(header: Any) -> Iterator[_Region]:
    """Join what the three modules of a structure set say of each region (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8)."""
    contours = {_number(item, "ReferencedROINumber"): item for item in header.get("ROIContourSequence") or ()}
    observed = {_number(item, "ReferencedROINumber"): item for item in header.get("RTROIObservationsSequence") or ()}
    stated = list(header.get("StructureSetROISequence") or ())
    numbers = [_number(item, "ROINumber") for item in stated]
    usable = len(set(numbers)) == len(numbers) and min(numbers, default=1) > 0
    for index, (item, roi) in enumerate(zip(stated, numbers, strict=True)):
        value = roi if usable else index + 1
        drawn = contours.get(roi, pydicom.Dataset())
        codes = observed.get(roi, pydicom.Dataset()).get("RTROIIdentificationCodeSequence")
        label = Label(
            value,
            text(item, "ROIName") or f"structure {roi}",
            _colour(drawn, value),
            code_of(codes[0]) if codes else None,
        )
        region = _Region(label)
        for contour in drawn.get("ContourSequence") or ():
            kind = text(contour, "ContourGeometricType")
            if kind not in _CLOSED:
                region.other[kind or "unstated"] += 1
                continue
            region.exclusive |= kind != "CLOSED_PLANAR"
            region.contours.append(_points(contour))
        if region.other:
            found = ", ".join(f"{count} of the kind {kind}" for kind, count in sorted(region.other.items()))
            region.notes.append(f"{label.name}: {found} left out, which enclose nothing")
        yield region


def _number(item: Any, tag: str) -> int:
    found = number(item, tag)
    if found is None:
        raise Malformed(f"found a structure without {tag}, expected a number; export it again")
    return int(found)


def _points(contour: Any) -> NDArray[np.float64]:
    """The corners of a contour, ``(n, 3)`` in mm."""
    values = contour.get("ContourData")
    points = np.array([] if values is None else values, dtype=np.float64).reshape(-1)
    if not len(points) or len(points) % 3 or not np.isfinite(points).all():
        raise Malformed(f"found a contour of {len(points)} coordinates, expected three finite ones a point")
    return points.reshape(-1, 3)


def _colour(drawn: Any, value: int) -> tuple[int, int, int]:
    stated = drawn.get("ROIDisplayColor")
    parts = [int(part) for part in stated] if stated is not None and hasattr(stated, "__iter__") else []
    if len(parts) != 3 or not all(0 <= part <= 255 for part in parts):
        return default_colour(value)
    return parts[0], parts[1], parts[2]


def _draw(region: _Region, to_index: NDArray[np.float64], grid: tuple[int, int, int]) -> dict[int, Piece]:
    """What a region covers, by slice of the image; what cannot be drawn is noted."""
    contours = [contour @ to_index[:3, :3].T + to_index[:3, 3] for contour in region.contours]
    flat = np.array([np.ptp(contour, axis=0) < 2 * OFF_PLANE for contour in contours]).reshape(-1, 3)
    # The axis across which most contours lie; the image's slices come first, for a point lies in several planes.
    axis = int(flat.sum(axis=0).argmax())
    limits = np.delete(grid, axis)
    planes: defaultdict[int, list[tuple[float, NDArray[np.float64]]]] = defaultdict(list)
    outside = 0
    for contour in (contours[index] for index in np.flatnonzero(flat[:, axis])):
        height, corners = float(np.median(contour[:, axis])), np.delete(contour, axis, axis=1)
        beside = (corners.max(axis=0) < -0.5).any() or (corners.min(axis=0) > limits - 0.5).any()
        if beside or not -0.5 <= height <= grid[axis] - 0.5:
            outside += 1
            continue
        planes[min(max(round(height), 0), grid[axis] - 1)].append((height, corners))
    masks, holes, between, crowded = {}, 0, 0, 0
    for plane, drawn in planes.items():
        # Contours may be closer than slices: one height at a time, or they would cut holes into each other.
        nearest = min((height for height, _ in drawn), key=lambda height: abs(height - plane))
        kept = [corners for height, corners in drawn if abs(height - nearest) < OFF_PLANE]
        crowded += len(drawn) - len(kept)
        between += len(kept) if abs(nearest - plane) > OFF_PLANE else 0
        masks[plane] = enclosed(kept, (int(limits[0]), int(limits[1])))
        holes += not region.exclusive and len(kept) > 1 and _differ(kept, masks[plane])
    findings = {
        "left out, slanted against the slices": len(contours) - int(flat[:, axis].sum()),
        "left out, outside the image": outside,
        "left out, because another lies nearer to the slice": crowded,
        "between two slices, drawn on the nearer": between,
        "within others of their slice, taken as holes": holes,
        "too small to enclose a voxel": sum(not mask.any() for mask in masks.values()),
    }
    found = [f"contours {what} ({count})" for what, count in findings.items() if count]
    gap = int(np.diff(sorted(masks)).min(initial=grid[axis]))
    if 1 < gap < grid[axis]:
        found.append(f"contours on one slice in {gap}, the slices between are empty")
    region.notes += [f"{region.label.name}: {finding}" for finding in found]
    return _by_slice(masks, axis, grid)


def _differ(polygons: list[NDArray[np.float64]], mask: NDArray[np.bool_]) -> bool:
    """Whether polygons lie within one another, so that taking them as holes changes the mask."""
    return any(bool((enclosed([polygon], mask.shape) & ~mask).any()) for polygon in polygons)  # type: ignore[arg-type]


def _by_slice(masks: dict[int, NDArray[np.bool_]], axis: int, grid: tuple[int, int, int]) -> dict[int, Piece]:
    """Masks of planes across any axis of the image as pieces of its slices."""
    if axis != 0:
        volume = np.zeros(grid, bool)
        for plane, mask in masks.items():
            np.moveaxis(volume, axis, 0)[plane] = mask
        masks = dict(enumerate(volume))
    pieces = {plane: crop(mask) for plane, mask in masks.items()}
    return {plane: piece for plane, piece in pieces.items() if piece}


def _label_maps(
    header: Any, image: Series, pieces: dict[int, dict[int, Piece]], labels: LabelSet, notes: list[str]
) -> list[LabelMap]:
    grid: tuple[int, int, int] = image.shape[-3:]  # type: ignore[assignment]
    layers = pack(pieces, grid)
    name = text(header, "StructureSetLabel") or text(header, "SeriesDescription") or "Structures"
    result = []
    for index, (array, values) in enumerate(layers):
        told = list(notes)
        if len(layers) > 1:
            told.append(f"its structures overlap: this is label map {index + 1} of {len(layers)}")
        result.append(
            LabelMap(
                array,
                image.affine,
                "zyx",
                name=name if len(layers) == 1 else f"{name} {index + 1}",
                meta={"format": "DICOM RTSTRUCT", "description": name} | ({"warnings": told} if told else {}),
                labels=LabelSet(tuple(labels[value] for value in values)),
            )
        )
    return result
