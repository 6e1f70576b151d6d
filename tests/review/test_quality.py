from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_resmed.io.archives import forget_archives, read_array
from napari_resmed.review.quality import GOOD, image_figures, judge_image, usual_ranges


@pytest.fixture(scope="module")
def images(shared_data: Path) -> np.ndarray:
    """Real chest X-rays, 0 to 1."""
    found = read_array(shared_data / "classification/pneumoniamnist.npz", "train_images")[:300] / np.float32(255)
    forget_archives()
    return found[:, None, None]


@pytest.fixture(scope="module")
def ranges(images: np.ndarray) -> dict[str, tuple[float, float]]:
    return usual_ranges([image_figures(image) for image in images[:200]])


def test_other_images_of_the_same_source_are_good(images: np.ndarray, ranges: dict[str, tuple[float, float]]) -> None:
    said = [judge_image(image_figures(image), ranges) for image in images[200:]]
    assert said.count(GOOD) >= 95


def test_spoilt_ones_are_named(images: np.ndarray, ranges: dict[str, tuple[float, float]]) -> None:
    rng = np.random.default_rng(0)
    spoil = {
        "blurred": lambda image: ndimage.gaussian_filter(image, (0, 0, 2.5, 2.5)),
        "noisy": lambda image: (image + rng.normal(0, 0.25, image.shape)).clip(0, 1),
        "darker": lambda image: image * 0.25,
        "overexposed": lambda image: (image * 2.2).clip(0, 1),
        "empty": lambda image: np.where(np.arange(28) < 16, 0, image),
    }
    for word, change in spoil.items():
        said = [judge_image(image_figures(change(image)), ranges) for image in images[200:]]
        assert sum(word in words for words in said) >= 80, (word, said[:5])


def test_without_ranges_nothing_is_said() -> None:
    assert judge_image(image_figures(np.zeros((1, 1, 4, 4), np.float32)), {}) == GOOD
