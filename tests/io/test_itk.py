from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.itk import SUFFIXES, read_itk, write_itk
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume


def rotated(seed: int, handed: int = 1) -> np.ndarray:
    """An affine with a random orientation, left-handed for -1."""
    rng = np.random.default_rng(seed)
    direction, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    direction[:, 0] *= handed * np.linalg.det(direction)
    return geometry.compose(rng.uniform(-500, 500, 3), rng.uniform(0.1, 9, 3), direction)


class TestRoundTrip:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**20), handed=st.sampled_from([1, -1]))
    def test_any_place(self, suffix: str, seed: int, handed: int) -> None:
        data = np.random.default_rng(seed).integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
        volume = Volume(data, rotated(seed, handed))
        with TemporaryDirectory() as folder:
            write_itk(volume, Path(folder) / f"image{suffix}")
            back = read_itk(Path(folder) / f"image{suffix}")
        np.testing.assert_array_equal(back.data, data)
        assert back.data.dtype == np.int16
        moved = geometry.corners(back.affine, data.shape) - geometry.corners(volume.affine, data.shape)
        assert np.abs(moved).max() < 1e-4

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize(
        ("axes", "shape"), [("czyx", (3, 4, 5, 6)), ("tzyx", (2, 4, 5, 6)), ("tczyx", (2, 3, 4, 5, 6))]
    )
    def test_channels_and_time(self, tmp_path: Path, suffix: str, axes: str, shape: tuple[int, ...]) -> None:
        data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        volume = Volume(data, rotated(3), axes)
        write_itk(volume, tmp_path / f"image{suffix}")
        back = read_itk(tmp_path / f"image{suffix}")
        assert back.axes == axes
        np.testing.assert_array_equal(back.data, data)
        assert back.same_grid(volume)

    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">i2", "?", "f2"])
    def test_types(self, tmp_path: Path, dtype: str) -> None:
        data = np.random.default_rng(0).integers(0, 2, (2, 3, 4)).astype(dtype)
        write_itk(Volume(data, np.eye(4)), tmp_path / "image.nrrd")
        back = read_itk(tmp_path / "image.nrrd")
        np.testing.assert_array_equal(back.data, data.astype(np.float64))
        expected = {"?": "u1", "f2": "f4", ">i2": "i2"}.get(dtype, dtype)
        assert back.data.dtype == np.dtype(expected)

    def test_itk_agrees(self, tmp_path: Path) -> None:
        """Where SimpleITK itself puts a voxel, and what it holds there."""
        volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), rotated(7))
        write_itk(volume, tmp_path / "image.mha")
        image = sitk.ReadImage(str(tmp_path / "image.mha"))
        place = image.TransformIndexToPhysicalPoint((4, 2, 1))  # x, y, z
        np.testing.assert_allclose(place, (volume.affine @ (1, 2, 4, 1))[:3], atol=1e-9)
        assert image[4, 2, 1] == volume.data[1, 2, 4]

    def test_labels_are_compressed(self, tmp_path: Path) -> None:
        data = np.zeros((20, 50, 50), np.uint8)
        data[5:9] = 3
        write_itk(LabelMap(data, np.eye(4)), tmp_path / "labels.nrrd")
        assert (tmp_path / "labels.nrrd").stat().st_size < 2000
        np.testing.assert_array_equal(read_itk(tmp_path / "labels.nrrd").data, data)

    def test_flat_image_has_one_z(self, tmp_path: Path) -> None:
        image = sitk.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
        image.SetSpacing((0.5, 2.0))
        image.SetOrigin((5.0, 6.0))
        image.SetDirection((0.0, 1.0, 1.0, 0.0))
        sitk.WriteImage(image, str(tmp_path / "flat.mha"))
        volume = read_itk(tmp_path / "flat.mha")
        assert volume.shape == (1, 3, 4)
        np.testing.assert_allclose(volume.affine @ (0, 0, 1, 1), (5, 6.5, 0, 1))  # a column on is half a mm in y
        np.testing.assert_allclose(volume.affine @ (0, 1, 0, 1), (7, 6, 0, 1))
        assert np.linalg.det(volume.affine[:3, :3][:, ::-1]) > 0

    def test_flat_colour(self, tmp_path: Path) -> None:
        data = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
        sitk.WriteImage(sitk.GetImageFromArray(data, isVector=True), str(tmp_path / "flat.nrrd"))
        volume = read_itk(tmp_path / "flat.nrrd")
        assert (volume.axes, volume.shape) == ("czyx", (3, 1, 3, 4))
        np.testing.assert_array_equal(volume.data[2, 0], data[..., 2])

    def test_ras_and_shear_in_a_header(self, tmp_path: Path) -> None:
        """Written by hand: RAS is turned to LPS, a leaning axis is kept."""
        header = (
            "NRRD0005\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 2 2\n"
            "space directions: (1,0,0) (0,2,0) (0,0.5,3)\nkinds: domain domain domain\nendian: little\n"
            "encoding: raw\nspace origin: (10,20,30)\n\n"
        )
        (tmp_path / "ras.nrrd").write_bytes(header.encode() + bytes(range(16)))
        volume = read_itk(tmp_path / "ras.nrrd")
        np.testing.assert_allclose(volume.affine[:3, 3], (-10, -20, 30))
        np.testing.assert_allclose(volume.affine[:3, :3].T, [(0, -0.5, 3), (0, -2, 0), (-1, 0, 0)], atol=1e-12)


class TestRefusals:
    def test_sheared(self, tmp_path: Path) -> None:
        affine = geometry.compose((0, 0, 0), (3, 1, 1))
        affine[1, 0] = 0.5
        with pytest.raises(InputError, match=r"sheared by 9\.5 degrees.*NIfTI"):
            write_itk(Volume(np.zeros((2, 3, 4)), affine), tmp_path / "image.nrrd")
        assert list(tmp_path.iterdir()) == []

    def test_other_ending(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"expected one of the endings \.nrrd"):
            write_itk(Volume(np.zeros((2, 3, 4)), np.eye(4)), tmp_path / "image.png")

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            write_itk(Volume(np.zeros((2, 3, 4)), np.eye(4)), tmp_path / "no" / "image.nrrd")

    def test_a_name_in_another_encoding(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="another encoding than UTF-8"):
            write_itk(Volume(np.zeros((2, 3, 4)), np.eye(4)), tmp_path / os.fsdecode(b"M\xfcller.nrrd"))
        assert list(tmp_path.iterdir()) == []

    def test_a_locked_place(self, locked_disk: Path) -> None:
        with pytest.raises(InputError, match="writing is not allowed there"):
            write_itk(Volume(np.zeros((2, 3, 4)), np.eye(4)), locked_disk / "image.mha")

    @pytest.mark.parametrize(("first", "second"), [(".mhd", ".nhdr"), (".nhdr", ".mhd")])
    def test_the_voxels_of_another_header(self, tmp_path: Path, first: str, second: str) -> None:
        write_itk(Volume(np.ones((2, 3, 4), np.int16), np.eye(4)), tmp_path / f"image{first}")
        with pytest.raises(InputError, match=r"would replace image\.raw, which belongs to another image"):
            write_itk(Volume(np.zeros((5, 6, 7)), np.eye(4)), tmp_path / f"image{second}")
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted([f"image{first}", "image.raw"])
        assert (read_itk(tmp_path / f"image{first}").data == 1).all()

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"found no file image\.nrrd"):
            read_itk(tmp_path / "image.nrrd")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_no_image(self, tmp_path: Path, suffix: str) -> None:
        (tmp_path / f"image{suffix}").write_text("a letter")
        with pytest.raises(InputError, match="cannot be read") as caught:
            read_itk(tmp_path / f"image{suffix}")
        assert "\n" not in str(caught.value)
        assert "itk" not in str(caught.value).lower()

    @pytest.mark.parametrize(
        ("suffix", "data"), [(".nrrd", ".nrrd"), (".mha", ".mha"), (".mhd", ".raw"), (".nhdr", ".raw")]
    )
    @pytest.mark.parametrize("share", [0.5, 0.99])
    def test_cut_off(self, tmp_path: Path, suffix: str, data: str, share: float) -> None:
        write_itk(Volume(np.ones((20, 20, 20), np.int16), np.eye(4)), tmp_path / f"image{suffix}")
        file = tmp_path / f"image{data}"
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="is truncated or damaged"):
            read_itk(tmp_path / f"image{suffix}")

    def test_data_file_missing(self, tmp_path: Path) -> None:
        write_itk(Volume(np.ones((2, 3, 4)), np.eye(4)), tmp_path / "image.mhd")
        (tmp_path / "image.raw").unlink()
        with pytest.raises(InputError, match="found no data file"):
            read_itk(tmp_path / "image.mhd")

    def test_complex(self, tmp_path: Path) -> None:
        image = sitk.GetImageFromArray(np.ones((2, 3, 4), np.complex64))
        sitk.WriteImage(image, str(tmp_path / "image.nrrd"))
        with pytest.raises(InputError):
            read_itk(tmp_path / "image.nrrd")


class TestNothingHalf:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_old_image_stays(self, tmp_path: Path, suffix: str, small_disk) -> None:
        old = Volume(np.ones((2, 3, 4), np.int16), np.eye(4))
        write_itk(old, tmp_path / f"image{suffix}")
        names = sorted(file.name for file in tmp_path.iterdir())
        with small_disk(), pytest.raises(WorkError, match="nothing was left") as caught:
            write_itk(Volume(np.random.default_rng(0).random((20, 30, 40)), np.eye(4)), tmp_path / f"image{suffix}")
        assert "\n" not in str(caught.value)
        assert sorted(file.name for file in tmp_path.iterdir()) == names
        np.testing.assert_array_equal(read_itk(tmp_path / f"image{suffix}").data, old.data)
