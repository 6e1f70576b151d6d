from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.model import Model
from napari_resmed.predict.machine import Machine
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.seen_by_base import SeenByBase, assumed_background, look_with_base
from napari_resmed.train.store import Prepared
from tests.train.small import finish

CPU = Machine(torch.device("cpu"), "fp32")
BASE = Model(
    name="base",
    network="UNet",
    arguments={},
    preparation=Preparation((1.0, 1.0, 1.0)),
    patch=(8, 8, 8),
    labels=LabelSet(tuple(Label(k, name, (k, 1, 1)) for k, name in enumerate(("liver", "spleen", "kidney"), 1))),
    channels=("CT",),
)


class Reader(nn.Module):
    """Answers the class that is written in the image, as sure of it as the digits after the point say."""

    def forward(self, image: Tensor) -> Tensor:
        classes = torch.arange(4)[None, :, None, None, None]
        sure = 1 - (image - image.floor())
        return torch.where(image.floor() == classes, 20 * sure, 0.0)


def case(image: np.ndarray, target: np.ndarray) -> Prepared:
    return Prepared(image[None].astype(np.float16), target.astype(np.int8), np.ones(3, bool), {})


def seen(*cases: Prepared) -> SeenByBase:
    return finish(look_with_base(BASE, Reader(), CPU, cases, 2))


# Six slabs of 600 voxels: what the network takes them for, and what was painted there.
ANSWERS = np.repeat([0, 1, 1, 2, 3, 3], 2)[:, None, None] * np.ones((1, 15, 20))
PAINTED = np.repeat([0, 1, 0, 2, 0, 0], 2)[:, None, None] * np.ones((1, 15, 20), int)


class TestLookWithBase:
    def test_counts_what_it_takes_each_voxel_for(self) -> None:
        counts = seen(case(ANSWERS, PAINTED)).counts
        assert counts.tolist() == [[600, 600, 0, 1200], [0, 600, 0, 0], [0, 0, 600, 0]]

    def test_unknown_voxels_do_not_count(self) -> None:
        target = PAINTED.copy()
        target[:, :5] = UNKNOWN
        assert seen(case(ANSWERS, target)).counts.sum() == 2400
        assert seen(case(ANSWERS, target), case(ANSWERS, target)).counts.sum() == 4800


class TestOrigins:
    def test_the_class_that_most_of_it_is_given(self) -> None:
        origins = seen(case(ANSWERS, PAINTED)).origins(["tumour", "cyst"])
        assert {name: (origin.row, origin.share) for name, origin in origins.items()} == {
            "tumour": (1, 0.5),
            "cyst": (2, 1.0),
        }

    def test_what_was_not_found_has_none(self) -> None:
        assert set(seen(case(ANSWERS, np.where(PAINTED == 2, 0, PAINTED))).origins(["tumour", "cyst"])) == {"tumour"}


class TestEmptyClasses:
    def test_where_none_of_the_structures_lies(self) -> None:
        assert seen(case(ANSWERS, PAINTED)).empty_classes == (0, 3)

    def test_a_few_voxels_may_be_mistaken(self) -> None:
        target = PAINTED.copy()
        target[8, 0, :5] = 1  # 5 of 1200
        assert seen(case(ANSWERS, target)).empty_classes == (0, 3)
        target[8, :2] = 1  # 40
        assert seen(case(ANSWERS, target)).empty_classes == (0,)

    def test_a_small_structure_lies_in_a_large_class(self) -> None:
        target = np.zeros(PAINTED.shape, int)
        target[9, 5, 5:9] = 1  # 4 voxels of 1200, but all there is of it
        assert seen(case(ANSWERS, target)).empty_classes == (0, 1, 2)

    def test_too_little_is_known_of_a_class(self) -> None:
        target = PAINTED.copy()
        target[:2, :12] = UNKNOWN  # 120 voxels of background are left
        assert seen(case(ANSWERS, target)).empty_classes == (3,)


class TestAssumedBackground:
    def found(self, image: np.ndarray, target: np.ndarray, empty: tuple[int, ...] = (0, 3)) -> np.ndarray:
        return finish(assumed_background(BASE, Reader(), CPU, case(image, target), empty))

    def test_is_where_the_network_sees_an_empty_class_and_nobody_painted(self) -> None:
        target = np.where(np.arange(15)[None, :, None] < 5, PAINTED, UNKNOWN)
        expected = np.isin(ANSWERS, (0, 3)) & (target == UNKNOWN)
        assert np.array_equal(self.found(ANSWERS, target), expected)
        assert expected.any()

    def test_but_not_where_it_is_in_doubt(self) -> None:
        target = np.full(ANSWERS.shape, UNKNOWN)
        doubtful = ANSWERS.copy()
        doubtful[8:, :, :10] += 0.95  # as good as even odds
        found = self.found(doubtful, target)
        assert not found[8:, :, :10].any()
        assert found[8:, :, 10:].all()

    @pytest.mark.parametrize(("empty", "target"), [((), UNKNOWN), ((0, 3), 0)])
    def test_nothing_is_assumed(self, empty: tuple[int, ...], target: int) -> None:
        assert not self.found(ANSWERS, np.full(ANSWERS.shape, target), empty).any()
