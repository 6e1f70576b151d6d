from __future__ import annotations

import numpy as np

from napari_resmed.train.little_held_out import LEAST_VOXELS, shown_in, why_hardly
from napari_resmed.train.store import Prepared, _places


def prepared(target: np.ndarray, annotated: tuple[bool, ...] = (True, True, True)) -> Prepared:
    return Prepared(np.zeros((1, *target.shape), np.float16), target, np.array(annotated), _places(target))


def target(*parts: tuple[int, tuple[slice, slice, slice]]) -> np.ndarray:
    made = np.zeros((20, 20, 20), np.int8)
    for number, where in parts:
        made[where] = number
    return made


THICK = (slice(2, 8), slice(2, 8), slice(2, 8))
FLAT = (slice(None), slice(11, 12), slice(None))


class TestWhyHardly:
    def test_a_single_slice_and_a_few_voxels(self) -> None:
        case = prepared(target((1, FLAT), (2, (slice(2, 4),) * 3)))
        assert shown_in(case) == {1: (400, 1), 2: (8, 2)}
        assert why_hardly([shown_in(case)], ["ball", "box"]) == (
            "held out is no more than a single slice of ball, 8 voxels of box, so its Dice is hardly a figure; paint "
            "more slices or add cases"
        )

    def test_enough(self) -> None:
        assert why_hardly([shown_in(prepared(target((1, THICK))))], ["ball", "box"]) == ""

    def test_cases_add_up(self) -> None:
        cases = [shown_in(prepared(target((1, FLAT)))), shown_in(prepared(target((1, FLAT))))]
        assert why_hardly(cases, ["ball"]) == ""
        few = {1: (LEAST_VOXELS // 2, 3)}
        assert "50 voxels of ball" in why_hardly([few], ["ball"])
        assert why_hardly([few, few], ["ball"]) == ""

    def test_what_nobody_looked_for_is_not_judged(self) -> None:
        assert shown_in(prepared(target((1, FLAT)), (True, False, True))) == {}

    def test_not_every_one_is_named(self) -> None:
        said = why_hardly([dict.fromkeys(range(1, 6), (1, 1))], list("abcde"))
        assert "1 voxel of a, 1 voxel of b, 1 voxel of c and 2 more," in said
