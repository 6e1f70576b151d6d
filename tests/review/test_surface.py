from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, distance_transform_edt

from napari_resmed.review.surface import border, surface_distances
from tests.affines import affines, make_affine, world
from tests.review.shapes import ball, blobs


class TestBorder:
    @pytest.mark.parametrize("seed", range(5))
    def test_is_the_mask_less_its_erosion(self, seed: int) -> None:
        mask = blobs(seed) == 1
        assert np.array_equal(border(mask), mask & ~binary_erosion(mask))

    def test_of_one_slice_is_its_outline(self) -> None:
        mask = np.ones((1, 5, 6), bool)
        outline = np.ones((5, 6), bool)
        outline[1:-1, 1:-1] = False
        assert np.array_equal(border(mask, (True, False, False))[0], outline)
        assert border(mask).all()  # without being told, every voxel has outside above it

    def test_leaves_its_argument(self) -> None:
        mask = blobs(0) == 1
        before = mask.copy()
        border(mask)
        assert np.array_equal(mask, before)


class TestDistances:
    @pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.7, 1.2)])
    @pytest.mark.parametrize("seed", range(4))
    def test_are_those_of_the_distance_transform(self, seed: int, spacing_mm: tuple[float, float, float]) -> None:
        one, two = blobs(seed) == 1, blobs(seed + 50) == 1
        found = surface_distances(one, two, make_affine(spacing_mm=spacing_mm))
        there = distance_transform_edt(~border(two), sampling=spacing_mm)[border(one)]
        back = distance_transform_edt(~border(one), sampling=spacing_mm)[border(two)]
        assert np.allclose(np.sort(found.from_prediction), np.sort(there), atol=1e-9)
        assert np.allclose(np.sort(found.from_truth), np.sort(back), atol=1e-9)

    @given(affines(), st.integers(0, 20))
    def test_are_true_millimetres_on_any_grid(self, affine: np.ndarray, seed: int) -> None:
        """Oblique, mirrored, sheared: against every pair of border voxels."""
        one, two = blobs(seed, (5, 6, 7), 1, 1.0) == 1, blobs(seed + 30, (5, 6, 7), 1, 1.0) == 1
        if not (one.any() and two.any()):
            return
        found = surface_distances(one, two, affine)
        places = [world(affine, np.argwhere(border(mask))) for mask in (one, two)]
        apart = np.linalg.norm(places[0][:, None] - places[1][None], axis=2)
        assert np.allclose(np.sort(found.from_prediction), np.sort(apart.min(1)), atol=1e-6)
        assert np.allclose(np.sort(found.from_truth), np.sort(apart.min(0)), atol=1e-6)

    def test_of_an_empty_mask_do_not_exist(self) -> None:
        empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
        for pair in ((empty, full), (full, empty)):
            with pytest.raises(ValueError, match="empty mask"):
                surface_distances(*pair, make_affine())


class TestFigures:
    @pytest.mark.parametrize("shift", [1, 2, 5])
    def test_of_a_moved_plane_are_the_shift(self, shift: int) -> None:
        """A wall of one voxel, moved: every distance is the shift."""
        one, two = np.zeros((20, 8, 8), bool), np.zeros((20, 8, 8), bool)
        one[4], two[4 + shift] = True, True
        found = surface_distances(one, two, make_affine(spacing_mm=(2.5, 1, 1)))
        assert found.hausdorff_mm() == found.mean_mm() == pytest.approx(2.5 * shift)
        assert found.dice(2.5 * shift) == 1
        assert found.dice(2.5 * shift - 0.01) == 0

    def test_a_ball_in_a_ball(self) -> None:
        spacing_mm = (1.0, 1.0, 1.0)
        small, large = (ball((41,) * 3, (20.0,) * 3, r, spacing_mm) for r in (10, 15))
        found = surface_distances(small, large, make_affine())
        assert found.mean_mm() == pytest.approx(5, abs=0.5)  # voxels are not round
        assert found.hausdorff_mm(100) == pytest.approx(5, abs=0.8)

    @pytest.mark.parametrize("written", [0.99999994, 1.0000001])
    def test_rounded_headers_do_not_move_a_voxel_beyond_the_tolerance(self, written: float) -> None:
        one, two = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
        one[1], two[2] = True, True
        assert surface_distances(one, two, make_affine(spacing_mm=(written, 1, 1))).dice(1.0) == 1

    @given(st.integers(0, 50), st.floats(0, 5))
    def test_are_the_same_seen_from_either_side(self, seed: int, tolerance_mm: float) -> None:
        one, two = blobs(seed, (6, 7, 8)) == 1, blobs(seed + 99, (6, 7, 8)) == 1
        if not (one.any() and two.any()):
            return
        affine = make_affine(spacing_mm=(2, 1, 0.5))
        there, back = surface_distances(one, two, affine), surface_distances(two, one, affine)
        assert there.dice(tolerance_mm) == back.dice(tolerance_mm)
        assert there.hausdorff_mm() == pytest.approx(back.hausdorff_mm())
        assert there.mean_mm() == pytest.approx(back.mean_mm())
