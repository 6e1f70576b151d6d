from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.classify.batches import Drawing, draw_classes
from napari_resmed.train.classify.images import Images
from napari_resmed.train.deformation import Deformation
from tests.train.small import STILL

MOVING = replace(STILL, undeformed=0.0, deformation=replace(STILL.deformation, rotation_deg=20, scale=0.1, shift_mm=2))


def drawing(kinds: list[int], **changes: Any) -> Drawing:
    rng = np.random.default_rng(0)
    data = rng.random((len(kinds), 1, 1, 12, 12)).astype(np.float16)
    data[:, :, :, 0, 0] = np.arange(1, len(kinds) + 1)[:, None, None] / 100  # tells which it is
    images = Images(tuple(f"case{n}" for n in range(len(kinds))), tuple(range(len(kinds))), data)
    given: dict[str, Any] = {
        "batch": 4, "each_class_alike": False, "augmentation": STILL, "mirror_axes": (), "flat": True, "seed": 0,
    }  # fmt: skip
    return Drawing(images, np.array(kinds), list(range(len(kinds))), **{**given, **changes})


def drawn(of: Drawing, steps: int) -> list[int]:
    batches = [draw_classes(of, step) for step in range(steps)]
    return [round(float(image[0, 0, 0]) * 100) - 1 for batch in batches for image in batch.image]


def test_each_is_taken_once_before_any_is_taken_again() -> None:
    found = drawn(drawing([0, 1, 0, 1, 0, 1, 0, 1]), 4)
    assert sorted(found[:8]) == sorted(found[8:]) == list(range(8))
    assert found[:8] != found[8:]


def test_a_rare_class_is_drawn_as_often_where_that_is_wanted() -> None:
    kinds = [0] * 9 + [1] * 3
    found = Counter(kinds[row] for row in drawn(drawing(kinds, each_class_alike=True), 9))
    assert found == {0: 18, 1: 18}
    assert Counter(drawn(drawing(kinds, each_class_alike=True), 9))[11] == 6


def test_a_step_is_the_same_whatever_was_drawn_before() -> None:
    of = drawing([0, 1, 0, 1], augmentation=MOVING)
    draw_classes(of, 0)
    assert torch.equal(draw_classes(of, 5).image, draw_classes(of, 5).image)
    assert not torch.equal(draw_classes(of, 5).image, draw_classes(replace(of, seed=1), 5).image)


def test_nothing_moves_where_nothing_may() -> None:
    of = drawing([0, 1, 0, 1])
    batch = draw_classes(of, 0)
    rows = [round(float(image[0, 0, 0]) * 100) - 1 for image in batch.image]
    assert np.array_equal(batch.image.numpy(), of.images.data[rows, :, 0].astype(np.float32))
    assert batch.target.tolist() == [of.classes[row] for row in rows]


def test_mirrored_along_the_axes_that_are_allowed_alone() -> None:
    of = drawing([0, 1], mirror_axes=(2,), batch=1)
    seen = {bool((image[0, :, 0] == torch.from_numpy(of.images.data[0, 0, 0, :, -1].astype(np.float32))).all()) or
            bool((image[0, :, 0] == torch.from_numpy(of.images.data[1, 0, 0, :, -1].astype(np.float32))).all())
            for step in range(20) for image in draw_classes(of, step).image}  # fmt: skip
    assert seen == {True, False}


def test_a_shift_moves_by_voxels_and_a_slice_stays_in_its_plane() -> None:
    far = Augmentation(
        Deformation(rotation_deg=0, scale=0, shear=0, shift_mm=3, elastic=(), mirror=False), probability=0.0
    )
    data = np.zeros((1, 1, 1, 21, 21), np.float16)
    data[..., 8:13, 8:13] = 1
    of = replace(drawing([0]), images=Images(("a",), (0,), data), augmentation=far, batch=1)
    for step in range(8):
        image = draw_classes(of, step).image[0, 0]
        assert float(image.sum()) > 24.9
        middle = (image * torch.arange(21)).sum() / image.sum()
        assert abs(float(middle) - 10) <= 3.01


def test_a_modality_that_is_not_there_stays_away() -> None:
    data = np.random.default_rng(0).random((1, 2, 4, 6, 6)).astype(np.float16)
    data[:, 1] = 0
    noisy = Augmentation(MOVING.deformation, probability=1.0)
    of = replace(drawing([0]), images=Images(("a",), (0,), data), augmentation=noisy, batch=1, flat=False)
    for step in range(5):
        image = draw_classes(of, step).image[0]
        assert image[0].any()
        assert not image[1].any()


class TestCrop:
    def test_what_is_left_fills_the_image(self) -> None:
        still = replace(STILL, undeformed=0.0)
        of = drawing([0], augmentation=still, batch=1, crop=0.5)
        # A ramp along x: its slope falls by the share that is kept, its values stay between the ramp's.
        of.images.data[0, 0, 0] = np.arange(12, dtype=np.float16)
        slopes = [float(draw_classes(of, step).image[0, 0, 6].diff()[3:9].mean()) for step in range(12)]
        assert all(0.49 < slope <= 1.0 for slope in slopes)
        assert min(slopes) < 0.75
        middles = [float(draw_classes(of, step).image[0, 0, 6, 5:7].mean()) for step in range(12)]
        assert np.std(middles) > 0.3

    def test_without_it_nothing_is_drawn_for_it(self) -> None:
        of = drawing([0, 1], augmentation=MOVING)
        assert torch.equal(draw_classes(of, 3).image, draw_classes(replace(of, crop=0.0), 3).image)


def test_frames_are_moved_alike_and_none_into_another() -> None:
    of = drawing([0], augmentation=MOVING, batch=1, crop=0.2)
    data = np.repeat(of.images.data[:, :, None], 5, 2)
    data[:, :, 2] = 0
    image = draw_classes(replace(of, images=replace(of.images, data=data)), 0).image[0, 0]
    assert image.shape == (5, 12, 12)
    assert not image[2].any()
    assert torch.equal(image[0], image[4])
    assert not torch.equal(image[0], torch.from_numpy(data[0, 0, 0, 0].astype(np.float32)))


def test_frames_that_are_volumes_too() -> None:
    volumes = np.random.default_rng(0).random((1, 2, 1, 4, 12, 12)).astype(np.float16)
    data = np.repeat(volumes, 3, 2)
    of = drawing([0], augmentation=MOVING, batch=1, flat=False)
    image = draw_classes(replace(of, images=replace(of.images, data=data)), 1).image[0]
    assert image.shape == (2, 3, 4, 12, 12)
    assert torch.equal(image[:, 0], image[:, 2])
    assert not torch.equal(image[0, 0], torch.from_numpy(data[0, 0, 0].astype(np.float32)))
