from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import find_series, read_series
from tests.io.dicom.making import bundled, change, make_series, ramp

# An 8 x 8 picture whose value at n is 37 n modulo 4096, made with OpenJPH 0.26.
HTJ2K = (
    "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQkJCQiIiI"
    "/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAFkAAf+TwAAmDfoFB3QAAADAABLAABMAUAGHdACM+gMHdADAABNAABOAJNIBAnQAMpXpAKNUAMAA"
    "KiAAFWAIgiCqcIJ1AE46ceLkwEIB7LYA/9k="
)


class TestEncodings:
    @pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
    def test_lossless(self, tmp_path: Path, syntax: str) -> None:
        folder = make_series(tmp_path / "series", (3, 96, 80))
        for file in folder.iterdir():
            change(file, lambda data: data.compress(syntax, generate_instance_uid=False))
        (series,) = find_series(folder)
        np.testing.assert_array_equal(read_series(series).data, ramp((3, 96, 80)))

    @pytest.mark.parametrize("tag", ["Rows", "Columns"])
    def test_runs_that_hold_more_than_the_header_says(self, tmp_path: Path, tag: str) -> None:
        """A decoder would stop when it has enough: a picture sheared in silence."""
        folder = make_series(tmp_path / "series", (2, 96, 80))

        def bend(data: Dataset) -> None:
            data.compress(RLELossless, generate_instance_uid=False)
            setattr(data, tag, getattr(data, tag) - 10)

        for file in folder.iterdir():
            change(file, bend)
        (series,) = find_series(folder)
        with pytest.raises(InputError, match="holds 7680 pixels a frame, its header says"):
            read_series(series)

    def test_high_throughput(self, tmp_path: Path) -> None:
        (file,) = make_series(tmp_path / "series", (1, 8, 8)).iterdir()

        def encode(data: Dataset) -> None:
            data.file_meta.TransferSyntaxUID = HTJ2KLossless
            data.PixelData = encapsulate([base64.b64decode(HTJ2K)])
            data["PixelData"].is_undefined_length = True

        change(file, encode)
        (series,) = find_series(file)
        np.testing.assert_array_equal(read_series(series).data.ravel(), np.arange(64) * 37 % 4096)

    @pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
    @pytest.mark.parametrize("part", [0.85, 0.97])
    def test_cut_off(self, tmp_path: Path, syntax: str, part: float) -> None:
        """GDCM searches a minute through some files that are cut off: they do not reach it."""
        (file,) = make_series(tmp_path / "series", (1, 96, 80)).iterdir()
        change(file, lambda data: data.compress(syntax, generate_instance_uid=False))
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * part)])
        with pytest.raises(InputError, match="cannot be decoded: it holds fewer pixels"):
            read_series(find_series(file)[0])

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
    def test_uncompressed(self, tmp_path: Path, syntax: str) -> None:
        folder = make_series(tmp_path / "series")
        for file in folder.iterdir():
            before = pydicom.dcmread(file)
            data = Dataset()
            data.update(before)
            if syntax == ExplicitVRBigEndian:
                data.PixelData = before.pixel_array.astype(">u2").tobytes()
            data.file_meta = before.file_meta
            data.file_meta.TransferSyntaxUID = syntax
            data.save_as(
                file, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, enforce_file_format=True
            )
        (series,) = find_series(folder)
        np.testing.assert_array_equal(read_series(series).data, ramp())

    def test_deflate_bomb(self, tmp_path: Path) -> None:
        """A header that inflates to a gigabyte is not inflated."""
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.save_as(file, implicit_vr=False, little_endian=True)
        whole = file.read_bytes()
        inflated = zlib.decompressobj(-15)
        start = next(at for at in range(132, len(whole)) if _inflates(whole[at:]))
        inside = inflated.decompress(whole[start:])
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = packer.compress(inside) + packer.compress(bytes(2**26)) + packer.flush()
        file.write_bytes(whole[:start] + bomb)
        (series,) = find_series(file)
        np.testing.assert_array_equal(read_series(series).data, ramp((1, 5, 4)))


def _inflates(data: bytes) -> bool:
    try:
        return zlib.decompressobj(-15).decompress(data)[:4] in (b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")
    except zlib.error:
        return False


class TestUnknownEncoding:
    @pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.3"])
    def test_is_refused(self, tmp_path: Path, syntax: str) -> None:
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()
        known = b"1.2.840.10008.1.2.1\0"
        file.write_bytes(file.read_bytes().replace(known, syntax.encode().ljust(len(known), b"\0"), 1))
        with pytest.raises(InputError):
            read_series(find_series(file)[0])


class TestStoredBits:
    @pytest.mark.parametrize(("bits", "signed"), [(8, False), (16, True), (32, False), (32, True)])
    def test_of_every_size(self, tmp_path: Path, bits: int, signed: bool) -> None:
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()
        dtype = np.dtype(f"{'i' if signed else 'u'}{bits // 8}")
        values = np.linspace(np.iinfo(dtype).min, np.iinfo(dtype).max, 20).astype(dtype)

        def store(data: Dataset) -> None:
            data.BitsAllocated = data.BitsStored = bits
            data.HighBit, data.PixelRepresentation = bits - 1, int(signed)
            data.PixelData = values.tobytes()

        change(file, store)
        (series,) = find_series(file)
        volume = read_series(series)
        assert volume.data.dtype == dtype
        np.testing.assert_array_equal(volume.data.ravel(), values)

    def test_overlay_in_the_upper_bits(self, tmp_path: Path) -> None:
        """What stands above the stored bits is no part of the value; of signed ones the sign is copied there."""
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()
        stored = np.arange(-10, 10, dtype=np.int16)

        def store(data: Dataset) -> None:
            data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, 1
            data.PixelData = (stored & 0x0FFF | 0x1000).astype(np.uint16).tobytes()

        change(file, store)
        (series,) = find_series(file)
        np.testing.assert_array_equal(read_series(series).data.ravel(), stored)

    def test_cut_off_in_a_frame_file(self, tmp_path: Path) -> None:
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()
        change(file, lambda data: setattr(data, "Rows", 60000))
        (series,) = find_series(file)
        with pytest.raises(InputError, match="fewer pixels than its header says"):
            read_series(series)

    def test_claims_beyond_any_file(self, tmp_path: Path) -> None:
        (file,) = make_series(tmp_path / "series", (1, 5, 4)).iterdir()

        def claim(data: Dataset) -> None:
            data.Rows = data.Columns = 60000

        change(file, claim)
        (series,) = find_series(file)
        with pytest.raises(InputError, match=r"claims 6\.7 GB"):
            read_series(series)

    def test_planar_colour(self) -> None:
        (series,) = find_series([bundled("SC_rgb_small_odd_big_endian.dcm")])
        expected = pydicom.dcmread(bundled("SC_rgb_small_odd_big_endian.dcm")).pixel_array
        np.testing.assert_array_equal(np.moveaxis(read_series(series).data[:, 0], 0, -1), expected)
