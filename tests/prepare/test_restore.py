from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_resmed import geometry
from napari_resmed.nets.split import Head
from napari_resmed.prepare import restore as restore_module
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import along, linear_weights
from napari_resmed.prepare.restore import LabelRestorer, restore_labels, restore_map
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, affines, axis_order_name, make_affine
from tests.prepare.arrays import noise, one_hot

WHOLE_RANGE = (0.0, 100.0)


def interpolated(scores: Tensor, grid: Grid) -> Tensor:
    """All classes at the image's resolution (in its turned order), with nothing left out."""
    for axis, (size, source, step) in enumerate(zip(grid.shape, grid.source_shape, grid.step, strict=True), 1):
        scores = along(scores, axis, linear_weights(size, source, 1 / step))
    return scores


def grid_of(shape: tuple[int, ...], ratio: tuple[float, ...]) -> Grid:
    return Grid.of(Volume(np.zeros(shape), make_affine((1, 0, 2), (1, -1, 1))), Preparation(ratio))


def patchy(shape: tuple[int, ...], seed: int) -> Tensor:
    """Scores as networks give them: smooth, one class far ahead in most places."""
    coarse = torch.randn((shape[0], 3, 3, 3), generator=torch.Generator().manual_seed(seed))
    return 10 * torch.nn.functional.interpolate(coarse[None], size=shape[1:], mode="trilinear")[0]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_module, "BLOCK", 5)
    monkeypatch.setattr(restore_module, "SLICES", 3)


class TestRestoreLabels:
    @settings(max_examples=60)
    @given(affines(), st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 2**32 - 1))
    def test_a_pattern_comes_back_voxel_by_voxel(self, affine: geometry.Affine, shape: tuple, seed: int) -> None:
        labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
        volume = Volume(labels, affine)
        order = geometry.canonical_order(affine)
        grid = Grid.of(volume, Preparation(tuple(volume.spacing_mm[axis] for axis in order.axes)))
        logits = one_hot(np.ascontiguousarray(order.apply(labels)), 4)
        assert np.array_equal(restore_labels(logits, grid, (0, 1, 2, 3)), labels)

    @pytest.mark.parametrize(
        ("values", "dtype"), [((0, 1), "u1"), ((0, 255), "u1"), ((0, 300), "u2"), ((0, 70_000), "u4")]
    )
    def test_values_are_the_labels_in_the_smallest_type(self, values: tuple[int, int], dtype: str) -> None:
        labels = np.random.default_rng(0).integers(0, 2, (4, 5, 6))
        grid = Grid.of(Volume(labels, make_affine()), Preparation((1.0,) * 3))
        back = restore_labels(one_hot(labels, 2), grid, values)
        assert back.dtype == np.dtype(dtype)
        assert np.array_equal(back, np.array(values)[labels])
        assert back.flags.c_contiguous

    @pytest.mark.usefixtures("small_blocks")
    @pytest.mark.parametrize("ratio", [(2.0, 1.5, 1.0), (0.7, 1.0, 3.0), (1.0, 1.0, 1.0)])
    @pytest.mark.parametrize("kind", ["patchy", "noise"])
    def test_leaving_classes_out_makes_no_difference(self, kind: str, ratio: tuple[float, ...]) -> None:
        grid = grid_of((23, 31, 19), ratio)
        scores = patchy((7, *grid.shape), 3) if kind == "patchy" else torch.from_numpy(noise((7, *grid.shape)))
        values = (0, 3, 4, 9, 12, 200, 300)
        found = restore_labels(scores, grid, values)
        expected = np.array(values)[interpolated(scores, grid).argmax(0).numpy()]
        assert np.array_equal(found, grid.order.undo(expected))

    def test_half_precision_scores(self) -> None:
        labels = np.random.default_rng(0).integers(0, 2, (4, 5, 6))
        grid = Grid.of(Volume(labels, make_affine()), Preparation((1.0,) * 3))
        assert np.array_equal(restore_labels(one_hot(labels, 2).bfloat16(), grid, (0, 1)), labels)


class TestOverlapping:
    @pytest.mark.usefixtures("small_blocks")
    @pytest.mark.parametrize("ratio", [(2.0, 1.5, 1.0), (1.0, 1.0, 1.0)])
    def test_the_later_of_several_is_written(self, ratio: tuple[float, ...]) -> None:
        grid = grid_of((23, 31, 19), ratio)
        scores = patchy((3, *grid.shape), 1) - 2
        found = restore_labels(scores, grid, (0, 5, 6, 7), overlapping=True)
        expected = np.zeros(grid.source_shape, int)
        for value, there in zip((5, 6, 7), (interpolated(scores, grid) > 0).numpy(), strict=True):
            expected[there] = value
        assert np.array_equal(found, grid.order.undo(expected))
        assert set(np.unique(found)) == {0, 5, 6, 7}


class TestFeatures:
    @pytest.mark.usefixtures("small_blocks")
    @pytest.mark.parametrize("overlapping", [False, True])
    @pytest.mark.parametrize("ratio", [(0.6, 0.8, 1.0), (1.0, 1.0, 1.0), (1.7, 2.0, 1.5), (0.5, 3.0, 1.0)])
    def test_labels_are_those_of_the_scores(self, ratio: tuple[float, ...], overlapping: bool) -> None:
        grid = grid_of((23, 31, 19), ratio)
        features = patchy((2, *grid.shape), 1)
        weight = torch.tensor([[1.0, -0.5], [0.0, 1.5], [-1.0, 0.3], [0.5, -1.5]])
        bias = torch.tensor([0.1, 0.0, -0.6, 0.05])

        head = Head(weight[int(overlapping) :], bias[int(overlapping) :])  # regions have no background
        restorer = LabelRestorer(grid, (0, 5, 6, 7), overlapping)
        for start in range(0, grid.shape[0], 4):
            restorer.add(features[:, start : start + 4], head)
        scores = head(features[None])[0]
        expected = restore_labels(scores, grid, (0, 5, 6, 7), overlapping)
        found = restorer.finish()
        assert (found == expected).mean() > 0.999  # where two are equal but for rounding, either may win
        assert len(np.unique(found)) == 4


class TestRowByRow:
    @pytest.mark.usefixtures("small_blocks")
    @settings(max_examples=40)
    @given(st.data(), st.tuples(*[st.sampled_from([0.6, 1.0, 1.7, 4.0])] * 3))
    def test_pieces_make_no_difference(self, data: st.DataObject, ratio: tuple[float, ...]) -> None:
        grid = grid_of((14, 9, 11), ratio)
        scores = torch.from_numpy(noise((3, *grid.shape)))
        restorer = LabelRestorer(grid, (0, 1, 2))
        at, shares = 0, [0.0]
        while at < grid.shape[0]:
            count = data.draw(st.integers(1, grid.shape[0] - at))
            lent = scores[:, at : at + count].clone()
            restorer.add(lent)
            lent.fill_(99)  # what was lent is used again
            at += count
            shares.append(restorer.share_done)
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert np.array_equal(restorer.finish(), restore_labels(scores, grid, (0, 1, 2)))

    def test_few_rows_are_kept(self) -> None:
        grid = grid_of((40, 40, 40), (1.5, 1.5, 1.5))
        restorer = LabelRestorer(grid, (0, 1))
        for _ in range(grid.shape[0]):
            restorer.add(torch.zeros((2, 1, *grid.shape[1:])))
            assert restorer._rows is not None
            assert restorer._rows.untyped_storage().nbytes() <= 3 * 2 * grid.shape[1] * grid.shape[2] * 4

    def test_missing_rows_are_no_empty_slices(self) -> None:
        restorer = LabelRestorer(grid_of((14, 9, 11), (1.0, 1.0, 1.0)), (0, 1))
        restorer.add(torch.zeros((2, 3, *restorer._grid.shape[1:])))
        with pytest.raises(ValueError, match="rows of scores are missing"):
            restorer.finish()


class TestRestoreMap:
    @pytest.mark.parametrize("case", AXIS_ORDERS[::7], ids=axis_order_name)
    def test_equal_spacing_is_exact(self, case: tuple) -> None:
        data = noise((5, 6, 7))
        volume = Volume(data, make_affine(*case))
        grid = Grid.of(volume, Preparation((1.0,) * 3))
        turned = torch.from_numpy(np.ascontiguousarray(grid.order.apply(data)))
        assert np.array_equal(restore_map(turned, grid), data)

    def test_nothing_overshoots(self) -> None:
        data = noise((29, 9, 9))
        volume = Volume(data, make_affine(spacing_mm=(1.1, 0.7, 2.3)))
        image, grid = prepare(volume, Preparation((1.5,) * 3, WHOLE_RANGE))
        back = restore_map(image[0], grid)
        assert back.shape == data.shape
        assert back.min() >= 0
        assert back.max() <= 1 + 1e-6
