from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_resmed.io import read
from napari_resmed.io.archives import forget_archives, read_array
from napari_resmed.review.appearance import LEAST_IMAGES, appearance_of
from napari_resmed.review.quality import GOOD, Look, Usual, judge_each, look_at_image
from napari_resmed.review.slices import slice_figures
from napari_resmed.volume import Volume


@pytest.fixture(scope="module")
def images(shared_data: Path) -> np.ndarray:
    """Real chest X-rays, 0 to 1."""
    found = read_array(shared_data / "classification/pneumoniamnist.npz", "train_images")[:300] / np.float32(255)
    forget_archives()
    return found[:, None, None]


@pytest.fixture(scope="module")
def usual(images: np.ndarray) -> Usual:
    # Through JSON, as a model carries it.
    return Usual.from_json(json.loads(json.dumps(Usual.of([look_at_image(image) for image in images[:200]]).to_json())))


@pytest.fixture(scope="module")
def head(shared_data: Path) -> Volume:
    return read(shared_data / "hippocampus/images/hippocampus_001.nii.gz")


def test_other_images_of_the_same_source_are_good(images: np.ndarray, usual: Usual) -> None:
    said = [usual.judge(look_at_image(image)) for image in images[200:]]
    assert said.count(GOOD) >= 95


def test_spoilt_ones_are_named(images: np.ndarray, usual: Usual) -> None:
    rng = np.random.default_rng(0)
    spoil = {
        "blurred": lambda image: ndimage.gaussian_filter(image, (0, 0, 2.5, 2.5)),
        "noisy": lambda image: (image + rng.normal(0, 0.25, image.shape)).clip(0, 1),
        "darker": lambda image: image * 0.25,
        "overexposed": lambda image: (image * 2.2).clip(0, 1),
        "empty": lambda image: np.where(np.arange(28) < 16, 0, image),
        "polarity": lambda image: 1 - image,
    }
    for word, change in spoil.items():
        said = [usual.judge(look_at_image(change(image).astype(np.float32))) for image in images[200:]]
        assert sum(word in words for words in said) >= 80, (word, said[:5])


def test_what_follows_from_a_wrong_polarity_is_not_said_beside_it(images: np.ndarray, usual: Usual) -> None:
    said = [usual.judge(look_at_image(1 - image)) for image in images[200:220]]
    assert not any("brighter" in words or "far from" in words for words in said if "polarity" in words)


def test_a_strange_one_among_many_does_not_vouch_for_itself(images: np.ndarray) -> None:
    looks = [look_at_image(image) for image in images[:40]]
    looks[7] = look_at_image(_square(images[7].shape))
    said = judge_each(looks)
    assert "far from" in said[7]
    assert said.count(GOOD) >= 36
    assert judge_each(looks[: LEAST_IMAGES - 1]) == [GOOD] * (LEAST_IMAGES - 1)


def test_images_of_another_kind_are_far(shared_data: Path, images: np.ndarray, usual: Usual) -> None:
    brain = read(shared_data / "hippocampus/images/hippocampus_001.nii.gz").data.astype(np.float32)
    for index in (10, 17, 24):
        other = np.zeros(images[0].shape, np.float32)
        piece = brain[index, 10:38, 3:31] / brain[index].max()
        other[0, 0] = piece
        assert "far from" in usual.judge(look_at_image(other))
    assert "far from" in usual.judge(look_at_image(_square(images[0].shape)))


def test_a_ghost_is_seen_in_a_volume(shared_data: Path) -> None:
    def look(number: int, share: float = 0.0) -> Look:
        data = read(shared_data / f"hippocampus/images/hippocampus_{number:03}.nii.gz").data.astype(np.float32)
        data += share * np.roll(data, data.shape[1] // 2, 1)
        return look_at_image((data / np.percentile(data, 99.5)).clip(0, 1)[None])

    usual = Usual({"ghosting": Usual.of([look(number) for number in (1, 3, 7, 15)]).ranges["ghosting"]})
    assert usual.judge(look(23)) == GOOD
    assert usual.judge(look(23, 0.2)) == "ghosting"


def test_a_model_keeps_too_little_to_see_an_image_in(images: np.ndarray) -> None:
    few = [look_at_image(image) for image in images[: LEAST_IMAGES - 1]]
    assert Usual.of(few).appearance == ()
    kept = Usual.of([look_at_image(image) for image in images[:20]]).to_json()
    assert len(kept["appearance"][0]["mean"]) < 30


def test_a_modality_that_is_not_there_is_not_far(images: np.ndarray) -> None:
    both = np.concatenate([images[:60], 1 - images[60:120]], 1)
    usual = Usual.of([look_at_image(image) for image in both])
    alone = both[0].copy()
    alone[1] = 0
    assert "far from" not in usual.judge(look_at_image(alone))


def test_a_single_slice_is_not_compared_with_volumes() -> None:
    rng = np.random.default_rng(0)
    volumes = [Look({}, (appearance_of(rng.random((6, 6, 6), np.float32)),)) for _ in range(LEAST_IMAGES + 2)]
    thin = Look({}, (appearance_of(rng.random((1, 6, 6), np.float32)),))
    usual = Usual.of([*volumes[:5], thin, *volumes[5:]])
    assert usual.judge(volumes[0]) == GOOD
    assert usual.judge(thin) == GOOD
    assert usual.judge(Look({}, (appearance_of(np.linspace(0, 1, 216, dtype=np.float32).reshape(6, 6, 6)),))) != GOOD


def test_without_ranges_nothing_is_said() -> None:
    assert Usual.from_json(None).judge(look_at_image(np.zeros((1, 1, 4, 4), np.float32))) == GOOD


def _square(shape: tuple[int, ...]) -> np.ndarray:
    """Nothing like an X-ray."""
    image = np.zeros(shape, np.float32)
    image[..., 8:20, 8:20] = np.linspace(0.5, 1, 12)
    return image


class TestSlices:
    """A real brain, or what was done to its slices."""

    def test_as_it_is(self, head: Volume) -> None:
        figures = slice_figures(head)
        assert figures["gaps"] == 0
        assert figures["jump"] < 1.2

    def test_a_blank_one_and_a_repeated_one(self, head: Volume) -> None:
        data = head.data.copy()
        data[10] = 0
        data[15] = data[14]
        assert slice_figures(head.with_data(data))["gaps"] == 2

    def test_one_that_is_missing(self, head: Volume) -> None:
        less = np.delete(head.data, 12, 0)
        assert slice_figures(head.with_data(less))["jump"] > 1.5

    def test_blank_ones_at_the_ends_are_none(self, head: Volume) -> None:
        data = head.data.copy()
        data[:3] = data[-2:] = 0
        assert slice_figures(head.with_data(data))["gaps"] == 0

    def test_thick_slices_count_wherever_they_are_stored(self, head: Volume) -> None:
        data = np.moveaxis(head.data, 0, 2).copy()
        data[..., 10] = 0
        affine = np.diag([1.0, 1, 4, 1])
        assert slice_figures(Volume(data, affine))["gaps"] == 1

    def test_they_are_told_in_words(self, head: Volume) -> None:
        usual = Usual({"gaps": (-0.01, 0.01)})
        data = head.data.copy()
        data[10] = 0
        image = np.zeros((1, 4, 4, 4), np.float32)
        assert usual.judge(look_at_image(image, [head, None])) == GOOD
        assert "blank" in usual.judge(look_at_image(image, [head, head.with_data(data)]))


def test_a_look_is_the_same_through_json() -> None:
    look = look_at_image(np.random.default_rng(0).random((2, 1, 16, 16), np.float32))
    assert Look.from_json(json.loads(json.dumps(look.to_json()))) == look
