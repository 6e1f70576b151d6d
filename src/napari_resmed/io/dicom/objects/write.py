"""Writing label maps as a DICOM segmentation over the image series that was segmented (PS3.3 A.51)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.valuerep import format_number_as_ds

from napari_resmed import __version__, geometry
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.dicom.find import find_series
from napari_resmed.io.dicom.objects.in_words import in_words
from napari_resmed.io.dicom.objects.segments import value_note
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.series_description import series_description
from napari_resmed.io.dicom.values import one_line
from napari_resmed.io.dicom.write import SQUARE_COSINE
from napari_resmed.io.terms import to_state
from napari_resmed.io.whole_file import check_place, whole_file
from napari_resmed.labels import Code, Label, LabelMap

__all__ = ["find_source", "write_segmentation"]

MOST_SEGMENTS = 65_535  # of a 16-bit number
# Numbers of derived series lie far above those of the scanner.
_AFTER_IMAGES = 1000
# Type 2 of the modules Patient and General Study: must be there, may be empty.
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_LEARNED = Code("DCM", "123110", "Artificial Intelligence")


def write_segmentation(
    labels: LabelMap | Sequence[LabelMap], path: Path | str, source_series: Series | Path | str, series: str = ""
) -> None:
    """Write label maps as one DICOM segmentation; the whole file or nothing.

    Every label becomes a segment of a binary segmentation, which every reader knows, with its name, its colour
    and its codes; names are cut to the 64 letters that DICOM holds. Slices without any are left out. Patient,
    study and frame of reference are those of the source series: it is the patient's own file. A stack that leans
    (gantry tilt) is kept in its positions.

    Parameters
    ----------
    labels:
        One map, or several of one grid, whose labels may overlap. Any grid in the source's patient coordinates
        whose rows and columns meet at a right angle.
    path:
        The file to write, most often ``.dcm``.
    source_series:
        The image series that was segmented: from :func:`napari_resmed.io.dicom.find_series`, or its folder.
    series:
        Which series of that folder, by its id; may be left out where one alone is of the labels' grid.

    Raises
    ------
    InputError
        If there is no image series, or none of them; the labels lie outside the image, are sheared within
        their slices, or are too many; nothing can be written there, or the file is one of the series' own.
    WorkError
        If writing fails half-way.
    """
    path = Path(path)
    maps = [labels] if isinstance(labels, LabelMap) else list(labels)
    check_place(path)
    source = source_series if isinstance(source_series, Series) else find_source(source_series, maps, series)
    if path.exists() and any(file.exists() and path.samefile(file) for file in source.files):
        raise InputError(f"{path.name} is an image of the series itself; choose another name, so that it is not lost")
    _check(maps, source)
    dataset = _segmentation(maps, source)
    with whole_file(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(part, enforce_file_format=True)


def find_source(folder: Path | str, labels: Sequence[LabelMap], identity: str = "") -> Series:
    """Find the image series that labels belong to: of that id, else the only one of their grid, else the only one.

    Raises
    ------
    InputError
        If there is none, or more than one that it may be.
    """
    images = [series for series in find_series(folder) if series.kind == "image" and not series.problem]
    name = Path(folder).name
    images = [image for image in images if not identity or image.id == identity]
    if not images:
        raise InputError(f"{name} holds no such image series that can be read, expected the one that was segmented")
    same = [
        image for image in images if geometry.same_place(image.affine, image.shape, labels[0].affine, labels[0].shape)
    ]
    choice = same if same else images
    if len(choice) > 1:
        raise InputError(
            f"{name} holds {len(choice)} image series that the labels may belong to; give the folder of one"
        )
    return choice[0]


def _check(maps: Sequence[LabelMap], source: Series) -> None:
    if not maps:
        raise InputError("found no label map to write, expected at least one")
    first = maps[0]
    if any(one.axes != "zyx" for one in maps):
        raise InputError("found labels with time or channels, expected z, y, x; write each time by itself")
    if any(not first.same_grid(other) for other in maps):
        raise InputError("found label maps of different grids, expected one; write them into separate files")
    if source.kind != "image" or source.problem or not source.slices:
        raise InputError(f"a segmentation is written over an image series: {source.problem or 'this is none'}")
    if not source.slices[0].position:
        if first.grid_shape != tuple(source.shape[-3:]):
            raise InputError(
                f"found labels of {first.grid_shape} voxels over an image of {tuple(source.shape[-3:])} that has no "
                "place in the patient; expected the same voxels"
            )
        return
    _, y, x = first.spacing_mm
    if abs(float(first.affine[:3, 1] @ first.affine[:3, 2])) > SQUARE_COSINE * y * x:
        raise InputError(
            "rows and columns do not meet at a right angle, as DICOM asks for; write NIfTI (.nii.gz) instead"
        )
    ends = geometry.corners(np.linalg.inv(source.affine) @ first.affine, first.shape)
    if (ends.max(axis=0) < -0.5).any() or (ends.min(axis=0) > np.array(source.shape[-3:]) - 0.5).any():
        raise InputError(
            "the labels lie outside the image series, expected them over it; give the series that they were drawn on"
        )


@dataclass(frozen=True)
class _Segment:
    """A label on its way to a segment: the map that it is of, and its number."""

    map: int
    number: int
    label: Label


def _segments(maps: Sequence[LabelMap]) -> list[_Segment]:
    found = [(index, label) for index, one in enumerate(maps) for label in one.labels.completed(one.counts())]
    if not 1 <= len(found) <= MOST_SEGMENTS:
        raise InputError(f"found {len(found)} labels, expected 1 to {MOST_SEGMENTS}")
    return [_Segment(index, number + 1, label) for number, (index, label) in enumerate(found)]


def _segmentation(maps: Sequence[LabelMap], source: Series) -> Any:
    import highdicom

    segments = _segments(maps)
    first = maps[0]
    images, further = _source_images(source)
    made_by = first.meta.get("made_by") or {}
    geometry_of_planes = _planes(first) if source.slices[0].position else {}
    pixels = _pixels(maps, segments)
    try:
        # highdicom warns of names that it finds odd, and quotes them: the patient's.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return highdicom.seg.Segmentation(
                source_images=images,
                further_source_images=further or None,
                pixel_array=pixels,
                segmentation_type="BINARY",
                segment_descriptions=[_description(segment, segments, made_by) for segment in segments],
                series_instance_uid=pydicom.uid.generate_uid(),
                series_number=int(images[0].get("SeriesNumber") or 0) + _AFTER_IMAGES,
                sop_instance_uid=pydicom.uid.generate_uid(),
                instance_number=1,
                manufacturer="napari-resmed",
                manufacturer_model_name="napari-resmed",
                software_versions=__version__,
                device_serial_number="0",
                content_label="SEGMENTATION",
                series_description=series_description(first),
                specific_character_set="ISO_IR 192",
                omit_empty_frames=bool(pixels.any()),  # of none but empty ones all are kept: it must have frames
                **geometry_of_planes,
            )
    except MemoryError as problem:
        raise WorkError("not enough memory for the segmentation; close other programs") from problem
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        # Its words may quote the header, and with it the patient.
        raise InputError(
            "the image series lacks what DICOM asks of one that is segmented, or contradicts itself; write NIfTI "
            "(.nii.gz) or .seg.nrrd instead"
        ) from problem


def _pixels(maps: Sequence[LabelMap], segments: Sequence[_Segment]) -> NDArray[Any]:
    """Segment numbers ``(z, y, x)`` for one map; masks ``(z, y, x, segment)`` for several."""
    if len(maps) == 1:
        values = np.array([0, *(segment.label.value for segment in segments)])
        dtype = np.uint8 if len(segments) < 2**8 else np.uint16
        return np.stack([np.searchsorted(values, plane) for plane in maps[0].data]).astype(dtype)
    return np.stack([maps[segment.map].data == segment.label.value for segment in segments], axis=-1)


def _description(segment: _Segment, segments: Sequence[_Segment], made_by: dict[str, Any]) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    label = segment.label
    category, kind = to_state(label)
    algorithm = None
    if made_by:
        algorithm = AlgorithmIdentificationSequence(
            name=one_line(str(made_by.get("model") or made_by.get("program") or "napari-resmed")),
            family=_term(_LEARNED),
            version=one_line(str(made_by.get("model_version") or __version__)),
        )
    item = SegmentDescription(
        segment_number=segment.number,
        segment_label=one_line(label.name) or f"label {label.value}",
        segmented_property_category=_term(category),
        segmented_property_type=_term(kind),
        algorithm_type="AUTOMATIC" if made_by else "MANUAL",
        algorithm_identification=algorithm,
        anatomic_regions=[_term(label.region)] if label.region else None,
        display_color=CIELabColor.from_rgb(*label.colour),
    )
    if label.modifier:
        item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [_term(label.modifier)]
    if label.region and label.region_modifier:
        item.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_term(label.region_modifier)]
    if any(one.label.value != one.number for one in segments):
        item.SegmentDescription = value_note(label.value)
    return item


def _term(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, one_line(code.meaning) or code.value)


def _planes(labels: LabelMap) -> dict[str, Any]:
    """Where the slices lie."""
    from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence

    _, y, x = labels.spacing_mm
    row, column = labels.affine[:3, 2] / x, labels.affine[:3, 1] / y
    gap = _gap_mm(labels.affine)
    positions = labels.affine[:3, 3] + np.arange(labels.grid_shape[0])[:, None] * labels.affine[:3, 0]
    return {
        "plane_orientation": PlaneOrientationSequence("PATIENT", [*row.tolist(), *column.tolist()]),
        "pixel_measures": PixelMeasuresSequence([y, x], slice_thickness=gap, spacing_between_slices=gap),
        "plane_positions": [PlanePositionSequence("PATIENT", position.tolist()) for position in positions],
    }


def _gap_mm(affine: geometry.Affine) -> float:
    """From slice to slice along the normal; shorter than the way between their corners where the stack leans."""
    normal = np.cross(affine[:3, 2], affine[:3, 1])
    return abs(float(affine[:3, 0] @ normal)) / float(np.linalg.norm(normal))


def _source_images(source: Series) -> tuple[list[Any], list[Any]]:
    """Headers of the images that were segmented; of several multi-frame files, the first and the others."""
    frames = source.shape[0] if "t" in source.axes else 1
    first_time = source.slices[: len(source.slices) // frames]
    with in_words("the image series"):
        headers = [
            pydicom.dcmread(path, stop_before_pixels=True, force=True)
            for path in dict.fromkeys(image.path for image in first_time)
        ]
    for header in headers:
        _complete(header, source)
    multi_frame = int(headers[0].get("NumberOfFrames") or 1) > 1
    return (headers[:1], headers[1:]) if multi_frame else (headers, [])


def _complete(header: Any, source: Series) -> None:
    """Fill in what the standard wants to be there and files often lack, and what we know better than the file.

    In memory alone: highdicom copies it or compares with it.
    """
    if not (header.get("StudyInstanceUID") and header.get("SeriesInstanceUID") and header.get("SOPInstanceUID")):
        raise InputError("the image series does not name its study, series or images; export it again")
    for tag in _MAY_BE_EMPTY:
        if tag not in header:
            setattr(header, tag, None)
    if not source.slices[0].position:
        return
    if not header.get("FrameOfReferenceUID"):
        # Patient coordinates without a name: the same new name each time that this series is segmented.
        header.FrameOfReferenceUID = pydicom.uid.generate_uid(entropy_srcs=[str(header.SeriesInstanceUID)])
    _, y, x = source.spacing_mm
    gap = _gap_mm(source.affine)
    row, column = source.affine[:3, 2] / x, source.affine[:3, 1] / y
    if "SharedFunctionalGroupsSequence" in header:
        from highdicom import PixelMeasuresSequence, PlaneOrientationSequence

        shared = header.SharedFunctionalGroupsSequence[0]
        shared.PixelMeasuresSequence = PixelMeasuresSequence([y, x], gap, gap)
        shared.PlaneOrientationSequence = PlaneOrientationSequence("PATIENT", [*row.tolist(), *column.tolist()])
        return
    header.PixelSpacing = [format_number_as_ds(y), format_number_as_ds(x)]
    header.SliceThickness = header.SpacingBetweenSlices = format_number_as_ds(gap)
    header.ImageOrientationPatient = [format_number_as_ds(float(cosine)) for cosine in (*row, *column)]
