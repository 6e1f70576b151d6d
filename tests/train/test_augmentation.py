from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_resmed.train.augmentation import Augmentation, disturb
from napari_resmed.train.deformation import Deformation

NOTHING = Augmentation(probability=1, noise=0, brightness=0, contrast=0, gamma=0, blur_voxels=0, coarser=1)


def patch(channels: int = 1, size: tuple[int, int, int] = (9, 10, 11)) -> torch.Tensor:
    return torch.rand((channels, *size), generator=torch.Generator().manual_seed(7))


def changed(ranges: Augmentation, seed: int = 0, image: torch.Tensor | None = None) -> torch.Tensor:
    given = patch() if image is None else image
    return disturb(given.clone(), ranges, torch.Generator().manual_seed(seed))


class TestDisturb:
    def test_nothing_is_nothing(self) -> None:
        assert torch.equal(changed(replace(Augmentation(), probability=0)), patch())
        assert torch.allclose(changed(NOTHING), patch(), atol=1e-6)

    @pytest.mark.parametrize(
        "one",
        [
            {"noise": 0.1},
            {"brightness": 0.2},
            {"contrast": 0.3},
            {"gamma": 0.4},
            {"blur_voxels": 1.0},
            {"coarser": 2.5},
        ],
    )
    def test_each_change_alone(self, one: dict[str, float]) -> None:
        for seed in range(5):
            image = changed(replace(NOTHING, **one), seed)
            assert image.shape == patch().shape
            assert image.dtype == torch.float32
            assert torch.isfinite(image).all()
        assert not torch.equal(image, patch())

    def test_all_at_once_on_odd_sizes_and_channels(self) -> None:
        for size in ((1, 1, 1), (1, 8, 8), (2, 3, 5), (16, 16, 16)):
            for seed in range(8):
                image = changed(Augmentation(probability=1), seed, patch(2, size))
                assert image.shape == (2, *size)
                assert torch.isfinite(image).all()

    def test_each_happens_as_often_as_said(self) -> None:
        times = sum(
            not torch.equal(changed(replace(NOTHING, probability=0.25, noise=0.1), seed), patch().clamp(0, 1))
            for seed in range(400)
        )
        assert 60 < times < 140

    def test_the_same_seed_is_the_same_patch(self) -> None:
        often = Augmentation(probability=0.8)
        assert torch.equal(changed(often, 3), changed(often, 3))
        assert not torch.equal(changed(often, 3), changed(often, 4))

    def test_blur_is_a_gaussian(self) -> None:
        image = torch.zeros((1, 21, 21, 21))
        image[0, 10, 10, 10] = 1
        blurred = changed(replace(NOTHING, blur_voxels=1.5), 0, image)[0].numpy()
        sigma = np.sqrt((blurred.sum((1, 2)) * (np.arange(21) - 10) ** 2).sum())
        assert 0.3 < sigma <= 1.5
        # A kernel cut at 2.5 sigma is a little narrower than it should be.
        expected = ndimage.gaussian_filter(image[0].numpy(), sigma * 1.03, mode="nearest")
        assert np.abs(blurred - expected).max() < 0.02
        assert blurred.sum() == pytest.approx(1, abs=1e-4)

    def test_noise_is_no_larger_than_said(self) -> None:
        flat = torch.full((1, 20, 20, 20), 0.5)
        spread = [float(changed(replace(NOTHING, noise=0.08), seed, flat).std()) for seed in range(20)]
        assert max(spread) < 0.085
        assert min(spread) < 0.03


class TestRoundTrip:
    def test_through_json(self) -> None:
        ranges = Augmentation(Deformation(elastic=((30.0, 2.0), (10.0, 0.5)), mirror=False), noise=0.02, undeformed=0.5)
        assert Augmentation.from_json(json.loads(json.dumps(ranges.to_json()))) == ranges

    def test_an_unknown_value(self) -> None:
        with pytest.raises(TypeError):
            Augmentation.from_json({**Augmentation().to_json(), "sharpen": 1})
