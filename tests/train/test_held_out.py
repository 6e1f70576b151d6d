from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_resmed.models.cleanup import Cleanup
from napari_resmed.predict.machine import Machine
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.held_out import case_dice, dice_per_case, look_at, mean_dice
from napari_resmed.train.store import ASSUMED, Prepared
from tests.train.small import finish

CPU = Machine(torch.device("cpu"), "fp32")


def prepared(
    target: np.ndarray, image: np.ndarray | None = None, annotated: tuple[bool, ...] = (True,) * 3
) -> Prepared:
    image = target[None].astype(np.float16) if image is None else image
    return Prepared(image.astype(np.float16), target.astype(np.int8), np.array(annotated), {})


class Reader(nn.Module):
    """Answers what is written in the image; counts the windows."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.classes, self.windows = classes, 0

    def forward(self, image: Tensor) -> Tensor:
        self.windows += 1
        return -20 * (image - torch.arange(self.classes)[None, :, None, None, None]).abs()


def judged(*cases: Prepared, network: nn.Module | None = None, told: list | None = None) -> list[list[float | None]]:
    loads = [lambda case=case: case for case in cases]
    return finish(dice_per_case(network or Reader(), loads, CPU, (8, 8, 8)), told)


TARGET = np.zeros((20, 12, 16), int)
TARGET[3:9, 2:8, 2:8] = 1
TARGET[12:16, 5:9, 9:14] = 2


class TestDicePerCase:
    def test_a_right_answer(self) -> None:
        assert judged(prepared(TARGET)) == [[1.0, 1.0]]

    def test_a_wrong_one(self) -> None:
        seen = TARGET.copy()
        seen[3:6, 2:8, 2:8] = 0  # half of the first is missed
        seen[12:16, 5:9, 5:9] = 2  # and the second is found twice
        (row,) = judged(prepared(TARGET, seen[None]))
        assert row[0] == pytest.approx(2 * 108 / (108 + 216))
        assert row[1] == pytest.approx(2 * 80 / (80 + 144))

    def test_what_is_found_where_background_is_assumed_is_wrong(self) -> None:
        target = TARGET.copy()
        target[:2] = ASSUMED
        seen = TARGET.copy()
        seen[1, 2:8, 2:8] = 1
        ((first, second),) = judged(prepared(target, seen[None]))
        assert first == pytest.approx(2 * 216 / (216 + 252))
        assert second == 1.0

    def test_what_does_not_occur_or_was_not_looked_for_has_none(self) -> None:
        only = np.where(TARGET == 2, 0, TARGET)
        assert judged(prepared(only)) == [[1.0, None]]
        unseen = np.where(TARGET == 2, UNKNOWN, TARGET)
        assert judged(prepared(unseen, annotated=(True, True, False))) == [[1.0, None]]

    def test_what_nobody_looked_for_counts_as_background(self) -> None:
        # The network finds the second structure everywhere; there it can be no false first, and no miss of it.
        target = np.where(TARGET == 2, UNKNOWN, TARGET)
        seen = np.where(TARGET == 1, 1, 2)
        assert judged(prepared(target, seen[None], (True, True, False))) == [[1.0, None]]

    def test_unknown_voxels_do_not_count(self) -> None:
        target = TARGET.copy()
        target[:, :, 5:] = UNKNOWN
        seen = TARGET.copy()
        seen[:, :, 5:] = 1
        assert judged(prepared(target, seen[None])) == [[1.0, None]]

    def test_only_what_is_known_is_predicted(self) -> None:
        target = np.full((64, 64, 64), UNKNOWN)
        target[30, 20:44, 20:44] = 1
        slice_only, all_over = Reader(), Reader()
        image = 1 + 0.1 * np.random.default_rng(0).random((1, 64, 64, 64))  # windows of one value are answered once
        assert judged(prepared(target, image), network=slice_only) == [[1.0, None]]
        judged(prepared(np.ones((64, 64, 64), int), image), network=all_over)
        assert 0 < slice_only.windows < all_over.windows / 10

    @given(st.tuples(*[st.integers(1, 20)] * 3), st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.5, 0.99]))
    def test_images_of_any_size_known_anywhere(self, shape: tuple, seed: int, unknown: float) -> None:
        rng = np.random.default_rng(seed)
        whole = rng.integers(0, 3, shape)
        target = np.where(rng.random(shape) < unknown, UNKNOWN, whole)
        (row,) = judged(prepared(target, whole[None]))
        assert row == [1.0 if (target == k).any() else None for k in (1, 2)]

    def test_is_judged_as_it_is_cleaned_up(self) -> None:
        target = np.ones((20, 12, 16), int)
        target[8:] = 0
        stray = target.copy()
        stray[15, 3, 3:8] = 1
        loads = [lambda: prepared(target, stray[None])]
        known, part = {1: Cleanup(minimum_mm3=10)}, target.copy()
        part[:, :, 12:] = UNKNOWN

        def dice(cleanup: dict[int, Cleanup], voxel_mm3: float) -> list[list[float | None]]:
            return finish(dice_per_case(Reader(), loads, CPU, (8, 8, 8), cleanup=cleanup, voxel_mm3=voxel_mm3))

        assert dice({}, 1.0)[0][0] < 1
        assert dice(known, 1.0) == [[1.0, None]]
        assert dice(known, 3.0)[0][0] < 1  # the piece is 15 mm³
        loads[0] = lambda: prepared(part, stray[None])
        assert dice(known, 1.0)[0][0] < 1  # what is a piece is not known
        part = np.where(np.arange(20)[:, None, None] % 3 == 0, target, UNKNOWN)  # all over the image
        assert dice(known, 1.0)[0][0] < 1

    def test_tells_each_case(self) -> None:
        told: list = []
        rows = judged(prepared(TARGET), prepared(np.ones((9, 9, 9), int)), told=told)
        assert rows == [[1.0, 1.0], [1.0, None]]
        cases = [step for step in told if step is not None]
        assert [number for number, *_ in cases] == [0, 1]
        assert np.array_equal(cases[0][1], TARGET)
        assert told.count(None) > 5


class TestMeanDice:
    def test_over_the_cases_in_which_each_occurs(self) -> None:
        assert mean_dice([[1.0, None, 0.5], [0.5, None, None]]) == [0.75, None, 0.5]

    def test_case_dice_of_nothing_known(self) -> None:
        assert case_dice(np.zeros((2, 2, 2)), prepared(np.full((2, 2, 2), UNKNOWN))) == [None, None]


class TestLookAt:
    def test_the_slice_with_the_most(self) -> None:
        look = look_at("a", TARGET.astype(np.int16), prepared(TARGET), (3.0, 2.0, 1.0))
        assert (look.case, look.spacing_mm) == ("a", (2.0, 1.0))
        assert np.array_equal(look.truth, TARGET[3])
        assert np.array_equal(look.answer, look.truth)
        assert (look.image.dtype, look.truth.dtype, look.answer.dtype) == (np.float32, np.int16, np.int16)
