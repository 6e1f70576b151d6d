from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError
from tests.affines import AXIS_ORDERS, affines, axis_order_name, make_affine, shapes, world


def every_index(shape: tuple[int, int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)


class TestCheckAffine:
    def test_gives_float64_and_a_copy(self) -> None:
        given_affine = np.eye(4, dtype=np.float32)
        checked = geometry.check_affine(given_affine)
        checked[0, 0] = 5
        assert checked.dtype == np.float64
        assert given_affine[0, 0] == 1

    def test_refuses_another_shape(self) -> None:
        with pytest.raises(InputError, match=r"shape \(3, 4\), expected \(4, 4\)"):
            geometry.check_affine(np.eye(4)[:3])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_refuses_what_is_not_finite(self, bad: float) -> None:
        affine = np.eye(4)
        affine[1, 3] = bad
        with pytest.raises(InputError, match="NaN or infinity"):
            geometry.check_affine(affine)

    def test_refuses_a_flat_grid(self) -> None:
        zero_axis, same_axes = np.eye(4), np.eye(4)
        zero_axis[:, 1] = 0
        same_axes[:, 1] = same_axes[:, 0]
        for flat in (zero_axis, same_axes):
            with pytest.raises(InputError, match="flat"):
                geometry.check_affine(flat)

    @given(affines())
    def test_takes_any_scanner_grid(self, affine: geometry.Affine) -> None:
        assert np.array_equal(geometry.check_affine(affine), affine)


class TestCompose:
    def test_puts_itk_parts_together(self) -> None:
        # A sagittal stack: the image's x runs to Posterior, y to Inferior, z to Left.
        direction = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]])
        affine = geometry.compose((10, 20, 30), (4, 2, 1), direction)
        assert world(affine, np.array([[0, 0, 0]])).tolist() == [[10, 20, 30]]
        steps = world(affine, np.eye(3)) - [10, 20, 30]
        assert steps.tolist() == [[4, 0, 0], [0, 0, -2], [0, 1, 0]]

    def test_without_direction_is_axial(self) -> None:
        affine = geometry.compose((0, 0, 0), (3, 2, 1))
        assert geometry.orientation(affine) == "SPL"
        assert geometry.spacing(affine) == (3, 2, 1)

    def test_refuses_a_zero_spacing(self) -> None:
        with pytest.raises(InputError, match="flat"):
            geometry.compose((0, 0, 0), (0, 1, 1))

    @given(affines(most_shear=0))
    def test_is_what_its_parts_say(self, affine: geometry.Affine) -> None:
        spacing = geometry.spacing(affine)
        direction = (affine[:3, :3] / spacing)[:, ::-1]
        assert np.allclose(geometry.compose(affine[:3, 3], spacing, direction), affine, atol=1e-12)


class TestRasToLps:
    @given(affines())
    def test_is_its_own_inverse(self, affine: geometry.Affine) -> None:
        assert np.array_equal(geometry.ras_to_lps(geometry.ras_to_lps(affine)), affine)

    def test_same_voxel_same_place(self) -> None:
        ras = np.array([[1, 0, 0, 5], [0, 2, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]])
        i, j, k = 1, 2, 3
        right, anterior, superior = (ras @ [i, j, k, 1])[:3]
        assert world(geometry.ras_to_lps(ras), np.array([[k, j, i]])).tolist() == [[-right, -anterior, superior]]


class TestSpacingAndShear:
    @given(affines())
    def test_spacing_is_the_step_along_each_axis(self, affine: geometry.Affine) -> None:
        steps = world(affine, np.eye(3)) - world(affine, np.zeros((1, 3)))
        assert geometry.spacing(affine) == pytest.approx(np.linalg.norm(steps, axis=1))

    @given(affines(most_shear=0))
    def test_no_shear_in_a_turned_grid(self, affine: geometry.Affine) -> None:
        assert geometry.shear_cosine(affine) < 1e-9

    def test_shear_is_the_cosine_between_axes(self) -> None:
        tilted = make_affine(shear=(np.tan(np.radians(20)), 0, 0))
        assert geometry.shear_cosine(tilted) == pytest.approx(np.sin(np.radians(20)))


class TestTilt:
    @pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
    def test_is_zero_along_the_patient(self, case: tuple) -> None:
        assert geometry.tilt_degrees(make_affine(*case, spacing_mm=(3, 2, 1))) == 0

    @given(st.sampled_from(AXIS_ORDERS), st.floats(0, 40), st.sampled_from((0, 1, 2)))
    def test_is_the_angle_of_one_turn(self, case: tuple, degrees: float, axis: int) -> None:
        turn = [0.0, 0.0, 0.0]
        turn[axis] = degrees
        # An arc cosine near 1 has half the digits: 1e-8 rad at best.
        assert geometry.tilt_degrees(make_affine(*case, degrees=tuple(turn))) == pytest.approx(degrees, abs=1e-5)


class TestOrientation:
    def test_names_the_side_an_index_grows_towards(self) -> None:
        letters = {(2, 1): "S", (2, -1): "I", (1, 1): "P", (1, -1): "A", (0, 1): "L", (0, -1): "R"}
        for order, signs in AXIS_ORDERS:
            expected = "".join(letters[pair] for pair in zip(order, signs, strict=True))
            assert geometry.orientation(make_affine(order, signs, spacing_mm=(5, 0.5, 2))) == expected

    @given(st.sampled_from(AXIS_ORDERS), st.tuples(*[st.floats(-20, 20)] * 3))
    def test_survives_a_slight_turn(self, case: tuple, degrees: tuple[float, float, float]) -> None:
        assert geometry.orientation(make_affine(*case, degrees=degrees)) == geometry.orientation(make_affine(*case))


class TestAxisOrder:
    @given(affines(), shapes())
    def test_undo_gives_back_the_very_voxels(self, affine: geometry.Affine, shape: tuple[int, int, int]) -> None:
        data = np.arange(np.prod(shape)).reshape(shape)
        order = geometry.canonical_order(affine)
        assert np.array_equal(order.undo(order.apply(data)), data)

    @given(affines(), shapes(3), st.integers(1, 2), st.integers(1, 3))
    def test_leading_axes_stay(self, affine: geometry.Affine, shape: tuple, times: int, channels: int) -> None:
        data = np.arange(times * channels * np.prod(shape)).reshape(times, channels, *shape)
        order = geometry.canonical_order(affine)
        turned = order.apply(data)
        assert np.array_equal(turned[-1, -1], order.apply(data[-1, -1]))
        assert np.array_equal(order.undo(turned), data)

    @given(affines(), shapes())
    def test_every_voxel_keeps_its_place(self, affine: geometry.Affine, shape: tuple[int, int, int]) -> None:
        order = geometry.canonical_order(affine)
        # Each voxel holds its own number, so that after turning it can be asked where it came from.
        data = np.arange(np.prod(shape)).reshape(shape)
        turned = order.apply(data)
        moved = order.apply_to_affine(affine, shape)
        new, old = every_index(turned.shape), every_index(shape)
        assert np.allclose(world(moved, new), world(affine, old[turned[tuple(new.T)]]), atol=1e-9)

    @given(affines(), shapes())
    def test_a_slice_is_found_again(self, affine: geometry.Affine, shape: tuple[int, int, int]) -> None:
        order = geometry.canonical_order(affine)
        data = np.arange(np.prod(shape)).reshape(shape)
        for axis in range(3):
            index = shape[axis] // 2
            new, place = order.apply_to_slice(axis, index, shape)
            moved = np.moveaxis(order.apply(data), new, 0)[place]
            assert set(moved.ravel()) == set(np.moveaxis(data, axis, 0)[index].ravel())
            assert order.undo_slice(new, place, shape) == (axis, index)

    @given(affines(), shapes())
    def test_is_a_view(self, affine: geometry.Affine, shape: tuple[int, int, int]) -> None:
        data = np.zeros(shape)
        assert np.shares_memory(geometry.canonical_order(affine).apply(data), data)


class TestCanonicalOrder:
    @pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
    def test_leads_to_superior_posterior_left(self, case: tuple) -> None:
        affine = make_affine(*case, spacing_mm=(3, 0.7, 1), origin_mm=(-50, 7, 120))
        turned = geometry.canonical_order(affine).apply_to_affine(affine, (4, 5, 6))
        assert geometry.orientation(turned) == "SPL"

    @given(affines())
    def test_nothing_is_left_to_turn(self, affine: geometry.Affine) -> None:
        order = geometry.canonical_order(affine)
        again = geometry.canonical_order(order.apply_to_affine(affine, (4, 5, 6)))
        cosines = np.abs(affine[:3, :3] / geometry.spacing(affine))
        # At an exact tie (45 degrees) either pairing is right; elsewhere there is one answer.
        sums = sorted(sum(cosines[p[k], k] for k in range(3)) for p, _ in AXIS_ORDERS[::8])
        if sums[-1] - sums[-2] > 1e-9:
            assert again.axes == (0, 1, 2)
        assert not any(again.flipped) or again.axes != (0, 1, 2)

    @given(affines())
    def test_uses_every_axis_once(self, affine: geometry.Affine) -> None:
        assert sorted(geometry.canonical_order(affine).axes) == [0, 1, 2]


class TestSnap:
    @given(st.sampled_from(AXIS_ORDERS), st.tuples(*[st.floats(-1e-5, 1e-5)] * 9))
    def test_takes_header_noise_away(self, case: tuple, noise: tuple[float, ...]) -> None:
        clean = make_affine(*case, origin_mm=(10, -20, 30))
        noisy = clean.copy()
        noisy[:3, :3] += np.reshape(noise, (3, 3))
        snapped = geometry.snap(noisy)
        assert set(np.unique(np.abs(snapped[:3, :3] / np.abs(snapped[:3, :3]).max(0)))) <= {0.0, 1.0}
        # The voxel edges stay what the header says, noise of second order apart.
        assert np.allclose(geometry.spacing(snapped), geometry.spacing(noisy), atol=1e-9)
        assert snapped[:3, 3].tolist() == [10, -20, 30]

    @given(affines())
    def test_moves_nothing_that_shows(self, affine: geometry.Affine) -> None:
        moved = np.abs(geometry.corners(geometry.snap(affine), (64,) * 3) - geometry.corners(affine, (64,) * 3)).max()
        assert moved <= 3 * 64 * 8.0 * geometry.SNAP_COSINE

    def test_leaves_a_real_tilt(self) -> None:
        tilted = make_affine(degrees=(0.1, 0, 0))
        assert np.allclose(geometry.snap(tilted), tilted, atol=2e-6)
        assert geometry.tilt_degrees(geometry.snap(tilted)) == pytest.approx(0.1, abs=1e-3)

    def test_leaves_its_argument(self) -> None:
        noisy = np.eye(4)
        noisy[0, 1] = 1e-6
        geometry.snap(noisy)
        assert noisy[0, 1] == 1e-6


class TestCornersAndSamePlace:
    @given(affines(), shapes())
    def test_corners_are_the_outermost_voxel_centres(self, affine: geometry.Affine, shape: tuple) -> None:
        ends = [(0, n - 1) for n in shape]
        index = np.array([(z, y, x) for z in ends[0] for y in ends[1] for x in ends[2]])
        assert np.allclose(geometry.corners(affine, shape), world(affine, index), atol=1e-9)

    def test_leading_axes_do_not_count(self) -> None:
        assert np.array_equal(geometry.corners(np.eye(4), (7, 2, 3, 4, 5)), geometry.corners(np.eye(4), (3, 4, 5)))

    @given(affines(), shapes())
    def test_a_grid_is_where_it_is(self, affine: geometry.Affine, shape: tuple[int, int, int]) -> None:
        assert geometry.same_place(affine, shape, affine.astype(np.float32).astype(np.float64), shape)
        moved = affine.copy()
        moved[0, 3] += 0.01
        assert not geometry.same_place(affine, shape, moved, shape)

    def test_another_size_is_another_place(self) -> None:
        assert not geometry.same_place(np.eye(4), (3, 4, 5), np.eye(4), (3, 4, 6))

    def test_a_small_turn_shows_at_the_far_corner(self) -> None:
        turned = make_affine(degrees=(0, 0, 0.01))
        assert geometry.same_place(make_affine(), (2, 2, 2), turned, (2, 2, 2))
        assert not geometry.same_place(make_affine(), (200, 200, 200), turned, (200, 200, 200))
