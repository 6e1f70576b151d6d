"""Grids and images as nnU-Net makes them, checked against SciPy and scikit-image's own results where they are there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import weights
from napari_resmed.prepare.restore import restore_labels
from napari_resmed.volume import Volume
from tests.affines import make_affine

PLAIN = (Normalization("none"),)


def make(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Volume:
    voxels = np.random.default_rng(1).normal(0, 100, shape).astype(np.float32)
    return Volume(voxels, make_affine(spacing_mm=spacing_mm), "zyx", "CT")


def theirs(spacing_mm: tuple[float, float, float], **changes: object) -> Preparation:
    return Preparation(spacing_mm, orientation="stored", interpolation="cubic", **{"normalization": PLAIN, **changes})


class TestWeights:
    @pytest.mark.parametrize(("size_in", "size_out"), [(30, 47), (30, 19), (7, 3), (5, 5)])
    def test_cubic_is_scipys_zoom(self, size_in: int, size_out: int) -> None:
        samples = np.random.default_rng(0).normal(size=size_in)
        zoomed = ndimage.zoom(samples, size_out / size_in, order=3, mode="nearest", grid_mode=True)
        found = weights("cubic", size_in, size_out, 0.0) @ torch.from_numpy(samples).float()
        assert np.allclose(found.numpy(), zoomed, atol=1e-5)

    @pytest.mark.parametrize(("size_in", "size_out"), [(30, 47), (30, 19), (7, 3)])
    def test_between_is_scipys_linear_zoom(self, size_in: int, size_out: int) -> None:
        samples = np.random.default_rng(0).normal(size=size_in)
        zoomed = ndimage.zoom(samples, size_out / size_in, order=1, mode="nearest", grid_mode=True)
        found = weights("between", size_in, size_out, 0.0) @ torch.from_numpy(samples).float()
        assert np.allclose(found.numpy(), zoomed, atol=1e-5)

    def test_nearest_takes_one(self) -> None:
        assert weights("nearest", 3, 6, 0.0).argmax(1).tolist() == [0, 0, 1, 1, 2, 2]


class TestPrepare:
    @pytest.mark.parametrize("target", [(2.0, 1.5, 2.0), (4.0, 4.5, 3.1)])
    def test_cubic_splines_that_do_not_overshoot(self, target: tuple[float, float, float]) -> None:
        volume = make((14, 18, 20), (3.0, 2.0, 2.2))
        ready, grid = prepare(volume, theirs(target))
        wanted = tuple(
            round(mm / to * size) for mm, to, size in zip((3.0, 2.0, 2.2), target, (14, 18, 20), strict=True)
        )
        assert grid.shape == wanted
        zoom = [new / old for new, old in zip(wanted, volume.shape, strict=True)]
        expected = ndimage.zoom(volume.data.astype(float), zoom, order=3, mode="nearest", grid_mode=True)
        expected = expected.clip(volume.data.min(), volume.data.max())
        assert np.allclose(ready[0].numpy(), expected, atol=2e-3)

    def test_thick_slices_are_not_mixed(self) -> None:
        volume = make((6, 18, 20), (9.0, 2.0, 2.0))
        ready, grid = prepare(volume, theirs((4.5, 1.5, 1.5)))
        assert grid.kinds == ("nearest", "cubic", "cubic")
        assert grid.kinds_back == ("nearest", "between", "between")
        assert torch.equal(ready[0, 0::2], ready[0, 1::2])
        zoom = (24 / 18, 27 / 20)
        slice_ = volume.data[2].astype(float)
        expected = ndimage.zoom(slice_, zoom, order=3, mode="nearest", grid_mode=True).clip(slice_.min(), slice_.max())
        assert np.allclose(ready[0, 4].numpy(), expected, atol=2e-3)

    def test_holes_count_and_the_outside_does_not(self) -> None:
        volume = make((10, 12, 14), (2.0, 2.0, 2.0))
        voxels = np.zeros_like(volume.data)
        voxels[2:8, 3:9, 4:12] = 5 + np.arange(8)
        voxels[5, 6, 8] = 0
        preparation = theirs((2.0, 2.0, 2.0), crop_nonzero=True, normalization=(Normalization("zscore", masked=True),))
        ready, grid = prepare(volume.with_data(voxels), preparation)
        assert (grid.corner, grid.source_shape, grid.whole_shape) == ((2, 3, 4), (6, 6, 8), (10, 12, 14))
        assert float(ready.mean()) == pytest.approx(0, abs=1e-5)
        assert float(ready.std(correction=0)) == pytest.approx(1, abs=1e-5)


class TestOrder:
    def test_the_axes_of_the_network(self) -> None:
        volume = make((4, 6, 8), (3.0, 2.0, 1.0))
        ready, grid = prepare(volume, theirs((1.0, 3.0, 2.0), axes=(2, 0, 1)))
        assert np.array_equal(ready[0].numpy(), volume.data.transpose(2, 0, 1))
        assert np.array_equal(grid.put_back(ready[0].numpy()), volume.data)

    def test_towards_superior_anterior_right(self) -> None:
        volume = make((4, 6, 8), (3.0, 2.0, 1.0))  # its axes grow to Superior, Posterior, Left
        ready, _ = prepare(volume, Preparation((3.0, 2.0, 1.0), orientation="SAR", normalization=PLAIN))
        assert np.array_equal(ready[0].numpy(), volume.data[:, ::-1, ::-1])


class TestRestore:
    def test_back_into_the_box(self) -> None:
        volume = make((10, 12, 14), (2.0, 2.0, 2.0))
        voxels = np.zeros_like(volume.data)
        voxels[2:8, 3:9, 4:12] = volume.data[2:8, 3:9, 4:12]
        grid = Grid.of(volume.with_data(voxels), theirs((2.0, 2.0, 2.0), crop_nonzero=True))
        scores = torch.stack([torch.zeros(grid.shape), torch.ones(grid.shape)])
        labels = restore_labels(scores, grid, (0, 7))
        wanted = np.zeros(volume.shape, np.uint8)
        wanted[2:8, 3:9, 4:12] = 7
        assert np.array_equal(labels, wanted)
