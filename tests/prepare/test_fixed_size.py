from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_resmed.prepare.fixed_size import fixed_size, fixed_spacing, restore_fixed
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.volume import Volume

FLAT = Preparation((1.0, 1.0, 1.0), percentiles=(0, 100), orientation=STORED)


def picture(height: int, width: int) -> Volume:
    data = np.random.default_rng(0).integers(0, 255, (1, height, width)).astype(np.uint8)
    return Volume(data, np.eye(4))


def test_an_image_of_that_size_is_not_touched() -> None:
    volume = picture(28, 28)
    image = fixed_size(volume, FLAT, (1, 28, 28), "whole")
    low, high = volume.data.min(), volume.data.max()
    assert torch.allclose(image[0], torch.from_numpy((volume.data - low) / np.float32(high - low)))


def test_all_of_it_fits_and_keeps_its_proportions() -> None:
    assert fixed_spacing(picture(100, 50), FLAT, (1, 20, 20)) == (1, 5, 5)
    image = fixed_size(picture(100, 50), FLAT, (1, 20, 20), "whole")
    assert image.shape == (1, 1, 20, 20)
    assert not image[..., :5].any()
    assert not image[..., 15:].any()
    assert image[..., 5:15].any(-1).all()


def test_small_images_grow() -> None:
    assert fixed_size(picture(7, 7), FLAT, (1, 28, 28), "whole").gt(0).float().mean() > 0.9


def test_the_middle_at_the_networks_spacing() -> None:
    volume = picture(31, 9)
    image = fixed_size(volume, FLAT, (1, 11, 11), "middle")
    prepared = fixed_size(volume, FLAT, (1, 31, 9), "middle")
    assert torch.equal(image[..., 1:10], prepared[..., 10:21, :])
    assert not image[..., 0].any()


def test_a_volume_is_turned_first() -> None:
    data = np.random.default_rng(0).random((4, 6, 8), np.float32)
    affine = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-3, 0, 0, 0], [0, 0, 0, 1]])  # z runs from above, 3 mm apart
    preparation = Preparation((1.0, 1.0, 1.0), percentiles=(0, 100))
    image = fixed_size(Volume(data, affine), preparation, (12, 6, 8), "whole")
    assert fixed_spacing(Volume(data, affine), preparation, (12, 6, 8)) == (1, 1, 1)
    top = torch.from_numpy(data[0])
    seen = image[0, -1]
    assert torch.corrcoef(torch.stack([top.flatten(), seen.flatten()]))[0, 1] > 0.9


@pytest.mark.parametrize(("fit", "cut"), [("whole", False), ("middle", False), ("middle", True)])
def test_what_was_found_goes_back_to_its_place(fit: str, cut: bool) -> None:
    """In a turned, anisotropic volume that is neither of the network's size nor of its spacing."""
    data = np.zeros((9, 30, 22), np.float32)
    data[2:9, 12:30, 3:16] = 0.1  # what is left where the rim of nothing is cut away
    data[5:7, 18:22, 6:10] = 1
    affine = np.array([[0.0, -0.8, 0, 3], [0, 0, 1.1, 5], [-3, 0, 0, 9], [0, 0, 0, 1]])
    volume = Volume(data, affine)
    preparation = Preparation((1.5, 1.0, 1.0), percentiles=(0, 100), crop_nonzero=cut)
    seen = fixed_size(volume, preparation, (14, 25, 31), fit)[0].numpy()
    back = restore_fixed(seen, volume, preparation, fit)
    assert back.shape == data.shape
    middle = np.argwhere(data > 0.5).mean(0)
    found = np.argwhere(back > 0.5 * back.max()).mean(0)
    assert np.abs(found - middle).max() < 0.8
