"""DICOM segmentations to label maps (PS3.3 A.51 and A.98): binary, fractional, label map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.ends import check_object
from napari_resmed.io.dicom.objects.frames import functional_groups, place_frames
from napari_resmed.io.dicom.objects.in_words import in_words
from napari_resmed.io.dicom.objects.planes import Placement
from napari_resmed.io.dicom.objects.segments import code_of, labels_of, noted_values, renumbered
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.values import Malformed, number, text
from napari_resmed.io.overlap import Piece, crop, pack
from napari_resmed.labels import LabelMap, LabelSet, count_values, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = ["LABEL_MAP", "SEGMENTATION", "read_fractions", "read_segmentation"]

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"

# A voxel belongs to a segment from this fraction on: more likely than not, or covered by half.
THRESHOLD = 0.5
_BACKGROUND = ("DCM", "125040")  # PS3.16 D


def read_segmentation(path: Path, images: Sequence[Series] = ()) -> list[LabelMap]:
    """Read a segmentation.

    Parameters
    ----------
    path:
        A file of the storage class Segmentation or Label Map Segmentation.
    images:
        Series among which the image that was segmented may be.

    Returns
    -------
    list of LabelMap
        On the image's grid where its voxels are the segmentation's, else on the segmentation's own. One;
        more, as few as possible, where segments overlap. Values are segment numbers, or the values of the
        label map that we wrote it from.

    Raises
    ------
    InputError
        If the file is damaged, lies on a slide instead of in a patient, or its frames form no regular grid.
    WorkError
        If there is not enough memory.
    """
    with in_words(path.name):
        file = _open(path, images)
        arrays = _label_array(file) if file.kind == "LABELMAP" else _packed(file)
        return [_label_map(file, array, values, index, len(arrays)) for index, (array, values) in enumerate(arrays)]


def read_fractions(path: Path, images: Sequence[Series] = ()) -> Volume:
    """Read a fractional segmentation as the fractions that it holds.

    Returns
    -------
    Volume
        float32, 0 to 1; ``zyx`` for one segment, else ``czyx`` with one channel for each, in order of number.

    Raises
    ------
    InputError
        As for :func:`read_segmentation`, and if it is no fractional one.
    WorkError
        If there is not enough memory.
    """
    with in_words(path.name):
        file = _open(path, images)
        if file.kind != "FRACTIONAL":
            raise InputError(f"{path.name} holds no fractions but a {file.kind.lower()} segmentation; open its labels")
        values = file.labels.values
        data = np.zeros((len(values), *file.placement.turned_shape), np.float32)
        for segment, plane, frame in file.frames():
            data[values.index(segment), plane][file.window] = frame / file.largest
        turned = np.stack([file.placement.to_grid(one) for one in data])
        meta: dict[str, Any] = {"format": "DICOM SEG", "channels": [label.name for label in file.labels]}
        meta |= {"warnings": file.notes} if file.notes else {}
        one = len(values) == 1
        name = f"{file.name} ({text(file.header, 'SegmentationFractionalType').lower() or 'fraction'})"
        return Volume(
            turned[0] if one else turned, file.placement.affine, "zyx" if one else "czyx", name=name, meta=meta
        )


@dataclass
class _File:
    """An opened segmentation: what it holds, and where it goes.

    ``values`` are those of the frames, 0 where a frame holds a whole label map.
    """

    header: Any
    kind: str
    labels: LabelSet
    values: tuple[int, ...]
    placement: Placement
    notes: list[str]

    @property
    def name(self) -> str:
        return text(self.header, "SeriesDescription") or "Segmentation"

    @property
    def largest(self) -> float:
        """What a fraction of 1 is stored as."""
        return number(self.header, "MaximumFractionalValue") or 255.0

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of a plane that a frame stands for."""
        row, column = self.placement.corner
        return slice(row, row + int(self.header.Rows)), slice(column, column + int(self.header.Columns))

    def frames(self) -> Iterator[tuple[int, int, NDArray[Any]]]:
        """Value, plane and pixels of every frame."""
        # One at a time: unpacked, a binary segmentation is eight times as large.
        packed = self.header.BitsAllocated == 1 and not self.header.file_meta.TransferSyntaxUID.is_encapsulated
        pixels = _bits(self.header) if packed else pydicom.pixels.iter_pixels(self.header, raw=True)
        count = 0
        for value, plane, frame in zip(self.values, self.placement.planes, pixels, strict=False):
            count += 1
            yield value, plane, frame
        if count < len(self.values):
            raise Malformed(f"found {count} frames, its header describes {len(self.values)}; copy the file again")


def _bits(header: Any) -> Iterator[NDArray[np.uint8]]:
    """Frames of one bit a pixel, which follow each other without a gap (PS3.5 8.1.1).

    pydicom unpacks them one at a time only where each begins on a whole byte.
    """
    shape = int(header.Rows), int(header.Columns)
    size = shape[0] * shape[1]
    stored = np.frombuffer(header.PixelData, np.uint8)
    for start in range(0, 8 * len(stored) - size + 1, size):
        part = np.unpackbits(stored[start // 8 : (start + size + 7) // 8], bitorder="little")
        yield part[start % 8 :][:size].reshape(shape)


def _open(path: Path, images: Sequence[Series]) -> _File:
    header = pydicom.dcmread(path)
    check_object(header, path)
    label_map = text(header, "SOPClassUID") == LABEL_MAP
    kind = "LABELMAP" if label_map else text(header, "SegmentationType")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise Malformed("found another SegmentationType, expected BINARY, FRACTIONAL or LABELMAP")
    groups = functional_groups(header)
    segments = list(header.get("SegmentSequence") or ())
    labels = labels_of(segments)
    values = {} if label_map else noted_values(segments)
    if values:
        labels = renumbered(labels, values)
    if label_map:
        labels = _with_palette(header, labels)
    numbers_of_frames = [0 if label_map else _segment(group) for group in groups]
    in_frames = tuple(values.get(segment, segment) for segment in numbers_of_frames)
    placement, notes = place_frames(header, groups, images)
    if len(set(zip(in_frames, placement.planes, strict=True))) < len(in_frames):
        raise Malformed("found two frames of one segment at the same place, expected one; export it again")
    return _File(header, kind, labels.completed(in_frames), in_frames, placement, notes)


def _segment(group: Any) -> int:
    items = group.get("SegmentIdentificationSequence")
    found = number(items[0], "ReferencedSegmentNumber") if items else None
    if not found or found < 1:
        raise Malformed("found a frame that states no segment, expected the number of one; export it again")
    return int(found)


def _with_palette(header: Any, labels: LabelSet) -> LabelSet:
    """The labels in the colours of the file's palette, if it has one."""
    if text(header, "PhotometricInterpretation") != "PALETTE COLOR" or not len(labels):
        return labels
    shown = pydicom.pixels.apply_color_lut(np.array(labels.values, np.uint16), header)
    bits = 8 * shown.dtype.itemsize
    colours = (shown >> (bits - 8)).tolist()
    return LabelSet(tuple(replace(label, colour=tuple(rgb[:3])) for label, rgb in zip(labels, colours, strict=True)))


Layers = list[tuple[NDArray[Any], tuple[int, ...]]]


def _label_array(file: _File) -> Layers:
    """The voxels of a label map segmentation, which cannot overlap."""
    background = int(number(file.header, "PixelPaddingValue") or 0)
    used = set(file.labels.values)
    array: NDArray[Any] = np.zeros(file.placement.turned_shape, smallest_integer_type(max(used, default=0) + 1))
    # A structure may be numbered 0 where the background is not: here 0 is background, so it gets a new value.
    zero = max(used, default=0) + 1 if background or _zero_is_structure(file.header) else 0
    for _, plane, frame in file.frames():
        found = frame.astype(array.dtype) if frame.max() <= np.iinfo(array.dtype).max else frame
        array = array if found.dtype == array.dtype else array.astype(found.dtype)
        if zero:
            found = np.where(frame == background, 0, np.where(frame == 0, zero, found)).astype(array.dtype)
        array[plane][file.window] = found
    if zero and (array == zero).any():
        file.notes.append(f"segment 0, here the value of the background, became {zero}")
    return [(array, file.labels.completed(count_values(array)[0].tolist()).values)]


def _zero_is_structure(header: Any) -> bool:
    """Whether segment 0 is described as something else than background."""
    for segment in header.get("SegmentSequence") or ():
        if int(segment.SegmentNumber) == 0:
            code = code_of((segment.get("SegmentedPropertyTypeCodeSequence") or [None])[0])
            return code is None or (code.scheme, code.value) != _BACKGROUND
    return False


def _packed(file: _File) -> Layers:
    """The voxels of a binary or fractional segmentation, in as few label maps as possible."""
    least = THRESHOLD * file.largest if file.kind == "FRACTIONAL" else 1
    array = _together(file, least)
    if array is not None:
        return [(array, file.labels.values)]
    pieces: dict[int, dict[int, Piece]] = {value: {} for value in file.labels.values}
    for value, plane, frame in file.frames():
        piece = crop(frame >= least, *file.placement.corner)
        if piece:
            pieces[value][plane] = piece
    return pack(pieces, file.placement.turned_shape)


def _together(file: _File, least: float) -> NDArray[Any] | None:
    """All segments in one array, which takes no more memory than that; None as soon as two overlap."""
    array: NDArray[Any] = np.zeros(
        file.placement.turned_shape, smallest_integer_type(max(file.labels.values, default=0))
    )
    for value, plane, frame in file.frames():
        mask, there = frame >= least, array[plane][file.window]
        if there[mask].any():
            return None
        there[mask] = value
    return array


def _label_map(file: _File, array: NDArray[Any], values: Sequence[int], index: int, count: int) -> LabelMap:
    labels = file.labels.completed(values)
    meta: dict[str, Any] = {"format": "DICOM SEG", "description": file.name}
    notes = list(file.notes)
    if file.kind == "FRACTIONAL":
        what = text(file.header, "SegmentationFractionalType").lower() or "unsaid of what"
        notes.append(
            f"fractions ({what}) of {THRESHOLD} or more became labels; the fractions open as an image of their own"
        )
    if count > 1:
        notes.append(f"its segments overlap: this is label map {index + 1} of {count}")
    if notes:
        meta["warnings"] = notes
    return LabelMap(
        file.placement.to_grid(array),
        file.placement.affine,
        "zyx",
        name=file.name if count == 1 else f"{file.name} {index + 1}",
        meta=meta,
        labels=LabelSet(tuple(labels[value] for value in values)),
    )
