from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.errors import InputError
from napari_resmed.train.deformation import Deformation, normal, random_coordinates, uniform

NONE = Deformation(rotation_deg=0, scale=0, shear=0, shift_mm=0, elastic=(), mirror=False)
ISO = (1.0, 1.0, 1.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def taken(ranges: Deformation, seed: int = 0, spacing: tuple = ISO, source: tuple = ISO, size: int = 15) -> np.ndarray:
    """Source indices ``(3, z, y, x)`` around index (20, 30, 40)."""
    places, _ = random_coordinates((size, size, size), spacing, source, (20.0, 30.0, 40.0), ranges, generator(seed))
    return torch.stack(places).numpy()


def slopes_mm(places: np.ndarray, spacing: tuple, source: tuple) -> np.ndarray:
    """How far in mm the source moves along each axis for a mm along each axis of the patch, at its middle."""
    middle = places.shape[1] // 2
    around = [slice(middle - 1, middle + 2)] * 3
    steps = [np.gradient(places[axis][tuple(around)]) for axis in range(3)]
    return np.array([[steps[a][b][1, 1, 1] * source[a] / spacing[b] for b in range(3)] for a in range(3)])


class TestCoordinates:
    @pytest.mark.parametrize("size", [4, 5])
    def test_nothing_random_is_the_patch_around_its_middle(self, size: int) -> None:
        places = taken(NONE, size=size)
        expected = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing="ij"))
        assert np.allclose(places, expected + np.array([20, 30, 40])[:, None, None, None])

    def test_another_spacing_is_another_step(self) -> None:
        places = taken(NONE, spacing=(2.0, 1.0, 1.0), source=(1.0, 1.0, 0.5))
        assert np.allclose(np.diff(places[0], axis=0), 2)
        assert np.allclose(np.diff(places[1], axis=1), 1)
        assert np.allclose(np.diff(places[2], axis=2), 2)

    @given(st.integers(0, 2**31 - 1))
    def test_a_rotation_keeps_lengths_in_mm_on_any_grid(self, seed: int) -> None:
        spacing, source = (3.0, 1.0, 0.8), (2.5, 0.7, 0.9)
        turn = slopes_mm(taken(replace(NONE, rotation_deg=40), seed, spacing, source), spacing, source)
        assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-3)
        assert np.linalg.det(turn) == pytest.approx(1, abs=1e-3)

    @given(st.integers(0, 2**31 - 1))
    def test_scale_and_shift_stay_within_their_ranges(self, seed: int) -> None:
        places = taken(replace(NONE, scale=0.2, shift_mm=6), seed, (1.0, 2.0, 1.0), (2.0, 1.0, 1.0))
        slopes = slopes_mm(places, (1.0, 2.0, 1.0), (2.0, 1.0, 1.0))
        assert np.abs(np.diag(slopes) - 1).max() <= 0.2 + 1e-4
        moved = (places[:, 7, 7, 7] - [20, 30, 40]) * [2, 1, 1]
        assert np.abs(moved).max() <= 6 + 1e-4

    def test_mirroring_is_along_x_and_half_of_the_time(self) -> None:
        signs = []
        for seed in range(200):
            slopes = slopes_mm(taken(replace(NONE, mirror=True), seed, size=3), ISO, ISO)
            assert np.allclose(np.abs(slopes), np.eye(3))
            assert slopes[0, 0] == slopes[1, 1] == 1
            signs.append(slopes[2, 2])
        assert 70 < signs.count(-1) < 130

    def test_never_mirrors_where_it_may_not(self) -> None:
        ranges = Deformation(elastic=(), mirror=False)
        dets = [np.linalg.det(slopes_mm(taken(ranges, seed), ISO, ISO)) for seed in range(100)]
        assert min(dets) > 0

    def test_bending_is_smooth_and_of_the_size_that_is_said(self) -> None:
        ranges = replace(NONE, elastic=((20.0, 2.0),))
        moved = np.stack([taken(ranges, seed, size=40) for seed in range(40)]) - taken(NONE, size=40)
        # The standard deviation is drawn between 0 and 2 mm: 2 / sqrt(3) over all, about half of it between the points.
        assert 0.45 < moved.std() < 1.2
        assert np.abs(np.diff(moved, axis=2)).max() < 1.5

    def test_the_same_seed_is_the_same_place(self) -> None:
        assert np.array_equal(taken(Deformation(), 3), taken(Deformation(), 3))
        assert not np.array_equal(taken(Deformation(), 3), taken(Deformation(), 4))


class TestNumbers:
    @given(st.floats(-5, 5), st.floats(0, 5), st.integers(0, 2**31 - 1))
    def test_uniform_stays_between(self, low: float, width: float, seed: int) -> None:
        assert low <= uniform(low, low + width, generator(seed)) <= low + width + 1e-6

    def test_normal_is_around_zero(self) -> None:
        source = generator()
        drawn = [normal(2.0, source) for _ in range(2000)]
        assert abs(np.mean(drawn)) < 0.2
        assert np.std(drawn) == pytest.approx(2, abs=0.15)


class TestRanges:
    @pytest.mark.parametrize(
        ("ranges", "said"),
        [
            ({"rotation_deg": -1}, "found rotation_deg -1, expected 0 or more"),
            ({"scale": 1.0}, "found scale 1, expected 0 or more, below 1"),
            ({"shift_mm": float("nan")}, "found shift_mm nan, expected 0 or more"),
            ({"elastic": ((0.0, 1.0),)}, r"found an elastic field of \(0, 1\), expected control points more than 0 mm"),
        ],
    )
    def test_that_do_not_go_are_refused(self, ranges: dict, said: str) -> None:
        with pytest.raises(InputError, match=said):
            Deformation(**ranges)

    def test_so_are_voxels_without_size(self) -> None:
        with pytest.raises(InputError, match=r"found a source spacing of \(1, 0, 1\), expected three numbers above 0"):
            taken(NONE, source=(1.0, 0.0, 1.0))
