from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_cdt

from napari_resmed.io.project import case_uncertainty
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume


def figure(entropy: np.ndarray, labels: np.ndarray, spacing: float = 1.0) -> float:
    affine = np.diag([spacing, spacing, spacing, 1.0])[[2, 1, 0, 3]]
    return case_uncertainty(Volume(entropy, affine), LabelMap(labels.astype(np.uint8), affine))


class TestCaseUncertainty:
    def test_what_is_far_from_any_structure_does_not_count(self) -> None:
        labels, entropy = np.zeros((20, 20, 20)), np.full((20, 20, 20), 0.9)
        labels[2:4, 2:4, 2:4] = 1
        entropy[:7, :7, :7] = 0.2
        assert figure(entropy, labels) == pytest.approx(0.2)

    def test_the_margin_is_in_millimetres(self) -> None:
        labels, entropy = np.zeros((9, 9, 9)), np.zeros((9, 9, 9))
        labels[4, 4, 4] = 1
        entropy[4, 4, 6] = 1
        assert figure(entropy, labels, 1.0) > 0  # 2 mm away
        assert figure(entropy, labels, 2.0) == 0  # 4 mm away

    def test_nothing_found_is_worth_a_look(self) -> None:
        assert figure(np.zeros((4, 4, 4)), np.zeros((4, 4, 4))) == 1

    @given(hnp.arrays(np.bool_, (5, 6, 7)), st.integers(0, 100))
    def test_mean_over_a_box_around_the_structures(self, mask: np.ndarray, seed: int) -> None:
        entropy = np.random.default_rng(seed).random(mask.shape)
        if mask.any():
            near = distance_transform_cdt(~mask, "chessboard") <= 3
            assert figure(entropy, mask) == pytest.approx(entropy[near].mean())
