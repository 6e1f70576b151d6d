"""Voxels of DICOM files, decoded by GDCM (through SimpleITK) and rescaled."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import (
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    generate_uid,
)

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.slice import Slice

__all__ = ["decode", "value_type"]

_INTEGERS = tuple(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"))
# float32 holds every whole number up to this.
_FLOAT32_WHOLE = 2**24
# Pictures that show shadow, without units: they are turned so that high is bright, as everywhere else. In
# CT, MR and PET a value has a meaning, which a display preference must not change.
_RADIOGRAPHS = ("CR", "DX", "IO", "MG", "PX", "RF", "RG", "XA")

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # GDCM prints to stderr what we report ourselves


def value_type(image: Slice) -> np.dtype[Any]:
    """Smallest type that holds every value that the header allows, exactly: stored bits, then rescaled."""
    if image.photometric == "PALETTE COLOR":
        return np.dtype(np.uint8)  # GDCM looks the colours up
    if image.samples > 1:
        return np.min_scalar_type(2**image.bits - 1)
    low = -(2 ** (image.bits - 1)) if image.signed else 0
    slope, intercept = Fraction(image.slope), Fraction(image.intercept)
    ends = sorted(slope * value + intercept for value in (low, low + 2**image.bits - 1))
    denominator = max(slope.denominator, intercept.denominator)  # powers of two, as of every float
    if denominator == 1:
        for integer in _INTEGERS:
            info = np.iinfo(integer)
            if info.min <= ends[0] and ends[1] <= info.max:
                return integer
    fits = max(abs(end) for end in ends) * denominator <= _FLOAT32_WHOLE
    return np.dtype(np.float32 if fits else np.float64)


def decode(images: Sequence[Slice]) -> NDArray[Any]:
    """Values of images of one file.

    Parameters
    ----------
    images:
        Slices with the same ``path``.

    Returns
    -------
    NDArray
        ``(image, row, column)``, or ``(image, row, column, 3)`` for colour; rescaled.

    Raises
    ------
    InputError
        If the file cannot be decoded or holds something else than its header says.
    """
    first = images[0]
    plain = first.frame is None and first.photometric != "MONOCHROME1"
    pixels = _read(first.path, first.path.name) if plain else _stored(first)
    shown = pixels.shape[1:3]
    if shown != (first.rows, first.columns):
        raise InputError(
            f"{first.path.name} holds {shown[0]} x {shown[1]} pixels, its header says {first.rows} x "
            f"{first.columns}; export it again"
        )
    if plain:
        return pixels
    if max(image.frame or 0 for image in images) >= len(pixels):
        raise InputError(
            f"{first.path.name} holds {len(pixels)} frames, its header describes more; copy the file again"
        )
    if first.photometric == "MONOCHROME1" and first.modality in _RADIOGRAPHS:
        low = -(2 ** (first.bits - 1)) if first.signed else 0
        pixels = (2 * low + 2**first.bits - 1 - pixels.astype(np.int64)).astype(pixels.dtype)
    if all((image.slope, image.intercept) == (1.0, 0.0) for image in images):
        return pixels[[image.frame or 0 for image in images]]
    return np.stack([pixels[image.frame or 0] * image.slope + image.intercept for image in images])


def _read(path: Path, name: str) -> NDArray[Any]:
    """Give ``(frame, row, column[, sample])`` as GDCM does: rescaled as the header says, colour as RGB."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as problem:
        raise InputError(
            f"{name} cannot be decoded: its pixels are cut off, damaged or in an unknown encoding; copy it "
            "again from its source"
        ) from problem
    pixels = sitk.GetArrayFromImage(image)
    if image.GetDimension() == 2:
        pixels = pixels[None]
    return np.asarray(pixels)


def _stored(image: Slice) -> NDArray[Any]:
    """Values as stored, neither rescaled nor inverted.

    GDCM rescales all frames alike, inverts MONOCHROME1, and refuses enhanced files whose geometry it does not
    follow. So it gets a copy that holds pixels and nothing else, patient least of all.
    """
    name = image.path.name
    bare = pydicom.Dataset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = pydicom.dcmread(image.path, force=True)
            bare.file_meta = pydicom.dataset.FileMetaDataset()
            bare.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
            bare.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
            if image.samples > 1:
                bare.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
            elif source.BitsAllocated == 8:
                bare.SOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
            bare.SOPInstanceUID = generate_uid()
            for tag in _PIXEL_TAGS:
                if tag in source:
                    bare[tag] = source[tag]
            if image.photometric == "MONOCHROME1":
                bare.PhotometricInterpretation = "MONOCHROME2"
            with tempfile.TemporaryDirectory(prefix="resmed-") as folder:
                copy = Path(folder) / "pixels.dcm"
                bare.save_as(copy, enforce_file_format=True)
                return _read(copy, name)
    except (InputError, MemoryError):
        raise
    except Exception as problem:  # pydicom meets a broken file with any of a dozen kinds
        raise InputError(f"{name} cannot be decoded: its pixels are cut off or damaged; copy it again") from problem


_PIXEL_TAGS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)
