"""Writing a volume as a classic DICOM series: one file a slice and time, no patient in it."""

from __future__ import annotations

from pathlib import Path

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
from napari_resmed.io.dicom.encode import Encoding, encoding_for
from napari_resmed.io.dicom.moments import Moment, moments_of
from napari_resmed.io.dicom.series_description import series_description
from napari_resmed.io.whole_file import check_place, whole_folder
from napari_resmed.volume import Volume

__all__ = ["check_folder", "write_series"]

# ImageOrientationPatient must be orthogonal (PS3.3 C.7.6.2.1.1); header noise is under this, any shear above.
SQUARE_COSINE = 1e-4


def write_series(volume: Volume, folder: Path | str) -> None:
    """Write one file a slice and time into a new folder; the whole series or nothing.

    CT and MR get their own storage class. Every other modality, and colour, is written as Secondary Capture with the
    geometry tags added: it is the class for images of unstated origin and asks for no acquisition facts that
    we would have to invent, and readers that go by tags place it rightly.

    Whole numbers that fit 16 bits are stored as they are, whatever their type; red, green and blue in 8 or 16 bits.
    Other values are stored in 65 536 even steps from the smallest to the largest, with RescaleSlope and
    RescaleIntercept: each is off by at most half a step, 1/131 070 of the range. New identifiers throughout; the
    patient is ``ANONYMOUS``; the description is that of the DICOM series that the volume was read from, never a file's
    name. A stack that leans keeps it in its positions.

    Times are numbered as temporal positions, with their step where ``meta["time_step_s"]`` says it; echo times,
    b-values, trigger times, inversion times and flip angles by time are written where ``meta`` has them, and echoes
    are then told apart by their echo time alone.

    DICOM readers put slices in order along the normal: a left-handed volume comes back with its slices in the
    opposite order, at the same places.

    Raises
    ------
    InputError
        If rows and columns are not at a right angle, channels are not red, green and blue in whole numbers of up to
        16 bits, there are NaN or infinite values or labels beyond 16 bits, the folder is there with something in it,
        or nothing can be written there.
    WorkError
        If the files cannot be written there, e.g. because the disk is full.
    """
    folder = Path(folder)
    check_folder(folder)
    _check_volume(volume)
    encoding = encoding_for(volume)
    header = _header(volume, encoding)
    moments = moments_of(volume)
    slices = volume.grid_shape[0]
    with whole_folder(folder) as part:
        for time, moment in enumerate(moments):
            name = f"time_{time + 1:0{len(str(len(moments)))}d}_" if len(moments) > 1 else ""
            for index in range(slices):
                image = _image(header, volume, encoding, moment, index)
                image.InstanceNumber = time * slices + index + 1
                image.save_as(
                    part / f"{name}slice_{index + 1:0{len(str(slices))}d}.dcm",
                    enforce_file_format=True,
                )


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a folder that a series cannot be written to.

    Raises
    ------
    InputError
        If there is something in it, it is a file, or nothing can be written there.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder.name} is not empty, expected a new or empty folder; choose another name")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder.name} is a file, expected a new or empty folder; choose another name")
    if not folder.is_dir():
        check_place(folder)


def _check_volume(volume: Volume) -> None:
    row, column = _directions(volume)
    if abs(float(row @ column)) > SQUARE_COSINE:
        raise InputError(
            "rows and columns do not meet at a right angle, as DICOM asks for; write NIfTI (.nii.gz) instead"
        )
    if volume.data.dtype.kind == "f" and not np.isfinite(volume.data).all():
        raise InputError("found NaN or infinite values, which DICOM cannot hold; replace them first")


def _directions(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the unit directions in which the column index grows, and the row index."""
    _, y, x = volume.spacing_mm
    return volume.affine[:3, 2] / x, volume.affine[:3, 1] / y


def _header(volume: Volume, encoding: Encoding) -> Dataset:
    """Make the part that all images share."""
    row, column = _directions(volume)
    _, y, x = volume.spacing_mm
    gap = abs(float(np.cross(row, column) @ volume.affine[:3, 0]))
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    own_class = {"CT": CTImageStorage, "MR": MRImageStorage}.get(volume.modality, SecondaryCaptureImageStorage)
    header.SOPClassUID = SecondaryCaptureImageStorage if encoding.samples > 1 else own_class
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
    header.SeriesDescription = series_description(volume)
    _add_class_facts(header, volume)

    header.ImageOrientationPatient = [format_number_as_ds(float(c)) for c in (*row, *column)]
    header.PixelSpacing = [format_number_as_ds(y), format_number_as_ds(x)]
    header.SliceThickness = format_number_as_ds(gap)
    header.SpacingBetweenSlices = format_number_as_ds(gap)

    header.SamplesPerPixel = encoding.samples
    low_is_bright = volume.meta.get("photometric") == "MONOCHROME1"
    header.PhotometricInterpretation = "MONOCHROME1" if low_is_bright else "MONOCHROME2"
    if encoding.samples > 1:
        header.PhotometricInterpretation, header.PlanarConfiguration = "RGB", 0
    header.Rows, header.Columns = volume.grid_shape[1:]
    header.BitsAllocated = header.BitsStored = encoding.bits
    header.HighBit = encoding.bits - 1
    header.PixelRepresentation = int(encoding.signed)
    # CT must have them; elsewhere "1" and "0" say nothing.
    if header.SOPClassUID == CTImageStorage or (encoding.slope, encoding.intercept) != ("1", "0"):
        header.RescaleSlope, header.RescaleIntercept = encoding.slope, encoding.intercept
        header.RescaleType = "HU" if volume.modality == "CT" else "US"
    return header


def _add_class_facts(header: Dataset, volume: Volume) -> None:
    """Add what a storage class asks for; empty where the standard lets it and we do not know."""
    if header.SOPClassUID == CTImageStorage:
        header.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        header.KVP = _number(volume, "kvp")
    elif header.SOPClassUID == MRImageStorage:
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


def _image(header: Dataset, volume: Volume, encoding: Encoding, moment: Moment, index: int) -> Dataset:
    """One file: a slice of one time."""
    image = Dataset()
    image.update(header)
    image.SOPInstanceUID = generate_uid()
    for tag, value in moment.tags.items():
        setattr(image, tag, value)
    position = volume.affine[:3, 3] + index * volume.affine[:3, 0]
    image.ImagePositionPatient = [format_number_as_ds(float(c)) for c in position]
    image.PixelData = encoding.encode(moment.data[..., index, :, :])
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
