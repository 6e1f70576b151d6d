"""Writing a volume as a classic DICOM series: one file a slice, no patient in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from pydicom.valuerep import format_number_as_ds

from napari_resmed.errors import InputError
from napari_resmed.io.whole_file import check_place, whole_folder
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["write_series"]

# ImageOrientationPatient must be orthogonal (PS3.3 C.7.6.2.1.1); header noise is under this, any shear above.
SQUARE_COSINE = 1e-4
_STEPS = 2**16 - 1  # of 16 bits
_LONG_STRING = 64  # letters that DICOM's LO holds (PS3.5 6.2)


def write_series(volume: Volume, folder: Path | str) -> None:
    """Write one file a slice into a new folder; the whole series or nothing.

    CT and MR get their own storage class. Every other modality is written as Secondary Capture with the
    geometry tags added: it is the class for images of unstated origin and asks for no acquisition facts that
    we would have to invent, and readers that go by tags place it rightly.

    Whole numbers that fit 16 bits are stored as they are, whatever their type. Other values are stored in
    65 536 even steps from the smallest to the largest, with RescaleSlope and RescaleIntercept: each is off by
    at most half a step, 1/131 070 of the range. New identifiers throughout; the patient is ``ANONYMOUS``. A
    stack that leans keeps it in its positions.

    DICOM readers put slices in order along the normal: a left-handed volume comes back with its slices in the
    opposite order, at the same places.

    Raises
    ------
    InputError
        If the volume is not ``zyx``, its rows and columns are not at a right angle, it has NaN or infinite
        values or labels beyond 16 bits, the folder is there with something in it, or nothing can be written there.
    WorkError
        If the files cannot be written there, e.g. because the disk is full.
    """
    folder = Path(folder)
    _check_place(folder)
    _check_volume(volume)
    stored = _store(volume)
    header = _header(volume, stored)
    with whole_folder(folder) as part:
        digits = len(str(volume.shape[0]))
        for index in range(volume.shape[0]):
            image = _image(header, volume, stored, index)
            image.save_as(part / f"slice_{index + 1:0{digits}d}.dcm", enforce_file_format=True)


def _check_place(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder.name} is not empty, expected a new or empty folder; choose another name")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder.name} is a file, expected a new or empty folder; choose another name")
    if not folder.is_dir():
        check_place(folder)


def _check_volume(volume: Volume) -> None:
    if volume.axes != "zyx":
        raise InputError(
            f"found axes {volume.axes}, expected zyx: a DICOM series is written of one grey volume; choose "
            "one time and channel, or write NIfTI"
        )
    row, column = _directions(volume)
    if abs(float(row @ column)) > SQUARE_COSINE:
        raise InputError(
            "rows and columns do not meet at a right angle, as DICOM asks for; write NIfTI (.nii.gz) instead"
        )
    if volume.data.dtype.kind == "f" and not np.isfinite(volume.data).all():
        raise InputError("found NaN or infinite values, which DICOM cannot hold; replace them first")


@dataclass(frozen=True)
class _Stored:
    """How values become 16 bits: ``value = slope * stored + intercept``, both as decimal strings."""

    encode: Callable[[NDArray[Any]], NDArray[Any]]
    signed: bool = False
    slope: str = "1"
    intercept: str = "0"


def _store(volume: Volume) -> _Stored:
    data = volume.data
    low, high = data.min(), data.max()
    # A plane at a time: a whole copy in float64 may not fit.
    whole = data.dtype.kind in "biu" or all(bool((plane == np.rint(plane)).all()) for plane in data)
    if whole:
        for dtype in (np.uint16, np.int16):
            info = np.iinfo(dtype)
            if info.min <= int(low) and int(high) <= info.max:
                return _Stored(lambda plane, dtype=dtype: plane.astype(dtype), dtype is np.int16)  # type: ignore[misc]
    if isinstance(volume, LabelMap):
        raise InputError(f"found the label {int(high)}, expected 65535 at most; write NIfTI instead")
    bottom, top = float(low), float(high)
    # Encoded with the numbers as printed, so that reading gives what was meant.
    slope = format_number_as_ds((top - bottom) / _STEPS or 1.0)
    intercept = format_number_as_ds(bottom)

    def encode(plane: NDArray[Any]) -> NDArray[Any]:
        steps = np.rint((plane.astype(np.float64) - float(intercept)) / float(slope))
        return np.clip(steps, 0, _STEPS).astype(np.uint16)

    return _Stored(encode, False, slope, intercept)


def _directions(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the unit directions in which the column index grows, and the row index."""
    _, y, x = volume.spacing_mm
    return volume.affine[:3, 2] / x, volume.affine[:3, 1] / y


def _header(volume: Volume, stored: _Stored) -> Dataset:
    """Make the part that all slices share."""
    row, column = _directions(volume)
    _, y, x = volume.spacing_mm
    gap = abs(float(np.cross(row, column) @ volume.affine[:3, 0]))
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SOPClassUID = {"CT": CTImageStorage, "MR": MRImageStorage}.get(volume.modality, SecondaryCaptureImageStorage)
    header.Modality = volume.modality or "OT"
    header.PatientName = "ANONYMOUS"
    header.PatientID = "ANONYMOUS"
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = "written without patient data"
    # Must be there, may be empty (type 2 of the modules Patient, Study, Series, Frame of Reference).
    empty = "PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName"
    for tag in (*empty.split(), "PatientPosition", "Laterality", "PositionReferenceIndicator"):
        setattr(header, tag, "")
    header.Manufacturer = "napari-resmed"
    header.StudyInstanceUID = generate_uid()
    header.SeriesInstanceUID = generate_uid()
    header.FrameOfReferenceUID = generate_uid()
    header.SeriesNumber = 1
    header.AcquisitionNumber = 1
    header.SeriesDescription = " ".join(volume.name.replace("\\", " ").split())[:_LONG_STRING]
    _add_modality_facts(header, volume)

    header.ImageOrientationPatient = [format_number_as_ds(float(c)) for c in (*row, *column)]
    header.PixelSpacing = [format_number_as_ds(y), format_number_as_ds(x)]
    header.SliceThickness = format_number_as_ds(gap)
    header.SpacingBetweenSlices = format_number_as_ds(gap)

    header.SamplesPerPixel = 1
    low_is_bright = volume.meta.get("photometric") == "MONOCHROME1"
    header.PhotometricInterpretation = "MONOCHROME1" if low_is_bright else "MONOCHROME2"
    header.Rows, header.Columns = volume.shape[1:]
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = int(stored.signed)
    # CT must have them; elsewhere "1" and "0" say nothing.
    if volume.modality == "CT" or (stored.slope, stored.intercept) != ("1", "0"):
        header.RescaleSlope, header.RescaleIntercept = stored.slope, stored.intercept
        header.RescaleType = "HU" if volume.modality == "CT" else "US"
    return header


def _add_modality_facts(header: Dataset, volume: Volume) -> None:
    """Add what a storage class asks for; empty where the standard lets it and we do not know."""
    if volume.modality == "CT":
        header.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        header.KVP = _number(volume, "kvp")
    elif volume.modality == "MR":
        header.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
        header.ScanningSequence = "RM"  # research mode: the one value that claims nothing
        header.SequenceVariant = "NONE"
        header.ScanOptions = ""
        header.MRAcquisitionType = "3D"
        header.EchoTrainLength = ""
        header.RepetitionTime = _number(volume, "repetition_time_ms")
        header.EchoTime = _number(volume, "echo_time_ms")
    else:
        header.ImageType = ["DERIVED", "SECONDARY"]
        header.ConversionType = "WSD"  # made on a workstation


def _number(volume: Volume, fact: str) -> str:
    value = volume.meta.get(fact)
    return format_number_as_ds(float(value)) if isinstance(value, int | float) else ""


def _image(header: Dataset, volume: Volume, stored: _Stored, index: int) -> Dataset:
    """One slice's file."""
    image = Dataset()
    image.update(header)
    image.SOPInstanceUID = generate_uid()
    image.InstanceNumber = index + 1
    position = volume.affine[:3, 3] + index * volume.affine[:3, 0]
    image.ImagePositionPatient = [format_number_as_ds(float(c)) for c in position]
    image.PixelData = stored.encode(volume.data[index]).astype("<u2" if not stored.signed else "<i2").tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
