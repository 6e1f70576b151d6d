"""Voxels of DICOM files: decoded, rescaled, in the type that holds them exactly.

Uncompressed pixels are read by us, run-length and high-throughput JPEG 2000 by pylibjpeg's decoders, all else
by GDCM (through SimpleITK).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
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
from napari_resmed.io.dicom.fragments import DELIMITER, end_of_pixels
from napari_resmed.io.dicom.native import is_native, read_native
from napari_resmed.io.dicom.slice import Slice

__all__ = ["TooNarrow", "decode", "decode_into", "value_type"]

_INTEGERS = tuple(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"))
# float32 holds every whole number up to this.
_FLOAT32_WHOLE = 2**24
# Pictures that show shadow, without units: they are turned so that high is bright, as everywhere else. In
# CT, MR and PET a value has a meaning, which a display preference must not change.
_RADIOGRAPHS = ("CR", "DX", "IO", "MG", "PX", "RF", "RG", "XA")
_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}
# What GDCM does not know, or (run-length encoding) does slowly and in colour of 16 bits wrongly.
_BY_PYDICOM = {RLELossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL, DeflatedExplicitVRLittleEndian}
# Of copies that live as long as their decoding takes.
_COPY_UID = generate_uid()
# Those of pydicom that refuse what is damaged; its GDCM ends the whole program.
_PLUG_INS = ("pylibjpeg", "pyjpegls", "pydicom", "pillow")
_GDCM_BITS = (8, 12, 16, 32)

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # GDCM prints to stderr what we report ourselves


def value_type(image: Slice) -> np.dtype[Any]:
    """Smallest type that holds every value that the header allows, exactly: stored bits, then rescaled."""
    if image.pixels in _FLOATS:
        return np.dtype(_FLOATS[image.pixels])
    if image.photometric == "PALETTE COLOR":
        return np.dtype(np.uint8)  # GDCM looks the colours up
    if image.samples > 1:
        return np.min_scalar_type(2**image.bits - 1)
    return _grey_type(image.bits, image.signed, image.slope, image.intercept)


@lru_cache(maxsize=1024)
def _grey_type(bits: int, signed: bool, slope: float, intercept: float) -> np.dtype[Any]:
    low = -(2 ** (bits - 1)) if signed else 0
    exact, added = Fraction(slope), Fraction(intercept)
    ends = sorted(exact * value + added for value in (low, low + 2**bits - 1))
    denominator = max(exact.denominator, added.denominator)  # powers of two, as of every float
    if denominator == 1:
        for integer in _INTEGERS:
            info = np.iinfo(integer)
            if info.min <= ends[0] and ends[1] <= info.max:
                return integer
    fits = max(abs(end) for end in ends) * denominator <= _FLOAT32_WHOLE
    return np.dtype(np.float32 if fits else np.float64)


class TooNarrow(Exception):  # noqa: N818 - not an error: the caller starts again with a wider type
    """Values lie beyond the stored bits that the header admits to; ``dtype`` holds them."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        super().__init__(str(dtype))
        self.dtype = dtype


def decode(image: Slice) -> NDArray[Any]:
    """Values of one image, ``(row, column)`` or ``(row, column, 3)`` for colour; rescaled.

    Raises
    ------
    InputError
        If the file cannot be decoded or holds something else than its header says.
    """
    colour = image.samples > 1 or image.photometric == "PALETTE COLOR"
    target = np.empty((image.rows, image.columns, *((3,) if colour else ())), value_type(image))
    try:
        decode_into([image], [target])
    except TooNarrow as wider:
        target = target.astype(wider.dtype)
        decode_into([image], [target])
    return target


def decode_into(images: Sequence[Slice], targets: Sequence[NDArray[Any]]) -> None:
    """Put the values of images of one file where they belong, rescaled.

    Parameters
    ----------
    images:
        Slices with the same ``path``.
    targets:
        For each an array ``(row, column)``, or ``(row, column, 3)`` for colour.

    Raises
    ------
    InputError
        If the file cannot be decoded or holds something else than its header says.
    TooNarrow
        If the targets' type does not hold the values.
    """
    first = images[0]
    if not is_native(first):
        frames = _decoded(first, max(image.frame or 0 for image in images))
        for image, target in zip(images, targets, strict=True):
            _put(frames[image.frame or 0], image, target)
    elif first.picture:
        whole: dict[int, NDArray[Any]] = {}
        for image, target in zip(images, targets, strict=True):
            if (image.frame or 0) not in whole:
                whole = {image.frame or 0: read_native(image)}
            _put(whole[image.frame or 0], image, target)
    else:
        for image, target in zip(images, targets, strict=True):
            _put(read_native(image, target), image, target)


def _put(pixels: NDArray[Any], image: Slice, target: NDArray[Any]) -> None:
    """From stored values to what they mean: the tile cut out, shadow turned to light, rescaled."""
    y, x = image.corner
    pixels = pixels[y : y + image.rows, x : x + image.columns]
    if pixels.shape != target.shape:
        found = "colour" if pixels.ndim > 2 else "grey"
        raise InputError(f"{image.path.name} holds {found} pixels, its header says otherwise; export it again")
    if image.photometric == "MONOCHROME1" and image.modality in _RADIOGRAPHS:
        low = -(2 ** (image.bits - 1)) if image.signed else 0
        pixels = (2 * low + 2**image.bits - 1 - pixels.astype(np.int64)).astype(pixels.dtype)
    if (image.slope, image.intercept) == (1.0, 0.0) or target.ndim > 2 or image.pixels in _FLOATS:
        if not np.can_cast(pixels.dtype, target.dtype):
            _check_fit(pixels, target.dtype)
        if not (pixels.dtype == target.dtype and np.may_share_memory(pixels, target)):
            np.copyto(target, pixels, casting="unsafe")
    elif target.dtype.kind in "iu" and _within_bits(pixels, image):
        # Sums and products that wrap round on the way wrap back: the result is within the type.
        if not np.may_share_memory(pixels, target):
            np.copyto(target, pixels, casting="unsafe")
        if image.slope != 1.0:
            np.multiply(target, _wrapped(image.slope, target.dtype), out=target)
        np.add(target, _wrapped(image.intercept, target.dtype), out=target)
    else:
        values = pixels * image.slope + image.intercept
        if target.dtype.kind in "iu":
            _check_fit(values, target.dtype)
        np.copyto(target, values, casting="unsafe")


def _wrapped(whole: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.array(int(whole), np.int64).astype(dtype)


def _within_bits(pixels: NDArray[Any], image: Slice) -> bool:
    """Whether no stored value is beyond the bits that the header states, and slope and intercept are whole."""
    if not (float(image.slope).is_integer() and float(image.intercept).is_integer()):
        return False
    low = -(2 ** (image.bits - 1)) if image.signed else 0
    info = np.iinfo(pixels.dtype)
    if low <= info.min and info.max <= low + 2**image.bits - 1:
        return True
    return bool(pixels.min() >= low and pixels.max() <= low + 2**image.bits - 1)


def _check_fit(pixels: NDArray[Any], dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if pixels.min() < info.min or pixels.max() > info.max:
            raise TooNarrow(np.promote_types(pixels.dtype, dtype))
    if pixels.dtype.kind == "f" and not (pixels.astype(dtype) == pixels).all():
        raise TooNarrow(np.promote_types(pixels.dtype, dtype))


def _decoded(image: Slice, last: int) -> NDArray[Any]:
    """Stored values ``(frame, row, column[, 3])`` of all frames of a file, colour as red, green, blue."""
    name = image.path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            by_pydicom = (
                image.syntax in _BY_PYDICOM or image.bits_allocated not in _GDCM_BITS or image.pixels != "PixelData"
            )
            palette = image.photometric == "PALETTE COLOR"
            pixels = _by_pydicom(image) if by_pydicom or palette else _by_gdcm_bare(image)
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
    if last >= len(pixels):
        raise InputError(f"{name} holds {len(pixels)} frames, its header describes more; copy the file again")
    return pixels


def _by_pydicom(image: Slice) -> NDArray[Any]:
    """Decode by pydicom and its plug-ins, pylibjpeg's; a palette's colours looked up."""
    data = pydicom.dcmread(image.path, force=True)
    palette = image.photometric == "PALETTE COLOR"
    options = {"pixel_keyword": image.pixels} if image.pixels in _FLOATS else {}
    decoder = get_decoder(data.file_meta.TransferSyntaxUID)
    if UID(image.syntax).is_encapsulated:
        with image.path.open("rb") as file:
            end_of_pixels(file, image)
        options["decoding_plugin"] = next(name for name in _PLUG_INS if name in decoder.available_plugins)
    pixels, _ = decoder.as_array(data, raw=image.samples == 1, **options)
    if pixels.ndim == (2 if image.samples == 1 else 3):
        pixels = pixels[None]
    if palette:
        pixels = apply_color_lut(pixels, data)[..., :3]
        if pixels.dtype.itemsize > 1:  # tables of 16 bits: the upper ones are what a screen shows
            pixels = (pixels >> 8).astype(np.uint8)
    return np.asarray(pixels)


def _by_gdcm(path: Path) -> NDArray[Any]:
    """Decode by GDCM, which rescales as it thinks right: colour only."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    image = reader.Execute()
    pixels = sitk.GetArrayFromImage(image)
    return np.asarray(pixels[None] if image.GetDimension() == 2 else pixels)


def _by_gdcm_bare(image: Slice) -> NDArray[Any]:
    """Decode by GDCM: values as stored, neither rescaled nor inverted.

    GDCM rescales all frames alike, inverts MONOCHROME1, refuses enhanced files whose geometry it does not follow, and
    takes a minute over some odd headers. So it gets a copy that holds pixels and nothing else, patient least of all.
    """
    with tempfile.TemporaryDirectory(prefix="resmed-") as folder:
        copy = Path(folder) / "pixels.dcm"
        if UID(image.syntax).is_encapsulated:
            with image.path.open("rb") as source, copy.open("wb") as target:
                end = end_of_pixels(source, image)
                target.write(_bare_header(image))
                source.seek(image.element_at)
                target.write(source.read(end - image.element_at))
                target.write(DELIMITER)
        else:
            _save_bare(image, copy)
        return _by_gdcm(copy)


def _bare_header(image: Slice) -> bytes:
    """Give what has to stand before the pixels in a file of its own: preamble, meta information, the pixels' format."""
    file = BytesIO()
    _bare(image).save_as(file, enforce_file_format=True)
    return file.getvalue()


def _save_bare(image: Slice, copy: Path) -> None:
    bare = _bare(image)
    source = pydicom.dcmread(image.path, force=True, specific_tags=["PixelData"])
    bare["PixelData"] = source["PixelData"]
    bare.save_as(copy, enforce_file_format=True)


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
