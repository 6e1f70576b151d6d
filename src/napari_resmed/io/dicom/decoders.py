"""Pixels that need a decoder: run-length and high-throughput JPEG 2000 by pylibjpeg's, all else by GDCM (SimpleITK)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.config import IGNORE
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.uid import (
    HTJ2K,
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    RLELossless,
    generate_uid,
)

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.fragments import DELIMITER, EMPTY_TABLE, HEAD, items_of_pixels
from napari_resmed.io.dicom.runs import check_runs
from napari_resmed.io.dicom.slice import Slice

__all__ = ["decoded_frames"]

# What GDCM does not know, or (run-length encoding) does slowly and in colour of 16 bits wrongly.
_BY_PYDICOM = {RLELossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL, DeflatedExplicitVRLittleEndian}
# Those of pydicom that refuse what is damaged; its GDCM ends the whole program.
_PLUG_INS = ("pylibjpeg", "pyjpegls", "pydicom", "pillow")
_GDCM_BITS = (8, 12, 16, 32)
# Of copies that live as long as their decoding takes.
_COPY_UID = generate_uid()

Items = list[tuple[int, int]]

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # GDCM prints to stderr what we report ourselves


def decoded_frames(image: Slice, wanted: set[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Stored values of frames of a file, one after the other, colour as red, green, blue.

    Parameters
    ----------
    image:
        Any of the file.
    wanted:
        Numbers of frames. Only these are decoded, if the file keeps them apart.

    Yields
    ------
    int, NDArray
        The frame, and its values ``(row, column)`` or ``(row, column, 3)``.

    Raises
    ------
    InputError
        If the file is cut off, damaged, or holds something else than its header says.
    """
    items = _items(image)
    if image.syntax == RLELossless:
        check_runs(image, items)
    apart = image.frames_in_file > 1 and len(items) == image.frames_in_file + 1  # the table of offsets comes first
    whole = None if apart or image.frames_in_file == 1 else _decode(image, None, items)
    for frame in sorted(wanted):
        pixels = _decode(image, frame if apart else None, items) if whole is None else whole[frame : frame + 1]
        if not len(pixels):
            raise InputError(f"{image.path.name} holds fewer frames than its header describes; copy the file again")
        yield frame, pixels[0]


def _items(image: Slice) -> Items:
    """Where the compressed pixels' items lie, checked for being whole; none where pixels are not compressed."""
    try:
        if not _is_encapsulated(image):
            return []
        with image.path.open("rb") as file:
            return items_of_pixels(file, image)
    except OSError as problem:
        raise InputError(f"{image.path.name} cannot be read ({problem.strerror}); check the disk") from problem


def _is_encapsulated(image: Slice) -> bool:
    try:
        return bool(UID(image.syntax, validation_mode=IGNORE).is_encapsulated)
    except ValueError as problem:  # no transfer syntax of the standard
        raise InputError(
            f"{image.path.name} cannot be decoded: its pixels are in an unknown encoding; export it again"
        ) from problem


def _decode(image: Slice, only: int | None, items: Items) -> NDArray[Any]:
    """Decode one frame or all, ``(frame, row, column[, 3])``."""
    name = image.path.name
    by_pydicom = image.syntax in _BY_PYDICOM or image.bits_allocated not in _GDCM_BITS or image.pixels != "PixelData"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if by_pydicom or image.photometric == "PALETTE COLOR":
                pixels = _by_pydicom(image, only)
            else:
                pixels = _by_gdcm(image, only, items)
    except (InputError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as problem:  # a dozen kinds; a decoder written in Rust ends with one that is no Exception
        raise InputError(
            f"{name} cannot be decoded: its pixels are cut off, damaged or in an unknown encoding; copy it "
            "again from its source"
        ) from problem
    expected = tuple(image.picture) or (image.rows, image.columns)
    if pixels.shape[1:3] != expected:
        raise InputError(
            f"{name} holds {pixels.shape[1]} x {pixels.shape[2]} pixels, its header says {expected[0]} x "
            f"{expected[1]}; export it again"
        )
    return pixels


def _by_pydicom(image: Slice, only: int | None) -> NDArray[Any]:
    """Decode by pydicom and its plug-ins, pylibjpeg's; a palette's colours looked up."""
    data = pydicom.dcmread(image.path, force=True)
    options: dict[str, Any] = {"pixel_keyword": image.pixels} if image.pixels != "PixelData" else {}
    decoder = get_decoder(data.file_meta.TransferSyntaxUID)
    if _is_encapsulated(image):
        options["decoding_plugin"] = next(name for name in _PLUG_INS if name in decoder.available_plugins)
    pixels, _ = decoder.as_array(data, index=only, raw=image.samples == 1, **options)
    if pixels.ndim == (2 if image.samples == 1 else 3):
        pixels = pixels[None]
    if image.photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)[..., :3]
        if pixels.dtype.itemsize > 1:  # tables of 16 bits: the upper ones are what a screen shows
            pixels = (pixels >> 8).astype(np.uint8)
    return np.asarray(pixels)


def _by_gdcm(image: Slice, only: int | None, items: Items) -> NDArray[Any]:
    """Decode by GDCM: values as stored, neither rescaled nor inverted.

    GDCM rescales all frames alike, inverts MONOCHROME1, refuses enhanced files whose geometry it does not follow, and
    takes a minute over some odd headers. So it gets a copy that holds pixels and nothing else, patient least of all.
    """
    with tempfile.TemporaryDirectory(prefix="resmed-") as folder:
        copy = Path(folder) / "pixels.dcm"
        if items:
            _copy_items(image, only, items[1:], copy)
        else:
            bare = _bare(image)
            bare["PixelData"] = pydicom.dcmread(image.path, force=True, specific_tags=["PixelData"])["PixelData"]
            bare.save_as(copy, enforce_file_format=True)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(copy))
        decoded = reader.Execute()
        pixels = sitk.GetArrayFromImage(decoded)
        return np.asarray(pixels[None] if decoded.GetDimension() == 2 else pixels)


def _copy_items(image: Slice, only: int | None, items: Items, copy: Path) -> None:
    """Write a file of the pixels' format and the items of one frame or all, as they are."""
    header = BytesIO()
    bare = _bare(image if only is None else replace(image, frames_in_file=1))
    bare.save_as(header, enforce_file_format=True)
    with image.path.open("rb") as source, copy.open("wb") as target:
        chosen = items if only is None else items[only : only + 1]
        target.write(header.getvalue() + HEAD + EMPTY_TABLE)
        for at, length in chosen:
            source.seek(at)
            target.write(source.read(length))
        target.write(DELIMITER)


def _bare(image: Slice) -> pydicom.Dataset:
    bare = pydicom.Dataset()
    bare.file_meta = pydicom.dataset.FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = image.syntax
    bare.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    if image.samples > 1:
        bare.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
        bare.PlanarConfiguration = int(image.planar)
    elif image.bits_allocated == 8:
        bare.SOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    bare.SOPInstanceUID = _COPY_UID
    bare.SamplesPerPixel = image.samples
    bare.PhotometricInterpretation = (
        "MONOCHROME2" if image.photometric == "MONOCHROME1" else image.photometric or "MONOCHROME2"
    )
    bare.NumberOfFrames = image.frames_in_file
    bare.Rows, bare.Columns = image.picture or (image.rows, image.columns)
    bare.BitsAllocated, bare.BitsStored, bare.HighBit = image.bits_allocated, image.bits, image.high_bit
    bare.PixelRepresentation = int(image.signed)
    return bare
