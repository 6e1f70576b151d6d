from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap
from napari_resmed.train.painting import paint_classes, synthesise
from napari_resmed.train.synthesis import Degradation
from napari_resmed.volume import Volume
from tests.affines import make_affine

CLEAN = Degradation(bias_strength=(0, 0), blur_mm=(0, 0), thick_slice_probability=0, noise=(0, 0), gamma=0)
CLASSES = torch.zeros((24, 20, 22), dtype=torch.int16)
CLASSES[4:10, 4:16, 4:18] = 1
CLASSES[12:20, 4:16, 4:18] = 2
CLASSES[0] = -1  # unknown


def painted(seed: int = 0, channels: int = 1, ranges: Degradation | None = CLEAN) -> torch.Tensor:
    return paint_classes(CLASSES, channels, (2.0, 1.0, 1.0), torch.Generator().manual_seed(seed), ranges)


class TestPaint:
    def test_is_an_image_in_0_to_1(self) -> None:
        image = painted(channels=2, ranges=None)
        assert image.shape == (2, 24, 20, 22)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1

    def test_a_seed_is_an_image(self) -> None:
        assert torch.equal(painted(3), painted(3))
        assert not torch.equal(painted(3), painted(4))

    def test_every_channel_has_a_contrast_of_its_own(self) -> None:
        first, second = painted(channels=2)
        assert not torch.equal(first, second)

    def test_structures_take_any_order_of_brightness(self) -> None:
        brighter = {
            bool(image[0][CLASSES == 1].mean() > image[0][CLASSES == 2].mean()) for image in map(painted, range(12))
        }
        assert brighter == {True, False}

    def test_what_is_around_is_divided_now_and_then(self) -> None:
        around = [painted(seed)[0][CLASSES <= 0] for seed in range(12)]
        bare = [len(values.unique()) == 1 for values in around]
        assert set(bare) == {True, False}
        assert sum(bare) < 6

    @pytest.mark.parametrize("fine", [0.1, 0.02])
    def test_a_mouse_looks_as_a_person_does(self, fine: float) -> None:
        cube = 0.5 / 2 ** (1 / 3)  # voxels twice as thick as wide, of the volume of such a cube
        for seed in range(6):
            person, mouse = (
                paint_classes(CLASSES, 1, (2 * mm, mm, mm), torch.Generator().manual_seed(seed)) for mm in (cube, fine)
            )
            assert torch.allclose(mouse, person, atol=1e-4)

    def test_thick_slices_of_fine_pixels_are_a_persons(self) -> None:
        spacing = (5.0, 0.3, 0.3)
        usual, said = (
            paint_classes(CLASSES, 1, spacing, torch.Generator().manual_seed(2), ranges)
            for ranges in (None, Degradation())
        )
        assert torch.equal(usual, said)


class TestSynthesise:
    def test_lies_on_the_labels(self) -> None:
        data = np.zeros((12, 14, 16), np.uint8)
        data[3:9, 3:9, 3:9] = 17
        data[3:9, 9:12, 3:9] = 53
        labels = LabelMap(data, make_affine((1, 2, 0), spacing_mm=(2, 1, 1.5)), name="map")
        image = synthesise(labels, seed=2)
        assert image.same_grid(labels)
        assert (image.data.dtype, image.axes) == (np.float32, "zyx")
        assert not isinstance(image, LabelMap)
        assert synthesise(labels, channels=3).axes == "czyx"

    def test_values_with_gaps_are_told_apart(self) -> None:
        data = np.zeros((12, 14, 16), np.uint16)
        data[2:6], data[6:10] = 3, 502
        image = synthesise(LabelMap(data, make_affine()), seed=1, ranges=CLEAN).data
        assert abs(image[data == 3].mean() - image[data == 502].mean()) > 0.05

    @pytest.mark.parametrize(
        ("labels", "found"),
        [
            (Volume(np.full((4, 5, 6), np.nan, np.float32), make_affine()), "a Volume of float32 with the axes zyx"),
            (
                LabelMap(np.zeros((2, 4, 5, 6), np.uint8), make_affine(), "tzyx"),
                "a LabelMap of uint8 with the axes tzyx",
            ),
            (np.zeros((4, 5, 6), np.uint8), "a ndarray"),
        ],
    )
    def test_what_is_no_label_map_is_refused(self, labels: Any, found: str) -> None:
        with pytest.raises(InputError, match=f"found {found}, expected a LabelMap with the axes zyx; where"):
            synthesise(labels)

    def test_so_is_an_image_of_no_channel(self) -> None:
        labels = LabelMap(np.ones((4, 5, 6), np.uint8), make_affine())
        with pytest.raises(InputError, match="found 0 channels, expected 1 or more"):
            synthesise(labels, channels=0)
        with pytest.raises(InputError, match=r"found a spacing of \(1, 0, 1\), expected three numbers above 0"):
            paint_classes(CLASSES, 1, (1.0, 0.0, 1.0), torch.Generator())

    def test_more_structures_than_half_a_word_counts(self) -> None:
        data = np.arange(40_000, dtype=np.uint16).reshape(40, 25, 40)
        image = synthesise(LabelMap(data, make_affine()), seed=1, ranges=CLEAN).data
        assert len(np.unique(image[data > 0])) > 30_000
