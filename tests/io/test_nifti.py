from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.nifti import is_nifti, read_nifti, write_nifti
from napari_resmed.io.provenance import write_provenance
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, affines, axis_order_name, make_affine, world

CORNER_MM = 1e-4  # what the design promises over a volume's corners
BRAIN = LabelSet(
    (
        Label(2, "white matter & <core>", (12, 34, 56), Code("SCT", "68523003", "Cerebral white matter")),
        Label(300, "Großhirnrinde", (255, 0, 127)),
    )
)


def moved_mm(a: Volume, b: Volume) -> float:
    """How far the farthest corner of one grid lies from the other's."""
    return float(np.abs(geometry.corners(a.affine, a.shape) - geometry.corners(b.affine, b.shape)).max())


def assert_same(back: Volume, volume: Volume) -> None:
    assert back.axes == volume.axes
    assert back.data.dtype == volume.data.dtype
    assert np.array_equal(back.data, volume.data, equal_nan=volume.data.dtype.kind == "f")
    assert moved_mm(back, volume) < CORNER_MM


def speckle(shape: tuple[int, ...], dtype: str = "i2") -> np.ndarray:
    """Voxels that no one takes for labels: every one another value."""
    return np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape).astype(dtype)


def save(path: Path, image: nib.Nifti1Image) -> Path:
    nib.save(image, path)
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
    def test_every_axis_order(self, case: tuple, tmp_path: Path) -> None:
        affine = make_affine(*case, spacing_mm=(3.3, 0.7, 1.1), origin_mm=(-123.4, 56.7, 300.1))
        volume = Volume(speckle((4, 5, 6)), affine)
        write_nifti(volume, tmp_path / "a.nii")
        assert_same(read_nifti(tmp_path / "a.nii"), volume)

    @settings(max_examples=60)
    @given(affine=affines(), suffix=st.sampled_from([".nii", ".nii.gz"]))
    def test_every_oblique_and_sheared_grid(self, affine: geometry.Affine, suffix: str, tmp_path_factory) -> None:
        folder = tmp_path_factory.mktemp("a")
        # A hundred voxels along an axis: what float32 in the header loses grows with the distance. Written from
        # one value, so that the file is small.
        volume = Volume(np.broadcast_to(np.float32(0.5), (100, 2, 100)), affine)
        write_nifti(volume, folder / f"a{suffix}")
        back = read_nifti(folder / f"a{suffix}")
        assert_same(back, volume)
        assert back.meta["warnings"] == []

    @pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
    @pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 3.0), (3.0, 0.7, 1.3)])
    def test_a_half_turn_is_one_for_both_forms(self, case: tuple, spacing_mm: tuple, tmp_path: Path) -> None:
        """What float32 leaves of a quaternion's zero must not turn a long volume."""
        volume = Volume(np.broadcast_to(np.float32(0.5), (400, 2, 400)), make_affine(*case, spacing_mm=spacing_mm))
        write_nifti(volume, tmp_path / "a.nii")
        assert nib.load(tmp_path / "a.nii").header["qform_code"] > 0
        assert read_nifti(tmp_path / "a.nii").meta["warnings"] == []

    @settings(max_examples=60)
    @given(affine=affines())
    def test_other_readers_see_the_same_world(self, affine: geometry.Affine, tmp_path_factory) -> None:
        path = tmp_path_factory.mktemp("a") / "a.nii"
        write_nifti(Volume(speckle((3, 4, 5)), affine), path)
        image = nib.load(path)
        ijk = np.array([2, 1, 0])  # array index (0, 1, 2)
        right, anterior, superior = image.affine[:3, :3] @ ijk + image.affine[:3, 3]
        assert np.allclose([-right, -anterior, superior], world(affine, np.array([[0, 1, 2]]))[0], atol=1e-3)
        assert image.get_fdata()[tuple(ijk)] == speckle((3, 4, 5))[0, 1, 2]
        # Where there is a qform it says the same; a sheared grid has none rather than a wrong one.
        if image.header["qform_code"]:
            far = np.array([4, 3, 2, 1])  # the last voxel, in the file's order
            assert np.abs((image.get_qform() - image.affine) @ far).max() <= 0.1

    def test_a_sheared_grid_has_no_qform(self, tmp_path: Path) -> None:
        write_nifti(Volume(speckle((3, 4, 5)), make_affine(shear=(0.3, 0, 0))), tmp_path / "a.nii")
        header = nib.load(tmp_path / "a.nii").header
        assert int(header["qform_code"]) == 0
        assert int(header["sform_code"]) == 1

    @pytest.mark.parametrize(
        "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">i2", ">f4", ">u4", "<i2"]
    )
    def test_every_type_of_voxel(self, dtype: str, tmp_path: Path) -> None:
        kind = np.dtype(dtype)
        if kind.kind == "f":
            data = np.array([np.finfo(kind).min, -0.1, 0, np.pi, np.finfo(kind).max, 1e-30], kind)
        else:
            data = np.array([np.iinfo(kind).min, 1, 3, 7, 11, np.iinfo(kind).max], kind)
        volume = Volume(np.tile(data, (2, 3, 1)), make_affine())
        write_nifti(volume, tmp_path / "a.nii.gz")
        back = read_nifti(tmp_path / "a.nii.gz")
        assert back.data.dtype == kind.newbyteorder("=")
        assert np.array_equal(back.data, volume.data)

    @pytest.mark.parametrize(("dtype", "stored"), [("f2", "f4"), ("?", "u1")])
    def test_what_nifti_has_no_type_for_gets_the_next_larger(self, dtype: str, stored: str, tmp_path: Path) -> None:
        data = (speckle((3, 4, 5)) / 8).astype(dtype)
        write_nifti(Volume(data, make_affine()), tmp_path / "a.nii")
        back = read_nifti(tmp_path / "a.nii")
        assert back.data.dtype == np.dtype(stored)
        assert np.array_equal(back.data, data)

    @pytest.mark.parametrize(
        ("shape", "axes"),
        [((3, 4, 5, 6), "tzyx"), ((3, 4, 5, 6), "czyx"), ((2, 3, 4, 5, 6), "tczyx"), ((1, 4, 5), "zyx")],
    )
    def test_time_and_channels(self, shape: tuple[int, ...], axes: str, tmp_path: Path) -> None:
        volume = Volume(speckle(shape), make_affine((0, 1, 2), (-1, 1, 1), spacing_mm=(2, 3, 4)), axes)
        write_nifti(volume, tmp_path / "a.nii.gz")
        assert_same(read_nifti(tmp_path / "a.nii.gz"), volume)

    @pytest.mark.parametrize(
        ("unit", "stored", "seconds"), [("sec", 2.5, 2.5), ("msec", 2500, 2.5), ("usec", 500, 5e-4)]
    )
    def test_the_time_between_frames(self, unit: str, stored: float, seconds: float, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5, 6)), np.eye(4))
        image.header.set_xyzt_units("mm", unit)
        image.header.set_zooms((1, 1, 1, stored))
        volume = read_nifti(save(tmp_path / "a.nii", image))
        assert volume.meta["time_step_s"] == pytest.approx(seconds)
        write_nifti(volume, tmp_path / "b.nii")
        assert read_nifti(tmp_path / "b.nii").meta["time_step_s"] == pytest.approx(seconds)
        assert nib.load(tmp_path / "b.nii").header.get_xyzt_units() == ("mm", "sec")

    def test_nan_and_infinity_are_voxels(self, tmp_path: Path) -> None:
        data = speckle((3, 4, 5), "f4")
        data[0, 0, :3] = np.nan, np.inf, -np.inf
        volume = Volume(data, make_affine())
        write_nifti(volume, tmp_path / "a.nii.gz")
        assert_same(read_nifti(tmp_path / "a.nii.gz"), volume)

    def test_views_are_written_as_they_look(self, tmp_path: Path) -> None:
        data = speckle((4, 5, 6))[::-1, :, ::2].transpose(2, 0, 1)
        volume = Volume(data, make_affine())
        write_nifti(volume, tmp_path / "a.nii")
        assert_same(read_nifti(tmp_path / "a.nii"), volume)

    def test_a_dimension_beyond_nifti_1(self, tmp_path: Path) -> None:
        volume = Volume(speckle((1, 2, 40_000), "i4"), make_affine(spacing_mm=(1, 1, 0.01)))
        write_nifti(volume, tmp_path / "a.nii.gz")
        assert_same(read_nifti(tmp_path / "a.nii.gz"), volume)
        assert isinstance(nib.load(tmp_path / "a.nii.gz"), nib.Nifti2Image)

    def test_the_coordinate_system_keeps_its_name(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.set_sform(np.eye(4), 4)  # MNI152
        volume = read_nifti(save(tmp_path / "a.nii", image))
        write_nifti(volume, tmp_path / "b.nii")
        assert int(nib.load(tmp_path / "b.nii").header["sform_code"]) == 4

    def test_the_volume_is_not_changed(self, tmp_path: Path) -> None:
        data = speckle((3, 4, 5))
        data.setflags(write=False)
        before = data.copy()
        write_nifti(Volume(data, make_affine()), tmp_path / "a.nii")
        assert np.array_equal(data, before)

    @pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII.GZ"])
    def test_the_same_file_can_be_written_over(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"a{suffix}"
        write_nifti(Volume(speckle((3, 4, 5)), make_affine()), path)
        first = read_nifti(path)
        write_nifti(first.with_data(first.data[::-1]), path)
        assert np.array_equal(read_nifti(path).data, speckle((3, 4, 5))[::-1])
        assert np.array_equal(first.data, speckle((3, 4, 5)))
        assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.fixture(scope="module")
def volumes(shared_data: Path) -> dict[str, Volume]:
    return {path.name[:3]: read_nifti(path) for path in sorted((shared_data / "nifti/axis_orders").glob("*.nii.gz"))}


class TestAxisOrders:
    """One picture in 24 axis orders."""

    def test_all_are_there(self, volumes: dict[str, Volume]) -> None:
        assert len(volumes) == 24

    def test_each_is_stored_as_its_name_says(self, volumes: dict[str, Volume]) -> None:
        # The names give, x first, the side an axis grows towards.
        for name, volume in volumes.items():
            assert volume.orientation == name[::-1]

    def test_the_intensity_slope_is_applied(self, volumes: dict[str, Volume], shared_data: Path) -> None:
        stored = nib.load(shared_data / "nifti/axis_orders/RAS.nii.gz").dataobj
        expected = np.asarray(stored.get_unscaled()) * np.float64(stored.slope) + stored.inter
        assert stored.slope == pytest.approx(0.363, abs=1e-3)
        assert np.allclose(volumes["RAS"].data, expected.transpose(2, 1, 0), rtol=1e-6)

    def test_one_world_picture(self, volumes: dict[str, Volume]) -> None:
        first = volumes["RAS"]
        order = geometry.canonical_order(first.affine)
        picture, place = order.apply(first.data), order.apply_to_affine(first.affine, first.shape)
        for name, volume in volumes.items():
            order = geometry.canonical_order(volume.affine)
            turned = Volume(order.apply(volume.data), order.apply_to_affine(volume.affine, volume.shape))
            assert np.array_equal(turned.data, picture), name
            # The files' affines are float32: six digits of some 100 mm.
            assert (
                np.abs(geometry.corners(turned.affine, turned.shape) - geometry.corners(place, picture.shape)).max()
                < 1e-4
            )

    def test_each_survives_writing(self, volumes: dict[str, Volume], tmp_path: Path) -> None:
        for volume in volumes.values():
            write_nifti(volume, tmp_path / "a.nii")
            assert_same(read_nifti(tmp_path / "a.nii"), volume)


class TestOddFiles:
    @pytest.fixture
    def odd(self, shared_data: Path) -> Path:
        return shared_data / "nifti/odd"

    def test_byte_orders_agree(self, odd: Path) -> None:
        big, little = read_nifti(odd / "big.nii.gz"), read_nifti(odd / "little.nii.gz")
        assert big.data.dtype == little.data.dtype
        assert big.data.dtype.isnative
        assert np.array_equal(big.data, little.data)
        assert moved_mm(big, little) < CORNER_MM

    def test_nifti_2_holds_the_same_as_nifti_1(self, odd: Path) -> None:
        one, two = read_nifti(odd / "avg152T1_LR_nifti.nii.gz"), read_nifti(odd / "avg152T1_LR_nifti2.nii.gz")
        plain = read_nifti(odd / "avg152T1_LR_nifti.nii")
        assert np.array_equal(one.data, two.data)
        assert np.array_equal(one.data, plain.data)
        assert moved_mm(one, two) < CORNER_MM

    def test_five_dimensions(self, odd: Path) -> None:
        small = read_nifti(odd / "5D_small.nii")
        stored = nib.load(odd / "5D_small.nii")
        x, y, z, times, channels = stored.shape
        assert (small.axes, small.shape) == ("czyx", (channels, z, y, x))
        assert times == 1
        assert np.array_equal(small.data, np.asarray(stored.dataobj, np.float32)[:, :, :, 0].transpose(3, 2, 1, 0))

    def test_a_shear_is_kept(self, odd: Path, tmp_path: Path) -> None:
        sheared = read_nifti(odd / "shear.nii.gz")
        assert geometry.shear_cosine(sheared.affine) > 0.01
        write_nifti(sheared, tmp_path / "a.nii.gz")
        assert_same(read_nifti(tmp_path / "a.nii.gz"), sheared)

    def test_a_coloured_vector_map(self, odd: Path) -> None:
        vectors = read_nifti(odd / "V1.nii.gz")
        stored = nib.load(odd / "V1.nii.gz")
        assert vectors.grid_shape == stored.shape[2::-1]
        assert not isinstance(vectors, LabelMap)

    def test_header_extensions_do_no_harm(self, odd: Path) -> None:
        volume = read_nifti(odd / "with_extension.nii.gz")
        assert np.array_equal(volume.data, np.asarray(nib.load(odd / "with_extension.nii.gz").dataobj)[..., 0].T)

    def test_a_file_that_is_no_nifti(self, odd: Path) -> None:
        with pytest.raises(InputError, match=r"not-nifti\.nii is not a NIfTI image, though its name says so"):
            read_nifti(odd / "not-nifti.nii")

    def test_all_others_survive_writing(self, odd: Path, tmp_path: Path) -> None:
        for path in sorted(odd.iterdir()):
            if path.name != "not-nifti.nii":
                volume = read_nifti(path)
                write_nifti(volume, tmp_path / "a.nii.gz")
                assert_same(read_nifti(tmp_path / "a.nii.gz"), volume)


class TestDamage:
    @pytest.fixture
    def whole(self, tmp_path: Path) -> Path:
        path = tmp_path / "scan.nii.gz"
        data = np.random.default_rng(0).integers(0, 2000, (20, 20, 20)).astype(np.int16)
        write_nifti(Volume(data, make_affine()), path)
        return path

    @pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.95, 0.999])
    def test_a_cut_off_gz(self, whole: Path, share: float) -> None:
        content = whole.read_bytes()
        whole.write_bytes(content[: int(share * len(content))])
        with pytest.raises(
            InputError, match=r"scan\.nii\.gz is truncated or damaged|is not a NIfTI image|cannot be read"
        ):
            read_nifti(whole)

    @pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.999])
    def test_a_cut_off_plain_file(self, whole: Path, share: float) -> None:
        plain = whole.with_name("scan.nii")
        content = gzip.decompress(whole.read_bytes())
        plain.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"scan\.nii (is truncated or damaged|is not a NIfTI image)"):
            read_nifti(plain)

    @pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 400, b"<html>" * 100])
    @pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
    def test_not_an_image(self, content: bytes, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"page{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"page\.nii.* is (not a NIfTI image|truncated or damaged)|cannot be read"):
            read_nifti(path)

    def test_an_absent_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            read_nifti(tmp_path / "none.nii")

    def test_a_header_without_its_voxels(self, whole: Path, tmp_path: Path) -> None:
        nib.save(nib.Nifti1Pair(np.zeros((3, 4, 5), np.uint8), np.eye(4)), tmp_path / "pair.img")
        assert read_nifti(tmp_path / "pair.hdr").shape == (5, 4, 3)
        (tmp_path / "pair.img").unlink()
        with pytest.raises(InputError, match=r"pair\.hdr"):
            read_nifti(tmp_path / "pair.hdr")

    def test_analyze_does_not_say_where_left_is(self, tmp_path: Path) -> None:
        nib.save(nib.AnalyzeImage(speckle((3, 4, 5)), np.eye(4)), tmp_path / "old.img")
        with pytest.raises(InputError, match=r"old\.hdr is Analyze 7\.5 rather than NIfTI"):
            read_nifti(tmp_path / "old.hdr")

    def test_complex_numbers(self, tmp_path: Path) -> None:
        path = save(tmp_path / "k.nii", nib.Nifti1Image(np.ones((3, 4, 5), np.complex64), np.eye(4)))
        with pytest.raises(InputError, match="complex numbers, expected real ones; save its magnitude"):
            read_nifti(path)

    def test_no_voxels(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.nii", nib.Nifti1Image(np.ones((3, 0, 5), np.uint8), np.eye(4)))
        with pytest.raises(InputError, match="holds no voxels"):
            read_nifti(path)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_no_place(self, bad: float, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.header["srow_x"][3] = bad
        image.header["sform_code"] = 1
        content = bytearray(image.to_bytes())
        content[280 + 12 : 280 + 16] = np.float32(bad).tobytes()  # srow_x[3]
        path = tmp_path / "a.nii"
        path.write_bytes(bytes(content))
        with pytest.raises(InputError, match=r"a\.nii: the affine holds NaN or infinity"):
            read_nifti(path)

    def test_a_lie_about_its_size(self, tmp_path: Path) -> None:
        content = bytearray(nib.Nifti1Image(np.zeros((3, 4, 5), np.float64), np.eye(4)).to_bytes())
        content[42:48] = np.array([32767] * 3, np.int16).tobytes()  # dim[1..3]: 281 TB
        for path in (tmp_path / "a.nii", tmp_path / "a.nii.gz"):
            path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
            with pytest.raises(InputError, match=r"a\.nii"):
                read_nifti(path)

    @pytest.mark.parametrize(("offset", "value"), [(123, 5), (123, 7), (252, 99), (254, 99), (68, 9999)])
    def test_codes_the_standard_does_not_know(self, offset: int, value: int, tmp_path: Path) -> None:
        # Units, qform, sform, intent: such a code says nothing, and the voxels are good.
        content = bytearray(nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4)).to_bytes())
        content[offset : offset + (1 if offset == 123 else 2)] = int(value).to_bytes(
            1 if offset == 123 else 2, "little"
        )
        path = tmp_path / "a.nii"
        path.write_bytes(bytes(content))
        volume = read_nifti(path)
        assert np.array_equal(volume.data, speckle((3, 4, 5)).T)
        write_nifti(volume, tmp_path / "b.nii")
        assert np.array_equal(read_nifti(tmp_path / "b.nii").data, volume.data)

    @pytest.mark.parametrize("code", [0, 2, 4, 6, 30, 44])
    def test_a_broken_header_extension(self, code: int, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.header.extensions.append(nib.nifti1.Nifti1Extension(4, b"\xff<CaretExtension \xfe broken"))
        content = bytearray(image.to_bytes())
        content[356:360] = code.to_bytes(4, "little")  # the extension's ecode, after its esize
        path = tmp_path / "a.nii"
        path.write_bytes(bytes(content))
        assert np.array_equal(read_nifti(path).data, speckle((3, 4, 5)).T)


class TestUnitsAndForms:
    @pytest.mark.parametrize(("unit", "mm"), [("meter", 1000), ("mm", 1), ("micron", 0.001), ("unknown", 1)])
    def test_lengths_become_mm(self, unit: str, mm: float, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.diag([2, 3, 4, 1]))
        image.header.set_xyzt_units(unit)
        volume = read_nifti(save(tmp_path / "a.nii", image))
        assert volume.spacing_mm == pytest.approx((4 * mm, 3 * mm, 2 * mm))
        write_nifti(volume, tmp_path / "b.nii")
        assert read_nifti(tmp_path / "b.nii").spacing_mm == pytest.approx(volume.spacing_mm)

    def test_forms_that_contradict_each_other(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.set_qform(np.diag([-1, 1, 1, 1]), 1)
        image.set_sform(np.diag([1, 1, 1, 1]), 1)
        volume = read_nifti(save(tmp_path / "a.nii", image))
        (note,) = volume.meta["warnings"]
        assert note == "sform and qform differ by up to 4.0 mm; the sform was taken"
        assert np.array_equal(volume.affine, geometry.ras_to_lps(np.eye(4)))

    def test_the_qform_alone(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), None)
        affine = np.array([[0, -2, 0, 10], [1, 0, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
        image.set_qform(affine, 1)
        image.set_sform(None, 0)
        volume = read_nifti(save(tmp_path / "a.nii", image))
        assert np.allclose(volume.affine, geometry.ras_to_lps(affine), atol=1e-5)
        assert volume.meta["warnings"] == []

    def test_scaled_integers_lose_nothing_that_was_stored(self, tmp_path: Path) -> None:
        # 32-bit numbers with a slope: float32 would round neighbours together.
        stored = np.array([2**30, 2**30 + 1, 2**30 + 2], np.int32).reshape(3, 1, 1)
        image = nib.Nifti1Image(stored, np.eye(4))
        content = bytearray(image.to_bytes())
        content[112:120] = np.array([2.0, 0.0], np.float32).tobytes()  # scl_slope, scl_inter
        path = tmp_path / "a.nii"
        path.write_bytes(bytes(content))
        assert read_nifti(path).data.ravel().tolist() == [2.0**31, 2.0**31 + 2, 2.0**31 + 4]

    def test_neither_form_is_said(self, tmp_path: Path) -> None:
        content = bytearray(nib.Nifti1Image(speckle((3, 4, 5)), np.diag([2, 3, 4, 1])).to_bytes())
        content[252:256] = bytes(4)  # qform_code, sform_code
        (tmp_path / "a.nii").write_bytes(bytes(content))
        volume = read_nifti(tmp_path / "a.nii")
        assert "gives no place in the patient" in volume.meta["warnings"][0]
        assert volume.spacing_mm == (4, 3, 2)
        assert np.allclose(volume.affine, geometry.ras_to_lps(nib.load(tmp_path / "a.nii").affine))

    def test_an_unusable_sform_beside_a_good_qform(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.set_qform(np.diag([2, 3, 4, 1]), 1)
        content = bytearray(image.to_bytes())
        content[280:328] = bytes(48)  # srow_x, srow_y, srow_z
        (tmp_path / "a.nii").write_bytes(bytes(content))
        volume = read_nifti(tmp_path / "a.nii")
        assert volume.meta["warnings"] == ["the sform is unreadable; the qform was taken"]
        assert volume.spacing_mm == (4, 3, 2)

    def test_voxel_sizes_that_contradict_the_sform(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4))
        image.set_qform(None, 0)
        image.header["pixdim"][1:4] = 1, 1, 2
        content = image.to_bytes()
        content = content[:76] + np.array([1, 1, 1, 2], "<f4").tobytes() + content[92:]
        (tmp_path / "a.nii").write_bytes(content)
        (note,) = read_nifti(tmp_path / "a.nii").meta["warnings"]
        assert note == "the header says voxels of 1 x 1 x 2 mm, its sform 1 x 1 x 1 mm; the sform was taken"

    @pytest.mark.parametrize(("origin", "edge", "said"), [(20_000, 1, "20 m away"), (0, 800, "voxels of 800 mm")])
    def test_an_odd_place_is_said(self, origin: float, edge: float, said: str, tmp_path: Path) -> None:
        affine = np.diag([edge, edge, edge, 1.0])
        affine[0, 3] = origin
        volume = read_nifti(save(tmp_path / "a.nii", nib.Nifti1Image(speckle((3, 4, 5)), affine)))
        assert said in volume.meta["warnings"][0]

    @pytest.mark.parametrize(("slope", "intercept"), [(0, 5), (np.nan, 0), (np.inf, 0), (2, np.nan)])
    def test_a_scaling_that_says_nothing(self, slope: float, intercept: float, tmp_path: Path) -> None:
        content = bytearray(nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4)).to_bytes())
        content[112:120] = np.array([slope, intercept], np.float32).tobytes()
        (tmp_path / "a.nii").write_bytes(bytes(content))
        volume = read_nifti(tmp_path / "a.nii")
        assert volume.data.dtype == np.int16
        assert np.array_equal(volume.data, speckle((3, 4, 5)).T)


class TestNames:
    def test_compressed_is_told_by_content(self, tmp_path: Path) -> None:
        write_nifti(Volume(speckle((3, 4, 5)), make_affine()), tmp_path / "a.nii.gz")
        write_nifti(Volume(speckle((3, 4, 5)), make_affine()), tmp_path / "b.nii")
        (tmp_path / "a.nii.gz").rename(tmp_path / "c.nii")
        (tmp_path / "b.nii").rename(tmp_path / "d.nii.gz")
        for name, note in (("c.nii", "not compressed, but it is"), ("d.nii.gz", "compressed, but not")):
            volume = read_nifti(tmp_path / name)
            assert np.array_equal(volume.data, speckle((3, 4, 5)))
            assert note in volume.meta["warnings"][0]

    @pytest.mark.parametrize("ending", ["", ".gz"])
    @pytest.mark.parametrize("half", [".hdr", ".img"])
    def test_pairs(self, ending: str, half: str, tmp_path: Path) -> None:
        nib.save(nib.Nifti1Pair(speckle((3, 4, 5)), np.diag([2, 3, 4, 1])), tmp_path / f"a.img{ending}")
        volume = read_nifti(tmp_path / f"a{half}{ending}")
        assert np.array_equal(volume.data, speckle((3, 4, 5)).T)
        assert volume.spacing_mm == (4, 3, 2)

    def test_the_same_image_is_the_same_file(self, tmp_path: Path) -> None:
        for name in ("a.nii.gz", "b.nii.gz"):
            write_nifti(Volume(speckle((3, 4, 5)), make_affine()), tmp_path / name)
        assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


class TestFound:
    """What damaged files showed; `python -m benchmarks hostile` makes thousands more."""

    @pytest.fixture
    def content(self) -> bytearray:
        return bytearray(nib.Nifti1Image(speckle((3, 4, 5)), np.eye(4)).to_bytes())

    @pytest.mark.parametrize(
        ("offset", "value", "reason"),
        [
            (40, b"\x03\x00\x03\x00\x04\x00\x04\x00", "holds more than its header says"),  # dim: 5 became 4
            (40, b"\x03\x00\x03\x00\x04\x00\x06\x00", "truncated or damaged"),
            (40, b"\x09\x00", "9 dimensions"),
            (40, b"\x03\x00\xff\xff", "holds no voxels"),
            (70, b"\x02\x00", "16 bits a voxel and a type of 8 bits"),
            (70, b"\x01\x00", "unknown type 1"),
            (108, np.float32(400.5).tobytes(), "expected a whole number"),
            (108, np.float32(100).tobytes(), "inside the header"),
            (108, np.float32(1e9).tobytes(), "truncated or damaged"),
            (280, np.float32(1e30).tobytes(), "no place in a patient"),
        ],
    )
    def test_headers_that_cannot_be(
        self, offset: int, value: bytes, reason: str, content: bytearray, tmp_path: Path
    ) -> None:
        content[offset : offset + len(value)] = value
        for path in (tmp_path / "a.nii", tmp_path / "a.nii.gz"):
            path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
            with pytest.raises(InputError, match=reason):
                read_nifti(path)

    def test_bytes_put_in_are_said(self, content: bytearray, tmp_path: Path) -> None:
        (tmp_path / "a.nii").write_bytes(bytes(content[:360] + b"\0\0" + content[360:]))
        assert "2 bytes too many follow the voxels" in read_nifti(tmp_path / "a.nii").meta["warnings"][0]

    @pytest.mark.parametrize("place", [40, -8, -1])
    def test_a_flipped_bit_in_a_compressed_file(self, place: int, content: bytearray, tmp_path: Path) -> None:
        packed = bytearray(gzip.compress(bytes(content)))
        packed[place] ^= 4
        (tmp_path / "a.nii.gz").write_bytes(bytes(packed))
        with pytest.raises(InputError, match=r"a\.nii\.gz is "):
            read_nifti(tmp_path / "a.nii.gz")

    def test_a_bomb_behind_the_voxels(self, content: bytearray, tmp_path: Path) -> None:
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(content) + bytes(1 << 27), 1))
        with pytest.raises(InputError, match="holds more than its header says"):
            read_nifti(tmp_path / "a.nii.gz")


class TestDimensions:
    @pytest.mark.parametrize(
        ("stored", "axes", "shape"),
        [
            ((5, 4), "zyx", (1, 4, 5)),
            ((5,), "zyx", (1, 1, 5)),
            ((5, 4, 3, 1), "zyx", (3, 4, 5)),
            ((5, 4, 3, 2), "tzyx", (2, 3, 4, 5)),
            ((5, 4, 3, 1, 2), "czyx", (2, 3, 4, 5)),
            ((5, 4, 3, 2, 3), "tczyx", (2, 3, 3, 4, 5)),
            ((5, 4, 3, 2, 3, 1), "tczyx", (2, 3, 3, 4, 5)),
        ],
    )
    def test_become_ours(self, stored: tuple, axes: str, shape: tuple, tmp_path: Path) -> None:
        data = np.arange(np.prod(stored), dtype=np.int16).reshape(stored)
        volume = read_nifti(save(tmp_path / "a.nii", nib.Nifti1Image(data, np.eye(4))))
        assert (volume.axes, volume.shape) == (axes, shape)
        assert volume.data.flat[-1] == data.flat[-1]

    def test_six_are_too_many(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.nii", nib.Nifti1Image(np.zeros((2,) * 6, np.uint8), np.eye(4)))
        with pytest.raises(InputError, match=r"6 dimensions .* at most 5"):
            read_nifti(path)

    @pytest.mark.parametrize("kind", ["c8", "c16"])
    def test_the_magnitude_of_complex_numbers(self, kind: str, tmp_path: Path) -> None:
        data = (np.array([3, -4, 0, 0.5]) * 1j).reshape(2, 2, 1).astype(kind)
        path = save(tmp_path / "a.nii", nib.Nifti1Image(data, np.eye(4)))
        volume = read_nifti(path, magnitude=True)
        assert volume.data.dtype == (np.float32 if kind == "c8" else np.float64)
        assert np.array_equal(volume.data, np.abs(data).T)
        assert volume.meta["part"] == "magnitude"

    def test_vectors_along_the_fourth_dimension(self, shared_data: Path) -> None:
        # FSL's direction maps: the intent says vector, and there is no time.
        assert read_nifti(shared_data / "nifti/odd/V1.nii.gz").axes == "czyx"

    @pytest.mark.parametrize("colour", ["RGB", "RGBA"])
    def test_colour_is_written_as_colour(self, colour: str, tmp_path: Path) -> None:
        data = np.random.default_rng(0).integers(0, 255, (len(colour), 3, 4, 5)).astype(np.uint8)
        volume = Volume(data, make_affine(), "czyx", meta={"colour": colour})
        write_nifti(volume, tmp_path / "a.nii.gz")
        back = read_nifti(tmp_path / "a.nii.gz")
        assert_same(back, volume)
        assert back.meta["colour"] == colour

    @pytest.mark.parametrize("channels", ["RGB", "RGBA"])
    @pytest.mark.parametrize("flat", [False, True])
    def test_colour_becomes_channels(self, channels: str, flat: bool, tmp_path: Path) -> None:
        shape = (5, 4) if flat else (5, 4, 3)
        colour = np.zeros(shape, [(name, "u1") for name in channels])
        for number, name in enumerate(channels):
            colour[name] = np.arange(np.prod(shape)).reshape(shape) + number
        volume = read_nifti(save(tmp_path / "a.nii", nib.Nifti1Image(colour, np.eye(4))))
        assert (volume.axes, volume.channels) == ("czyx", len(channels))
        for number, name in enumerate(channels):
            assert np.array_equal(volume.data[number].squeeze(), colour[name].T)


class TestLabels:
    def labels(self) -> LabelMap:
        data = np.zeros((6, 6, 6), np.uint16)
        data[1:4], data[4:] = 2, 300
        return LabelMap(data, make_affine(), labels=BRAIN)

    def test_names_and_colours_travel_in_the_file(self, tmp_path: Path) -> None:
        write_nifti(self.labels(), tmp_path / "a.nii.gz")
        back = read_nifti(tmp_path / "a.nii.gz")
        assert isinstance(back, LabelMap)
        assert [(label.value, label.name, label.colour) for label in back.labels] == [
            (label.value, label.name, label.colour) for label in BRAIN
        ]
        assert back.data.dtype == np.uint16

    def test_codes_travel_beside_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.nii.gz"
        write_nifti(self.labels(), path)
        write_provenance(path, self.labels())
        assert read_nifti(path).labels == BRAIN

    def test_a_note_left_from_another_map_does_not_rename(self, tmp_path: Path) -> None:
        path = tmp_path / "a.nii.gz"
        write_provenance(path, self.labels())
        other = LabelSet((Label(2, "liver", (1, 2, 3)), Label(300, "spleen", (4, 5, 6))))
        write_nifti(LabelMap(self.labels().data, make_affine(), labels=other), path)
        assert read_nifti(path).labels == other

    def test_even_an_empty_map_with_names_is_one(self, tmp_path: Path) -> None:
        empty = LabelMap(np.zeros((4, 4, 4), np.uint8), make_affine(), labels=BRAIN)
        write_nifti(empty, tmp_path / "a.nii.gz")
        back = read_nifti(tmp_path / "a.nii.gz")
        assert isinstance(back, LabelMap)
        assert back.labels.values == (2, 300)

    def test_a_map_without_names_gets_plain_ones(self, tmp_path: Path) -> None:
        write_nifti(LabelMap(self.labels().data, make_affine()), tmp_path / "a.nii.gz")
        assert [label.name for label in read_nifti(tmp_path / "a.nii.gz").labels] == ["label 2", "label 300"]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_whole_numbers_in_a_float_file(self, dtype: type, tmp_path: Path) -> None:
        image = nib.Nifti1Image(self.labels().data.T.astype(dtype), np.eye(4))
        back = read_nifti(save(tmp_path / "a_seg.nii.gz", image))
        assert isinstance(back, LabelMap)
        assert back.data.dtype == np.uint16
        assert np.array_equal(back.data, self.labels().data)

    def test_labels_above_32767_do_not_wrap(self, tmp_path: Path) -> None:
        data = np.zeros((4, 4, 4), np.uint16)
        data[2:] = 60_000
        write_nifti(LabelMap(data, make_affine()), tmp_path / "a.nii")
        assert read_nifti(tmp_path / "a.nii").data.max() == 60_000

    def test_an_intent_that_says_labels_is_believed_unless_the_voxels_cannot_be(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5), np.eye(4))
        image.header["intent_code"] = 1002
        assert not isinstance(read_nifti(save(tmp_path / "a.nii", image)), LabelMap)

    def test_totalsegmentators_table_is_read(self, shared_data: Path) -> None:
        labels = read_nifti(shared_data / "body/example_seg.nii.gz")
        assert isinstance(labels, LabelMap)
        assert len(labels.labels) >= len(labels.counts()) > 1


class TestIsNifti:
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ", "a.hdr", "a.img", "a.img.gz"])
    def test_by_name(self, name: str) -> None:
        assert is_nifti(Path(name))

    @pytest.mark.parametrize("name", ["a.gz", "a.nrrd", "nii", "a.nii.txt", "a.tar.gz"])
    def test_others(self, name: str) -> None:
        assert not is_nifti(Path(name))


class TestQuiet:
    def test_reading_and_writing_print_no_warnings(self, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_nifti(Volume(speckle((3, 4, 5), "i8"), make_affine()), tmp_path / "a.nii.gz")
            read_nifti(tmp_path / "a.nii.gz")
