from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.prepare.grid import UNKNOWN, Grid, prepare, prepare_target
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.restore import restore_labels
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, affines, axis_order_name, make_affine, world
from tests.prepare.arrays import noise, one_hot

WHOLE_RANGE = (0.0, 100.0)


class TestPrepare:
    @pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
    def test_equal_spacing_only_turns(self, case: tuple) -> None:
        data = noise((7, 8, 9))
        data.flat[0], data.flat[1] = 0, 1
        volume = Volume(data, make_affine(*case, spacing_mm=(2, 2, 2)))
        image, grid = prepare(volume, Preparation((2.0, 2.0, 2.0), WHOLE_RANGE))
        assert np.array_equal(image[0].numpy(), geometry.canonical_order(volume.affine).apply(data))
        assert image.dtype == torch.float32
        assert grid.step == (1, 1, 1)

    def test_the_axes_lead_up_back_and_left(self) -> None:
        volume = Volume(noise((4, 5, 6)), make_affine((0, 1, 2), (-1, 1, -1), spacing_mm=(3, 2, 1)))
        image, _ = prepare(volume, Preparation((1.0, 2.0, 3.0), WHOLE_RANGE))
        assert image.shape == (1, 6, 5, 4)

    def test_percentiles_become_0_and_1(self) -> None:
        data = np.arange(1001, dtype=np.float32).reshape(7, 11, 13)
        image, _ = prepare(Volume(data, make_affine()), Preparation((1.0,) * 3, (10.0, 90.0)))
        expected = np.clip((data - 100) / 800, 0, 1)
        assert np.allclose(image[0].numpy(), expected, atol=1e-6)

    def test_channels_are_scaled_each_by_itself(self) -> None:
        data = np.stack([noise((5, 5, 5)), 1000 * noise((5, 5, 5), 1) - 300])
        image, _ = prepare(Volume(data, make_affine(), "czyx"), Preparation((1.0,) * 3, WHOLE_RANGE))
        for channel in image:
            assert (channel.min(), channel.max()) == (0, 1)

    @pytest.mark.parametrize("data", [2**52 + np.arange(125), 1e300 * (np.arange(125.0) - 60), 1e9 + np.arange(125)])
    def test_numbers_float32_cannot_tell_apart(self, data: np.ndarray) -> None:
        image, _ = prepare(Volume(data.reshape(5, 5, 5), make_affine()), Preparation((1.0,) * 3, WHOLE_RANGE))
        assert np.allclose(image.numpy().ravel(), np.arange(125) / 124, atol=1e-6)

    @pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "i4", "f8", "?"])
    def test_any_type_of_voxel(self, dtype: str) -> None:
        data = np.random.default_rng(0).integers(0, 2, (5, 5, 5)).astype(dtype)
        image, _ = prepare(Volume(data, make_affine()), Preparation((1.0,) * 3, WHOLE_RANGE))
        assert np.array_equal(image[0].numpy(), data.astype(np.float32))

    @pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
    def test_what_is_cut_out_may_have_one_value(self, dtype: str) -> None:
        data = np.zeros((6, 7, 8), dtype)
        data[1:4, 2:5, 3:6] = 5
        image, _ = prepare(Volume(data, make_affine()), Preparation((1.0,) * 3, WHOLE_RANGE, crop_nonzero=True))
        assert image.shape == (1, 3, 3, 3)
        assert (image == 0).all()

    def test_a_few_bright_voxels_in_an_empty_field(self) -> None:
        data = np.zeros((20, 20, 20), np.float32)
        data[10, 10, 10] = 5
        image, _ = prepare(Volume(data, make_affine()), Preparation((1.0,) * 3))
        assert image.max() == 1
        assert torch.isfinite(image).all()

    @pytest.mark.parametrize("target", [0.5, 1.3, 2.0, 3.0])
    def test_a_linear_ramp_stays_one(self, target: float) -> None:
        # Along world y, 10 mm of intensity per mm, seen through an oblique order of axes.
        volume = Volume(np.zeros((24, 24, 24)), make_affine((1, 2, 0), (-1, 1, 1)))
        index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), -1).reshape(-1, 3)
        ramp = world(volume.affine, index)[:, 1].reshape(volume.shape)
        image, grid = prepare(volume.with_data(ramp), Preparation((target,) * 3, WHOLE_RANGE))
        profile = image[0].mean((0, 2)).double()
        # Away from the ends, which are repeated, every sample lies on one straight line: to a twentieth of a
        # voxel, because the widened triangle of a coarser grid is not symmetric around every sample.
        inside = profile[round(4 / target) : -round(4 / target)].numpy()
        place = np.arange(len(inside))
        slope, start = np.polyfit(place, inside, 1)
        assert slope > 0
        assert np.abs(inside - start - slope * place).max() < 0.05 * slope
        assert grid.shape[1] == image.shape[2]

    def test_the_image_is_not_changed(self) -> None:
        data = noise((6, 6, 6))
        before = data.copy()
        data.setflags(write=False)
        prepare(Volume(data, make_affine()), Preparation((1.0,) * 3))
        prepare(Volume(data, make_affine()), Preparation((2.0,) * 3))
        assert np.array_equal(data, before)


class TestRefusals:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite(self, bad: float) -> None:
        data = noise((5, 5, 5))
        data[1, 2, 3] = data[0, 0, 0] = bad
        with pytest.raises(InputError, match=r"has 2 voxels that are NaN or infinite \(of 125\)"):
            prepare(Volume(data, make_affine()), Preparation((1.0,) * 3))

    def test_infinities_that_cancel(self) -> None:
        data = noise((5, 5, 5))
        data[0, 0, 0], data[0, 0, 1] = np.inf, -np.inf
        with pytest.raises(InputError, match="2 voxels"):
            prepare(Volume(data, make_affine()), Preparation((1.0,) * 3))

    def test_large_finite_numbers_are_fine(self) -> None:
        data = np.full((5, 5, 5), 3e38, np.float32)
        data[0] = 0
        assert torch.isfinite(prepare(Volume(data, make_affine()), Preparation((1.0,) * 3))[0]).all()

    @pytest.mark.parametrize("value", [0, -5, 1e30])
    def test_a_constant_image(self, value: float) -> None:
        with pytest.raises(
            InputError, match=rf"the image has the value {re.escape(f'{value:g}')} everywhere; there is nothing to see"
        ):
            prepare(Volume(np.full((5, 5, 5), value), make_affine()), Preparation((1.0,) * 3))

    def test_a_single_voxel_on_the_networks_grid(self) -> None:
        ready, grid = prepare(
            Volume(noise((2, 2, 2)), make_affine(spacing_mm=(0.3, 0.3, 0.3))), Preparation((1.0,) * 3)
        )
        assert grid.shape == (1, 1, 1)
        assert ready.tolist() == [[[[0.0]]]]

    def test_a_mask_that_is_full(self) -> None:
        with pytest.raises(InputError, match="the image has the value 1 everywhere"):
            prepare(Volume(np.ones((5, 5, 5), bool), make_affine()), Preparation((1.0,) * 3))

    def test_a_constant_channel(self) -> None:
        data = np.stack([noise((5, 5, 5)), np.zeros((5, 5, 5), np.float32)])
        with pytest.raises(InputError, match="channel 1 of the image has the value 0 everywhere"):
            prepare(Volume(data, make_affine(), "czyx"), Preparation((1.0,) * 3))


class TestGeometry:
    @settings(max_examples=30)
    @given(affines(), st.data())
    def test_a_marked_voxel_keeps_its_place(self, affine: geometry.Affine, data: st.DataObject) -> None:
        shape = data.draw(st.tuples(*[st.integers(4, 9)] * 3))
        mark = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
        marked = np.zeros(shape, np.float32)
        marked[mark] = 1
        volume = Volume(marked, affine)
        spacing = tuple(float(mm) / 2 for mm in volume.spacing_mm)
        order = geometry.canonical_order(affine)
        preparation = Preparation(tuple(spacing[axis] for axis in order.axes), WHOLE_RANGE)
        image, _ = prepare(volume, preparation)
        # Twice as fine: the mark is brightest in the eight samples around its middle. Both grids share their centre.
        found = torch.nonzero(image[0] == image[0].max()).double().mean(0).numpy()
        turned = order.apply_to_affine(affine, shape)
        centre = (np.array([shape[axis] for axis in order.axes]) - 1) / 2
        back = (found - (np.array(image.shape[1:]) - 1) / 2) / 2 + centre
        place = world(turned, back[None])[0]
        off = np.linalg.norm(np.linalg.solve(affine[:3, :3], place - world(affine, np.array([mark]))[0]))
        assert off < 0.5

    @settings(max_examples=12)
    @given(affines(), st.floats(0.6, 1.6))
    def test_there_and_back_is_where_it_was(self, affine: geometry.Affine, ratio: float) -> None:
        # A ball, off the middle; its centre of mass may move by a small part of a voxel.
        index = np.stack(np.meshgrid(*[np.arange(18)] * 3, indexing="ij"), -1)
        ball = (np.linalg.norm(index - [7, 9, 10], axis=-1) < 4.6).astype(np.float32)
        volume = Volume(ball, affine)
        order = geometry.canonical_order(affine)
        target = tuple(volume.spacing_mm[axis] * ratio for axis in order.axes)
        image, grid = prepare(volume, Preparation(target, WHOLE_RANGE))
        labels = restore_labels(torch.cat([1 - image, image]), grid, (0, 1))
        assert labels.shape == volume.shape
        moved = np.argwhere(labels).mean(0) - np.argwhere(ball).mean(0)
        assert np.abs(moved).max() < 0.5
        overlap = 2 * (labels * ball).sum() / (labels.sum() + ball.sum())
        assert overlap > 0.85


class TestFixedWindows:
    @pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "f4", "f8"])
    def test_values_mean_the_same_however_they_are_stored(self, dtype: str) -> None:
        hounsfield = np.random.default_rng(0).integers(-1000, 1000, (6, 7, 8))
        preparation = Preparation((1.0,) * 3, windows=((-200.0, 300.0),))
        image, _ = prepare(Volume(hounsfield.astype(dtype), make_affine()), preparation)
        assert np.allclose(image[0].numpy(), np.clip((hounsfield + 200) / 500, 0, 1), atol=1e-6)

    def test_they_do_not_hang_on_the_rest_of_the_image(self) -> None:
        data = np.full((5, 5, 5), 50.0, np.float32)
        data[0, 0, 0] = 60
        preparation = Preparation((1.0,) * 3, windows=((0.0, 100.0),))
        alone, _ = prepare(Volume(data, make_affine()), preparation)
        data[4] = 3000
        beside_metal, _ = prepare(Volume(data, make_affine()), preparation)
        assert torch.equal(alone[0, :4], beside_metal[0, :4])
        assert alone[0, 1, 1, 1] == 0.5

    def test_each_channel_its_own(self) -> None:
        data = np.stack([noise((5, 5, 5)), 1000 * noise((5, 5, 5), 1), noise((5, 5, 5), 2)])
        preparation = Preparation((1.0,) * 3, WHOLE_RANGE, windows=((0.25, 0.75), None))  # none said for the third
        image, _ = prepare(Volume(data, make_affine(), "czyx"), preparation)
        assert np.allclose(image[0].numpy(), np.clip((data[0] - 0.25) * 2, 0, 1), atol=1e-6)
        for channel in image[1:]:
            assert (channel.min(), channel.max()) == (0, 1)


def painted(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Classes 0 to 2 and unknown, at random."""
    return np.random.default_rng(seed).integers(UNKNOWN, 3, shape).astype(np.int16)


class TestPrepareTarget:
    @settings(max_examples=60)
    @given(affines(), st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 2**32 - 1))
    def test_equal_spacing_only_turns(self, affine: geometry.Affine, shape: tuple, seed: int) -> None:
        classes = painted(shape, seed)
        volume = Volume(classes, affine)
        order = geometry.canonical_order(affine)
        grid = Grid.of(volume, Preparation(tuple(volume.spacing_mm[axis] for axis in order.axes)))
        target = prepare_target(classes, grid, 3)
        assert target.dtype == np.int16
        assert np.array_equal(target, order.apply(classes))

    @settings(max_examples=25)
    @given(affines(), st.floats(0.5, 2.5))
    def test_lies_where_the_image_lies(self, affine: geometry.Affine, ratio: float) -> None:
        # A ball that is both picture and label, off the middle, in any order of axes and at any angle.
        index = np.stack(np.meshgrid(*[np.arange(18)] * 3, indexing="ij"), -1)
        ball = np.linalg.norm(index - [7, 9, 10], axis=-1) < 5.2
        volume = Volume(ball.astype(np.float32), affine)
        order = geometry.canonical_order(affine)
        preparation = Preparation(tuple(volume.spacing_mm[axis] * ratio for axis in order.axes), WHOLE_RANGE)
        image, grid = prepare(volume, preparation)
        target = prepare_target(ball.astype(np.int16), grid, 2)
        assert target.shape == image.shape[1:]
        # Two classes: the larger share is the one over one half, which is what the linear image shows.
        sure = (image[0] - image.max() / 2).abs() > 0.02
        assert np.array_equal(target[sure] == 1, (image[0] > image.max() / 2).numpy()[sure])

    @pytest.mark.parametrize("step", [1.5, 2.0, 2.5, 3.0, 4.0])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_a_single_painted_slice_is_never_lost(self, axis: int, step: float) -> None:
        shape, spacing = [6, 6, 6], [1.0, 1.0, 1.0]
        shape[axis], spacing[axis] = 31, step
        volume = Volume(noise(tuple(shape)), make_affine())
        grid = Grid.of(volume, Preparation((spacing[0], spacing[1], spacing[2])))
        for place in range(31):
            classes = np.full(shape, UNKNOWN, np.int16)
            view = np.moveaxis(classes, axis, 0)
            view[place] = 0
            view[place, :3] = 1
            target = np.moveaxis(prepare_target(classes, grid, 2), axis, 0)
            slices = np.flatnonzero((target != UNKNOWN).any((1, 2)))
            assert 1 <= len(slices) <= 2, place
            # It stays a slice: known through and through, structure and background side by side, and in its place.
            assert (target[slices, :3] == 1).all()
            assert (target[slices, 3:] == 0).all()
            there = (slices - (len(target) - 1) / 2) * step + 15
            assert np.abs(there - place).max() <= step

    @pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.4, 0.8, 1.0), (2.0, 2.0, 2.0), (3.3, 1.7, 2.2)])
    def test_unknown_stays_unknown(self, spacing: tuple[float, float, float]) -> None:
        # Half of the image is known. Farther from the border than a network voxel reaches, nothing changes sides.
        classes = np.full((24, 24, 24), UNKNOWN, np.int16)
        classes[:12] = np.random.default_rng(0).integers(0, 2, (12, 24, 24))
        grid = Grid.of(Volume(noise(classes.shape), make_affine()), Preparation(spacing))
        target = prepare_target(classes, grid, 2)
        place = (np.arange(grid.shape[0]) - (grid.shape[0] - 1) / 2) * grid.step[0] + 11.5
        reach = max(1.0, grid.step[0])
        assert (target[place >= 11.5 + reach] == UNKNOWN).all()
        assert (target[place <= 11.5 - reach] != UNKNOWN).all()

    def test_nothing_known_is_nothing_known(self) -> None:
        classes = np.full((9, 8, 7), UNKNOWN, np.int16)
        grid = Grid.of(Volume(noise(classes.shape), make_affine()), Preparation((1.3, 2.0, 0.7)))
        assert (prepare_target(classes, grid, 3) == UNKNOWN).all()

    @settings(max_examples=40)
    @given(st.tuples(*[st.integers(2, 9)] * 3), st.tuples(*[st.floats(0.4, 3.0)] * 3), st.integers(0, 2**32 - 1))
    def test_only_classes_that_are_there_come_out(self, shape: tuple, spacing: tuple, seed: int) -> None:
        classes = painted(shape, seed)
        grid = Grid.of(Volume(noise(shape), make_affine()), Preparation(spacing))
        target = prepare_target(classes, grid, 3)
        assert target.shape == grid.shape
        assert set(np.unique(target)) <= set(np.unique(classes)) | {UNKNOWN}

    def test_the_largest_share_wins(self) -> None:
        # One network voxel over 2x2x2 of the image's: three classes, one of which has half of them.
        classes = np.array([[[0, 2], [2, 1]], [[2, 1], [2, 0]]], np.int16)
        grid = Grid.of(Volume(noise((2, 2, 2)), make_affine()), Preparation((2.0, 2.0, 2.0)))
        assert prepare_target(classes, grid, 3).tolist() == [[[2]]]

    @pytest.mark.parametrize("case", AXIS_ORDERS[::5], ids=axis_order_name)
    def test_goes_there_and_back(self, case: tuple) -> None:
        classes = np.random.default_rng(1).integers(0, 3, (6, 7, 8)).astype(np.int16)
        volume = Volume(classes, make_affine(*case))
        grid = Grid.of(volume, Preparation((1.0,) * 3))
        back = restore_labels(one_hot(prepare_target(classes, grid, 3), 3), grid, (0, 1, 2))
        assert np.array_equal(back, classes)
