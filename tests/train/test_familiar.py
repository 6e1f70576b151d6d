from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.case_facts import CaseFacts, examine
from napari_resmed.train.familiar import Answered, familiar_with
from napari_resmed.train.store import Prepared
from tests.train.small import NAMES, dataset

KNOWN = dataset(4)
FACTS = [facts for case in KNOWN.cases if (facts := examine(case, KNOWN).facts) is not None]


def prepared(target: np.ndarray, annotated: tuple[bool, ...] = (True,) * 3) -> Prepared:
    return Prepared(np.zeros((1, *target.shape), np.float16), target.astype(np.int8), np.array(annotated), {})


TARGET = np.zeros((8, 8, 8), int)
TARGET[1:4, 1:4, 1:4] = 1
TARGET[5:7, 1:4, 1:4] = 2


class TestAnswered:
    def test_counts_what_is_and_what_was_found(self) -> None:
        answer = np.where(TARGET == 2, 0, TARGET).astype(np.int16)
        assert Answered.of(answer, prepared(TARGET), 0.9) == Answered((27, 0), (27, 18), 0.9)

    def test_a_part_that_is_unknown_makes_volumes_worthless(self) -> None:
        part = TARGET.copy()
        part[0] = UNKNOWN
        assert Answered.of(TARGET.astype(np.int16), prepared(part), 0.9) is None
        # Where a structure was not looked for, those that were are known.
        assert Answered.of(TARGET.astype(np.int16), prepared(part, (True, True, False)), 0.9) is not None


class TestFamiliar:
    def test_says_what_the_cases_are_like(self) -> None:
        known = familiar_with(FACTS, [], [], NAMES)
        assert known.images == 4
        assert known.extent_mm == ((20.0, 20.0), (22.0, 22.0), (24.0, 24.0))
        assert known.voxel_mm == 1.0
        ((low, high),) = known.lowest
        assert low == min(round(case.image[0].p00_5, 3) for case in FACTS)
        assert high == max(round(case.image[0].p00_5, 3) for case in FACTS)
        assert not known.volumes
        assert known.certainty is None

    def test_a_networks_errors_move_and_widen_the_volumes(self) -> None:
        right = [Answered((500, 216), (500, 216), 0.9)] * 3
        half = [Answered((250, 216), (500, 216), 0.9)] * 3
        plain, halved = (familiar_with(FACTS, [], answers, NAMES).volumes for answers in (right, half))
        true = [case.voxels[1] / 1000 for case in FACTS]
        assert plain[1].ml == pytest.approx(math.exp(np.mean(np.log(true))), rel=1e-3)
        assert halved[1].ml == pytest.approx(plain[1].ml / 2, rel=1e-3)
        assert halved[5] == plain[5]
        mixed = familiar_with(FACTS, [], [right[0], Answered((100, 216), (500, 216), 0.9)], NAMES).volumes
        assert mixed[1].factor > 2

    def test_a_structure_that_may_be_missing_has_no_usual_volume(self) -> None:
        answers = [Answered((500, 216), (500, 216), 0.9)]
        without: CaseFacts = replace(FACTS[0], voxels={0: 100, 1: 500, 5: 0})
        assert set(familiar_with([*FACTS[1:], without], [], answers, NAMES).volumes) == {1}
        missed = [Answered((0, 216), (500, 216), 0.9)]
        assert set(familiar_with(FACTS, [], missed, NAMES).volumes) == {5}

    def test_label_maps_say_nothing_of_intensities(self) -> None:
        alone = [replace(case, has_image=False) for case in FACTS]
        assert familiar_with(alone, [], [], NAMES).lowest == ()
