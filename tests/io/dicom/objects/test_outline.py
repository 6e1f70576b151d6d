from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from napari_resmed.io.dicom.objects.outline import ON_OUTLINE, enclosed

SHAPE = (40, 41)


def voxel_centres() -> np.ndarray:
    return np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1).reshape(-1, 2).astype(float)


def distance_to(polygon: np.ndarray) -> np.ndarray:
    """Of every voxel centre to the nearest edge, in voxels."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.maximum((edges**2).sum(axis=1), 1e-12)
    away = voxel_centres()[:, None] - polygon
    share = np.clip((away * edges).sum(axis=2) / lengths, 0, 1)
    return np.linalg.norm(away - share[..., None] * edges, axis=2).min(axis=1).reshape(SHAPE)


class TestEnclosed:
    @given(st.integers(0, 2**32 - 1), st.integers(3, 40))
    def test_agrees_with_matplotlib(self, seed: int, corners: int) -> None:
        polygon = np.random.default_rng(seed).uniform(-5, 46, (corners, 2))
        theirs = Path(np.vstack([polygon, polygon[:1]])).contains_points(voxel_centres()).reshape(SHAPE)
        ours, distance = enclosed([polygon], SHAPE), distance_to(polygon)
        off_outline = distance > 2 * ON_OUTLINE
        assert np.array_equal(ours[off_outline], theirs[off_outline])
        assert ours[distance < ON_OUTLINE / 2].all()

    def test_through_voxel_centres(self) -> None:
        square = np.array([[10, 10], [10, 20], [15, 20], [15, 10]], float)
        for noise in (0, 1e-7, -1e-7, 0.004, -0.004):
            expected = np.zeros(SHAPE, bool)
            expected[10:16, 10:21] = True
            assert np.array_equal(enclosed([square + noise], SHAPE), expected)

    def test_one_within_another_is_a_hole(self) -> None:
        outer = np.array([[4.5, 4.5], [4.5, 20.5], [20.5, 20.5], [20.5, 4.5]])
        inner = np.array([[8.5, 8.5], [8.5, 12.5], [12.5, 12.5], [12.5, 8.5]])
        mask = enclosed([outer, inner], SHAPE)
        assert mask.sum() == 16 * 16 - 4 * 4
        assert not mask[10, 10]

    def test_keyhole(self) -> None:
        # Outer ring, then along a channel to the inner ring, round it the other way, and back by the same channel.
        keyhole = np.array(
            [
                *([4.5, 4.5], [4.5, 20.5], [20.5, 20.5], [20.5, 4.5], [4.5, 4.5]),
                *([8.5, 8.5], [12.5, 8.5], [12.5, 12.5], [8.5, 12.5], [8.5, 8.5]),
            ]
        )
        mask = enclosed([keyhole], SHAPE)
        assert not mask[9:13, 9:13].any()
        assert mask.sum() == 16 * 16 - 4 * 4

    def test_a_point_and_a_line_cover_what_they_meet(self) -> None:
        assert np.argwhere(enclosed([np.array([[3.0, 4.0]])], SHAPE)).tolist() == [[3, 4]]
        line = enclosed([np.array([[3.0, 4.0], [3.0, 7.0]])], SHAPE)
        assert np.argwhere(line).tolist() == [[3, 4], [3, 5], [3, 6], [3, 7]]

    @pytest.mark.parametrize("move", [(-100, 0), (100, 0), (0, -100), (0, 100)])
    def test_outside(self, move: tuple[int, int]) -> None:
        square = np.array([[4.5, 4.5], [4.5, 20.5], [20.5, 20.5], [20.5, 4.5]])
        assert not enclosed([square + move], SHAPE).any()

    def test_volume_of_a_circle(self) -> None:
        angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
        circle = np.stack([20.3 + 15 * np.sin(angles), 20.1 + 15 * np.cos(angles)], axis=1)
        assert enclosed([circle], SHAPE).sum() == pytest.approx(np.pi * 15**2, rel=0.01)
