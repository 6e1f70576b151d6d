from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.io import write
from napari_resmed.io.datasets import ChannelsError, GridError, load_case
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, affines, make_affine, shapes
from tests.io.datasets.folders import image, labels, put

ONE = Dataset(())
TWO = Dataset((), channels=("T1", "FLAIR"))


def turned(volume: Volume, order: AxisOrder) -> Volume:
    """The same image stored in another order of axes."""
    return replace(volume, data=order.apply(volume.data), affine=order.apply_to_affine(volume.affine, volume.shape))


orders = st.builds(AxisOrder, st.permutations((0, 1, 2)).map(tuple), st.tuples(*[st.booleans()] * 3))


class TestOrderOfAxes:
    @given(affines(), shapes(), orders, orders)
    def test_labels_and_channels_follow_the_first_image(self, affine, shape, one, other) -> None:
        voxels = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        first = Volume(voxels + 7, affine)
        second = turned(Volume(voxels * 3, affine), one)
        painted = turned(LabelMap(voxels, affine), other)
        loaded, found = load_case(Case("a", (first, second), painted), TWO)
        assert np.array_equal(loaded.data, np.stack([voxels + 7, voxels * 3]))
        assert np.array_equal(found.data, voxels)
        assert np.array_equal(found.affine, loaded.affine)
        assert found.same_grid(loaded)

    @pytest.mark.parametrize("case", AXIS_ORDERS[::5])
    def test_complete_slices_turn_along(self, case) -> None:
        voxels = np.zeros((4, 5, 6), np.uint8)
        first = Volume(np.random.default_rng(0).random((4, 5, 6)), make_affine())
        marked = voxels.copy()
        marked[1], marked[:, 4], marked[:, :, 0] = 1, 2, 3
        order = AxisOrder(case[0], tuple(sign < 0 for sign in case[1]))
        stored = turned(LabelMap(marked, make_affine()), order)
        # Where those slices lie in the labels' own order.
        slices = []
        for axis, index in ((0, 1), (1, 4), (2, 0)):
            own = order.axes.index(axis)
            slices.append((own, marked.shape[axis] - 1 - index if order.flipped[own] else index))
        _, found = load_case(Case("a", (first,), stored, complete_slices=tuple(slices)), ONE)
        assert found.meta["complete_slices"] == [[0, 1], [1, 4], [2, 0]]

    def test_header_noise_is_no_other_grid(self) -> None:
        off = make_affine(origin_mm=(0.02, -0.05, 0.03))
        loaded, found = load_case(Case("a", (image(),), labels(1, affine=off)), ONE)
        assert np.array_equal(found.affine, loaded.affine)


class TestOtherGrids:
    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (labels(1, shape=(12, 14, 18)), r"12 x 14 x 16 voxels and 12 x 14 x 18"),
            (labels(1, affine=make_affine(spacing_mm=(2, 1, 1))), r"voxels of 1 x 1 x 1 mm and 2 x 1 x 1 mm"),
            (labels(1, affine=make_affine(signs=(-1, 1, 1))), r"axes towards SPL and IPL"),
            (labels(1, affine=make_affine(origin_mm=(0, 0.5, 0))), r"12 x 14 x 16 voxels both, but up to 0.5 mm apart"),
            (labels(1, affine=make_affine(degrees=(0, 0, 45))), r"12 x 14 x 16 voxels both, but up to .* mm apart"),
        ],
    )
    def test_labels(self, other: LabelMap, message: str) -> None:
        with pytest.raises(GridError, match=f"^its labels lie on another grid than its image .{message}.; resample"):
            load_case(Case("a", (image(),), other), ONE)

    def test_channels(self) -> None:
        coarse = image(shape=(6, 7, 8), affine=make_affine(spacing_mm=(2, 2, 2)))
        message = r"its channels T1 and FLAIR lie on different grids \(12 x 14 x 16 voxels and 6 x 7 x 8\); resample"
        with pytest.raises(GridError, match=message):
            load_case(Case("a", (image(), coarse), labels(1)), TWO)


class TestChannels:
    @pytest.mark.parametrize(
        ("images", "dataset", "message"),
        [
            ((image(),), TWO, r"it has 1 channel, expected 2 \(T1, FLAIR\)"),
            ((image(), image()), ONE, r"it has 2 channels, expected 1 \(image\)"),
            ((image(shape=(3, 12, 14, 16), axes="czyx"),), ONE, "has 3 channels, expected one"),
            ((image(shape=(3, 12, 14, 16), axes="tzyx"),), ONE, "it has 3 time points, expected one image"),
            ((image(shape=(2, 2, 12, 14, 16), axes="tczyx"),), TWO, "it has 2 time points"),
            ((image(shape=(2, 12, 14, 16), axes="czyx"), image()), TWO, "one of its images has 2 channels"),
        ],
    )
    def test_another_number(self, images: tuple[Volume, ...], dataset: Dataset, message: str) -> None:
        with pytest.raises(ChannelsError, match=message):
            load_case(Case("a", images, labels(1)), dataset)

    def test_a_channel_axis_of_one(self) -> None:
        loaded, _ = load_case(Case("a", (image(shape=(1, 12, 14, 16), axes="czyx"),), labels(1)), ONE)
        assert loaded.axes == "zyx"


class TestLabelFiles:
    def case(self, folder: Path, data: np.ndarray, dtype: str) -> Case:
        put(folder, {"a.nii.gz": image()})
        written = nib.Nifti1Image(data.T.astype(dtype), nib.load(folder / "a.nii.gz").affine)
        nib.save(written, folder / "truth.nii.gz")
        return Case("a", (folder / "a.nii.gz",), folder / "truth.nii.gz")

    @pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
    def test_whole_numbers_of_any_type(self, dtype: str, tmp_path: Path) -> None:
        # Scattered voxels do not look like labels, and are some all the same.
        scattered = np.random.default_rng(0).integers(0, 9, (12, 14, 16))
        _, found = load_case(self.case(tmp_path, scattered, dtype), ONE)
        assert isinstance(found, LabelMap)
        assert found.data.dtype.kind in "iu"
        assert np.array_equal(found.data, scattered)

    def test_all_zero(self, tmp_path: Path) -> None:
        _, found = load_case(self.case(tmp_path, np.zeros((12, 14, 16)), "u1"), ONE)
        assert not found.data.any()

    def test_nearly_whole(self, tmp_path: Path) -> None:
        _, found = load_case(self.case(tmp_path, labels(1, 2).data * 0.99999, "f4"), ONE)
        assert np.array_equal(found.data, labels(1, 2).data)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda data: data * 0.37, "its label file truth.nii.gz holds values such as 0.37, expected whole numbers"),
            (lambda data: data - 1, "its label file truth.nii.gz holds values such as -1, expected 0 or more"),
            (lambda data: np.where(data, np.nan, 0), "its label file truth.nii.gz holds NaN or infinity"),
        ],
    )
    def test_what_labels_cannot_be(self, change, message: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=f"^{message}"):
            load_case(self.case(tmp_path, change(labels(1).data.astype(float)), "f4"), ONE)
        if "-1" in message:
            with pytest.raises(InputError, match=f"^{message}"):
                load_case(self.case(tmp_path, change(labels(1).data.astype(int)), "i2"), ONE)

    def test_layers(self, tmp_path: Path) -> None:
        case = self.case(tmp_path, np.zeros((2, 12, 14, 16)), "u1")
        with pytest.raises(InputError, match="holds 2 layers, expected one"):
            load_case(case, ONE)

    def test_an_image_that_looks_like_labels_is_an_image(self, tmp_path: Path) -> None:
        write(labels(1), tmp_path / "mask.nii.gz")
        loaded, _ = load_case(Case("a", (tmp_path / "mask.nii.gz",), labels(1)), ONE)
        assert type(loaded) is Volume


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has no labels"):
        load_case(Case("a", (image(),)), ONE)
    with pytest.raises(InputError, match=r"^its file x.nii.gz is missing$"):
        load_case(Case("a", (tmp_path / "x.nii.gz",), labels(1)), ONE)
    (tmp_path / "x.nii.gz").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"^x.nii.gz"):
        load_case(Case("a", (tmp_path / "x.nii.gz",), labels(1)), ONE)
