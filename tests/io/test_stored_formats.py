"""NRRD, MetaImage, MGH and AFNI: what other programs write is read, and ITK and nibabel see the same."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.files import read, write
from napari_resmed.io.image_file import peek_image
from napari_resmed.io.listing import find_images
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import affines

DATA = np.random.default_rng(0).permutation(24).reshape(2, 3, 4).astype("<i2")


def nrrd(path: Path, body: bytes, *lines: str, sizes: str = "4 3 2", **changes: str) -> Path:
    fields = {"type": "short", "encoding": "raw", "endian": "little", "space": "left-posterior-superior"}
    fields |= {"space directions": "(1,0,0) (0,2,0) (0,0,3)", "space origin": "(10,20,30)"}
    fields |= {key.replace("_", " "): value for key, value in changes.items()}
    text = ["NRRD0005", f"dimension: {len(sizes.split())}", f"sizes: {sizes}"]
    text += [f"{key}: {value}" for key, value in fields.items() if value] + list(lines)
    path.write_bytes("\n".join(text).encode() + b"\n\n" + body)
    return path


class TestNrrd:
    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("raw", DATA.tobytes()),
            ("gzip", gzip.compress(DATA.tobytes())),
            ("bzip2", bz2.compress(DATA.tobytes())),
            ("ascii", " ".join(map(str, DATA.ravel())).encode()),
        ],
        ids=("raw", "gzip", "bzip2", "ascii"),
    )
    def test_encodings(self, encoding: str, body: bytes, tmp_path: Path) -> None:
        volume = read(nrrd(tmp_path / "a.nrrd", body, encoding=encoding))
        assert np.array_equal(volume.data, DATA)
        assert volume.data.dtype == np.int16

    def test_big_endian(self, tmp_path: Path) -> None:
        volume = read(nrrd(tmp_path / "a.nrrd", DATA.astype(">i2").tobytes(), endian="big"))
        assert np.array_equal(volume.data, DATA)
        assert volume.data.dtype.isnative

    @pytest.mark.parametrize(
        ("space", "signs"), [("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1)), ("LPS", (1, 1, 1))]
    )
    def test_spaces(self, space: str, signs: tuple[int, int, int], tmp_path: Path) -> None:
        path = nrrd(tmp_path / "a.nrrd", DATA.tobytes(), space=space)
        volume = read(path)
        assert np.allclose(volume.affine[:3, 3], np.multiply((10, 20, 30), signs))
        assert np.allclose(volume.affine @ (0, 0, 1, 0), (signs[0], 0, 0, 0))
        image = sitk.ReadImage(str(path))
        assert np.allclose(image.TransformIndexToPhysicalPoint((3, 2, 1)), (volume.affine @ (1, 2, 3, 1))[:3])

    def test_a_space_that_names_no_side_is_said(self, tmp_path: Path) -> None:
        volume = read(nrrd(tmp_path / "a.nrrd", DATA.tobytes(), space="", space_dimension="3"))
        assert "does not say which side is left" in volume.meta["warnings"][0]

    def test_other_units(self, tmp_path: Path) -> None:
        volume = read(nrrd(tmp_path / "a.nrrd", DATA.tobytes(), space_units='"cm" "cm" "cm"'))
        assert volume.spacing_mm == (30, 20, 10)

    def test_detached(self, tmp_path: Path) -> None:
        (tmp_path / "voxels.raw").write_bytes(b"head\n" + DATA.tobytes())
        volume = read(nrrd(tmp_path / "a.nhdr", b"", "line skip: 1", "data file: voxels.raw"))
        assert np.array_equal(volume.data, DATA)

    @pytest.mark.parametrize("name", ["../voxels.raw", "/dev/zero", "C:\\voxels.raw", "sub/../../voxels.raw"])
    def test_no_file_elsewhere_is_opened(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "voxels.raw").write_bytes(DATA.tobytes())
        with pytest.raises(InputError, match="outside its own folder"):
            read(nrrd(tmp_path / "in/a.nhdr", b"", f"data file: {name}"))

    @pytest.mark.parametrize(
        ("kinds", "pairs", "axes"),
        [
            ("vector domain domain domain", "", "czyx"),
            ("list domain domain domain", "", "czyx"),
            ("time domain domain domain", "", "tzyx"),
            ("list domain domain domain", "modality:=DWMRI", "tzyx"),
        ],
    )
    def test_the_fourth_axis(self, kinds: str, pairs: str, axes: str, tmp_path: Path) -> None:
        data = np.arange(48, dtype="<i2")
        directions = "none (1,0,0) (0,2,0) (0,0,3)"
        lines = [f"kinds: {kinds}", *([pairs] if pairs else [])]
        path = nrrd(tmp_path / "a.nrrd", data.tobytes(), *lines, sizes="2 4 3 2", space_directions=directions)
        volume = read(path)
        assert (volume.axes, volume.shape) == (axes, (2, 2, 3, 4))
        assert np.array_equal(volume.data[1].ravel(), data[1::2])

    def test_colour_says_so(self, tmp_path: Path) -> None:
        data = np.arange(72, dtype=np.uint8)
        directions = "none (1,0,0) (0,2,0) (0,0,3)"
        lines = ("kinds: RGB-color domain domain domain",)
        path = nrrd(
            tmp_path / "a.nrrd", data.tobytes(), *lines, sizes="3 4 3 2", space_directions=directions, type="uchar"
        )
        assert read(path).meta["colour"] == "RGB"

    def test_the_measurement_frame_is_kept(self, tmp_path: Path) -> None:
        path = nrrd(tmp_path / "a.nrrd", DATA.tobytes(), "measurement frame: (1,0,0) (0,-1,0) (0,0,1)")
        assert read(path).meta["measurement_frame"] == [1, 0, 0, 0, -1, 0, 0, 0, 1]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"sizes": "4 3 2147483648"}, "truncated or damaged"),
            ({"sizes": "4 3 -2"}, "holds no voxels"),
            ({"sizes": "4 3 1"}, "holds more than its header says"),
            ({"type": "block"}, "of the type 'block'"),
            ({"encoding": "hex"}, "encoded as 'hex'"),
            ({"endian": ""}, "byte order"),
            ({"space_directions": "(1,0,0) (0,0,0) (0,0,3)"}, "flat"),
            ({"space_directions": "(1e300,0,0) (0,2,0) (0,0,3)"}, "no place in a patient"),
            ({"space_origin": "(nan,0,0)"}, "NaN"),
        ],
    )
    def test_what_cannot_be(self, changes: dict[str, str], reason: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=reason):
            read(nrrd(tmp_path / "a.nrrd", DATA.tobytes(), **changes))

    def test_a_flipped_bit_in_compressed_voxels(self, tmp_path: Path) -> None:
        body = bytearray(gzip.compress(DATA.tobytes()))
        body[-6] ^= 1  # in the checksum
        with pytest.raises(InputError, match="truncated or damaged"):
            read(nrrd(tmp_path / "a.nrrd", bytes(body), encoding="gzip"))

    @settings(max_examples=30)
    @given(affine=affines())
    def test_any_grid(self, affine: geometry.Affine, tmp_path_factory: pytest.TempPathFactory) -> None:
        columns = " ".join(f"({x!r},{y!r},{z!r})" for x, y, z in affine[:3, 2::-1].T.tolist())
        origin = "({!r},{!r},{!r})".format(*affine[:3, 3].tolist())
        folder = tmp_path_factory.mktemp("a")
        volume = read(nrrd(folder / "a.nrrd", DATA.tobytes(), space_directions=columns, space_origin=origin))
        assert np.allclose(volume.affine, affine, atol=1e-12)


class TestMetaImage:
    @pytest.mark.parametrize("suffix", [".mha", ".mhd"])
    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_itk_and_we_see_the_same(self, suffix: str, compressed: bool, channels: int, tmp_path: Path) -> None:
        data = np.random.default_rng(0).integers(0, 255, (3, 4, 5, channels)).astype(np.uint8)
        image = sitk.GetImageFromArray(data if channels > 1 else data[..., 0], isVector=channels > 1)
        image.SetDirection((0, 1, 0, 0, 0, -1, -1, 0, 0))
        image.SetSpacing((0.5, 2, 3))
        image.SetOrigin((7, -8, 9))
        sitk.WriteImage(image, str(tmp_path / f"a{suffix}"), useCompression=compressed)
        volume = read(tmp_path / f"a{suffix}")
        assert volume.axes == ("czyx" if channels > 1 else "zyx")
        found = np.moveaxis(volume.data, 0, -1) if channels > 1 else volume.data[..., None]
        assert np.array_equal(found, data)
        assert np.allclose(image.TransformIndexToPhysicalPoint((4, 3, 2)), (volume.affine @ (2, 3, 4, 1))[:3])

    def test_damaged_compressed_voxels(self, tmp_path: Path) -> None:
        image = sitk.GetImageFromArray(DATA)
        sitk.WriteImage(image, str(tmp_path / "a.mha"), useCompression=True)
        content = bytearray((tmp_path / "a.mha").read_bytes())
        content[-1] ^= 1  # in zlib's checksum
        (tmp_path / "a.mha").write_bytes(bytes(content))
        with pytest.raises(InputError, match="truncated or damaged"):
            read(tmp_path / "a.mha")

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("DimSize", "4 3 2147483648", "truncated or damaged"),
            ("ElementSpacing", "1 1 -1", "above 0"),
            ("TransformMatrix", "65536 0 0 0 1 0 0 0 1", "not of length 1"),
            ("ElementType", "MET_STRING", "of the type"),
            ("ElementDataFile", "../../etc/passwd", "outside its own folder"),
            ("ElementDataFile", "LIST", "in many files"),
            ("NDims", "x", "expected numbers"),
        ],
    )
    def test_what_cannot_be(self, field: str, value: str, reason: str, tmp_path: Path) -> None:
        sitk.WriteImage(sitk.GetImageFromArray(DATA), str(tmp_path / "a.mha"))
        lines = (tmp_path / "a.mha").read_bytes().split(b"\n")
        changed = [f"{field} = {value}".encode() if line.startswith(f"{field} ".encode()) else line for line in lines]
        (tmp_path / "a.mha").write_bytes(b"\n".join(changed))
        with pytest.raises(InputError, match=reason):
            read(tmp_path / "a.mha")


class TestMgh:
    @pytest.mark.parametrize("suffix", [".mgz", ".mgh"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
    def test_as_nibabel(self, suffix: str, dtype: type, tmp_path: Path) -> None:
        affine = np.array([[0, -2, 0, 10], [1, 0, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
        image = nib.MGHImage(np.random.default_rng(0).permutation(60).reshape(3, 4, 5).astype(dtype), affine)
        nib.save(image, tmp_path / f"a{suffix}")
        volume = read(tmp_path / f"a{suffix}")
        assert np.array_equal(volume.data, np.asarray(image.dataobj).T)
        assert volume.data.dtype.isnative
        assert np.allclose(volume.affine, geometry.ras_to_lps(affine), atol=1e-5)
        assert volume.meta["warnings"] == []

    def test_frames_are_time(self, tmp_path: Path) -> None:
        data = np.arange(120, dtype=np.int16).reshape(3, 4, 5, 2)
        nib.save(nib.MGHImage(data, np.eye(4)), tmp_path / "a.mgz")
        volume = read(tmp_path / "a.mgz")
        assert (volume.axes, volume.shape) == ("tzyx", (2, 5, 4, 3))
        assert np.array_equal(volume.data, data.T)

    def test_labels(self, tmp_path: Path) -> None:
        data = np.zeros((8, 8, 8), np.int32)
        data[2:6] = 17
        data[6:] = 2035
        nib.save(nib.MGHImage(data, np.eye(4)), tmp_path / "aseg.mgz")
        volume = read(tmp_path / "aseg.mgz")
        assert isinstance(volume, LabelMap)
        assert volume.labels.values == (17, 2035)

    @pytest.mark.parametrize("added", [b"\0", b"\0" * 4, b"\0" * 100])
    def test_bytes_put_in_are_noticed(self, added: bytes, tmp_path: Path) -> None:
        nib.save(nib.MGHImage(DATA.astype(np.int16), np.eye(4)), tmp_path / "a.mgh")
        content = (tmp_path / "a.mgh").read_bytes()
        (tmp_path / "a.mgh").write_bytes(content[:300] + added + content[300:])
        assert "too many follow the voxels" in read(tmp_path / "a.mgh").meta["warnings"][0]

    def test_no_place(self, tmp_path: Path) -> None:
        nib.save(nib.MGHImage(DATA.astype(np.int16), np.eye(4)), tmp_path / "a.mgh")
        content = bytearray((tmp_path / "a.mgh").read_bytes())
        content[28:30] = b"\0\0"  # goodRASFlag
        (tmp_path / "a.mgh").write_bytes(bytes(content))
        assert "no place in the patient" in read(tmp_path / "a.mgh").meta["warnings"][0]

    def test_a_lie_about_its_size(self, tmp_path: Path) -> None:
        nib.save(nib.MGHImage(DATA.astype(np.int16), np.eye(4)), tmp_path / "a.mgh")
        content = bytearray((tmp_path / "a.mgh").read_bytes())
        content[16:20] = (2**31 - 1).to_bytes(4, "big")  # frames
        (tmp_path / "a.mgh").write_bytes(bytes(content))
        with pytest.raises(InputError, match="truncated or damaged"):
            read(tmp_path / "a.mgh")


class TestAfni:
    @pytest.mark.parametrize("name", ["example4d+orig", "scaled+tlrc"])
    def test_as_nibabel(self, name: str) -> None:
        head = Path(nib.__file__).parent / f"tests/data/{name}.HEAD"
        if not head.is_file():
            pytest.skip("this nibabel comes without its test data")
        image = nib.load(head)
        volume = read(head)
        assert np.allclose(volume.data, np.squeeze(np.asarray(image.dataobj)).T)
        assert np.allclose(volume.affine, geometry.ras_to_lps(image.affine))

    def test_half_of_a_pair(self, tmp_path: Path) -> None:
        (tmp_path / "a+orig.HEAD").write_text("type = integer-attribute\n")
        with pytest.raises(InputError, match="half of a pair"):
            read(tmp_path / "a+orig.HEAD")


class TestPeek:
    def test_an_image_is_told_by_its_first_planes(self, tmp_path: Path) -> None:
        data = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
        sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / "a.nrrd"))
        seen = peek_image(tmp_path / "a.nrrd")
        assert seen is not None
        assert (seen.surely_image, seen.shape, seen.axes, seen.dtype) == (True, (4, 5, 6), "zyx", np.float32)

    def test_labels_are_not(self, tmp_path: Path) -> None:
        data = np.zeros((4, 5, 6), np.uint8)
        data[2:] = 3
        sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / "a.nrrd"))
        seen = peek_image(tmp_path / "a.nrrd")
        assert seen is not None
        assert not seen.surely_image


class TestWritingMgh:
    @settings(max_examples=15, deadline=None)
    @given(affine=affines())
    def test_any_place(self, affine: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("mgh") / "a.mgz"
        volume = Volume(DATA, affine)
        write(volume, path)
        back = read(path)
        assert np.array_equal(back.data, DATA)
        moved = geometry.corners(back.affine, DATA.shape) - geometry.corners(affine, DATA.shape)
        assert np.abs(moved).max() < 1e-3  # the header has 32 bits
        seen = nib.load(path)
        assert np.array_equal(np.asarray(seen.dataobj).T, DATA)
        assert np.allclose(geometry.ras_to_lps(seen.affine), back.affine, atol=1e-4)

    @pytest.mark.parametrize(
        ("dtype", "written"),
        [
            (bool, "uint8"),
            (np.uint8, "uint8"),
            (np.int8, "int16"),
            (np.uint16, "int32"),
            (np.int64, "int32"),
            (np.float16, "float32"),
            (np.float64, "float32"),
        ],
    )
    def test_types(self, dtype: type, written: str, tmp_path: Path) -> None:
        data = (np.arange(24).reshape(2, 3, 4) % (2 if dtype is bool else 100)).astype(dtype)
        for name in ("a.mgz", "b.mgh"):
            write(Volume(data, np.eye(4)), tmp_path / name)
            stored = read(tmp_path / name).data
            assert np.array_equal(stored, data)
            assert str(np.asarray(nib.load(tmp_path / name).dataobj).dtype.newbyteorder("=")) == written

    def test_times(self, tmp_path: Path) -> None:
        data = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4)
        write(Volume(data, np.eye(4)), tmp_path / "a.mgz")
        assert np.array_equal(read(tmp_path / "a.mgz").data, data)

    @pytest.mark.parametrize("name", ["a.mgz", "a.mgh"])
    def test_one_time_is_no_series(self, name: str, tmp_path: Path) -> None:
        data = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
        write(Volume(data, np.eye(4), "tzyx"), tmp_path / name)
        back = read(tmp_path / name)
        assert back.axes == "zyx"
        assert np.array_equal(back.data, data[0])

    @pytest.mark.parametrize(
        ("data", "axes", "said"),
        [
            (np.full((2, 3, 4), 0.1), "zyx", "float64 that float32"),
            (np.full((2, 3, 4), 2**31), "zyx", "int64 that int32"),
            (np.zeros((3, 2, 3, 4), np.uint8), "czyx", "no channels"),
        ],
    )
    def test_what_it_does_not_hold(self, data: np.ndarray, axes: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=said):
            write(Volume(data, np.eye(4), axes), tmp_path / "a.mgz")
        assert list(tmp_path.iterdir()) == []


class TestColour:
    @pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nii.gz"])
    @pytest.mark.parametrize("colour", ["RGB", "RGBA"])
    def test_stays_colour(self, name: str, colour: str, tmp_path: Path) -> None:
        data = np.random.default_rng(1).integers(0, 256, (len(colour), 2, 3, 4)).astype(np.uint8)
        write(Volume(data, np.eye(4), "czyx", meta={"colour": colour}), tmp_path / name)
        back = read(tmp_path / name)
        assert (back.axes, back.meta["colour"]) == ("czyx", colour)
        assert np.array_equal(back.data, data)
        write(Volume(data, np.eye(4), "czyx"), tmp_path / f"plain_{name}")
        assert "colour" not in read(tmp_path / f"plain_{name}").meta


class TestLabelsInTime:
    def test_nifti_says_what_they_are(self, tmp_path: Path) -> None:
        data = np.zeros((3, 4, 5, 6), np.uint8)
        data[1, 1:3, 2, 2:4], data[2, 0] = 1, 2
        labels = LabelSet((Label(1, "node", (1, 2, 3)), Label(2, "cyst", (4, 5, 6))))
        write(LabelMap(data, np.eye(4), labels=labels), tmp_path / "a.nii.gz")
        back = read(tmp_path / "a.nii.gz")
        assert isinstance(back, LabelMap)
        assert (back.axes, back.labels) == ("tzyx", labels)
        assert np.array_equal(back.data, data)
        (entry,) = find_images(tmp_path / "a.nii.gz")
        assert (entry.kind, entry.description) == ("labels", "node, cyst")

    def test_where_they_cannot_be_written(self, tmp_path: Path) -> None:
        labels = LabelMap(np.ones((3, 4, 5, 6), np.uint8), np.eye(4))
        with pytest.raises(InputError):
            write(labels, tmp_path / "b.seg.nrrd")
        assert list(tmp_path.iterdir()) == []

    def test_an_image_in_time_is_none(self, tmp_path: Path) -> None:
        write(Volume(np.zeros((3, 4, 5, 6), np.uint8), np.eye(4)), tmp_path / "a_seg.nii.gz")
        assert not isinstance(read(tmp_path / "a_seg.nii.gz"), LabelMap)
