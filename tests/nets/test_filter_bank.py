from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_resmed.nets.filter_bank import PER_SCALE, FilterBank


def responses(image: np.ndarray, bank: FilterBank) -> np.ndarray:
    return bank(torch.from_numpy(image)[None, None].float())[0].numpy()


class TestFilterBank:
    def test_a_blob_gives_what_the_formulas_say(self) -> None:
        # A Gaussian of variance 9, smoothed by one of variance 4, is one of variance 13 and less height.
        z, y, x = np.mgrid[-16:17, -16:17, -16:17].astype(float)
        found = responses(np.exp(-(z**2 + y**2 + x**2) / 18), FilterBank((1, 1, 1), [2.0]))
        middle = found[:, 16, 16, 16]
        height = (9 / 13) ** 1.5
        assert middle[0] == pytest.approx(1)
        assert middle[1] == pytest.approx(height, rel=0.02)
        assert middle[2] == pytest.approx(0, abs=1e-4)
        # The second derivative at the top is -height / variance, times the scale squared.
        np.testing.assert_allclose(middle[3:6], -height / 13 * 4, rtol=0.06)
        beside = found[2, 16, 16, 20]
        assert beside == pytest.approx(2 * 4 / 13 * height * np.exp(-16 / 26), rel=0.05)

    def test_lengths_are_in_mm_not_in_voxels(self) -> None:
        generator = np.random.default_rng(0)
        image = ndimage.gaussian_filter(generator.normal(size=(12, 40, 40)), (0.5, 3, 3))
        found = responses(image, FilterBank((6.0, 1.0, 1.0), [2.0]))[1]
        in_mm = ndimage.gaussian_filter(image, (2 / 6, 2, 2), mode="nearest")
        in_voxels = ndimage.gaussian_filter(image, 2, mode="nearest")
        assert np.corrcoef(found.ravel(), in_mm.ravel())[0, 1] > 0.995
        assert np.corrcoef(found.ravel(), in_voxels.ravel())[0, 1] < 0.9

    def test_coarse_scales_agree_with_fine_ones(self) -> None:
        generator = np.random.default_rng(1)
        image = ndimage.gaussian_filter(generator.normal(size=(40, 40, 40)), 3) * 10
        found = responses(image, FilterBank((1, 1, 1), [4.0]))[1]
        expected = ndimage.gaussian_filter(image, 4, mode="nearest", truncate=4)
        assert np.abs(found - expected)[6:-6, 6:-6, 6:-6].max() < 0.05 * expected.std() + 0.02

    def test_eigenvalues_are_sorted_and_sum_to_the_laplacian(self) -> None:
        image = np.random.default_rng(2).normal(size=(10, 12, 14))
        found = responses(image, FilterBank((1, 1, 1), [1.0]))
        assert (found[3] <= found[4] + 1e-4).all()
        assert (found[4] <= found[5] + 1e-4).all()
        smooth = found[1]
        second = sum(np.gradient(np.gradient(smooth, axis=axis), axis=axis) for axis in range(3))
        assert np.corrcoef(found[3:6].sum(0)[3:-3, 3:-3, 3:-3].ravel(), second[3:-3, 3:-3, 3:-3].ravel())[0, 1] > 0.7

    def test_one_slice_and_two_channels(self) -> None:
        bank = FilterBank((1, 1, 1), [1.0, 8.0], [16.0])
        image = torch.rand((1, 2, 1, 20, 21), generator=torch.Generator().manual_seed(0))
        found = bank(image)
        assert bank.responses == 1 + 2 * PER_SCALE + 1
        assert found.shape == (1, 2 * bank.responses, 1, 20, 21)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found[:, bank.responses :], bank(image[:, 1:]))
