from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from napari_resmed.train.classify.calibrate import fit_temperature
from napari_resmed.train.classify.loss import ClassBatch, class_loss

SCORES = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, -1.0]])
BATCH = ClassBatch(torch.zeros((3, 1, 2, 2)), torch.tensor([0, 1, 1]))


def test_plain_it_is_cross_entropy() -> None:
    assert float(class_loss()(SCORES, BATCH)) == pytest.approx(float(cross_entropy(SCORES, BATCH.target)))


def test_weights_and_smoothing_are_torchs() -> None:
    weights = [1.0, 3.0]
    expected = cross_entropy(SCORES, BATCH.target, weight=torch.tensor(weights))
    assert float(class_loss(weights)(SCORES, BATCH)) == pytest.approx(float(expected))
    expected = cross_entropy(SCORES, BATCH.target, label_smoothing=0.1)
    assert float(class_loss(smoothing=0.1)(SCORES, BATCH)) == pytest.approx(float(expected))


def test_the_focal_loss_is_that_of_its_equation() -> None:
    sure = torch.softmax(SCORES, 1)[torch.arange(3), BATCH.target]
    expected = -((1 - sure) ** 2 * sure.log()).mean()
    assert float(class_loss(focus=2.0)(SCORES, BATCH)) == pytest.approx(float(expected))


class TestTemperature:
    def test_answers_that_are_too_sure_are_softened(self) -> None:
        rng = np.random.default_rng(0)
        honest = rng.normal(0, 1.5, (4000, 3))
        shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
        truth = np.array([rng.choice(3, p=share) for share in shares])
        assert fit_temperature(3 * honest, truth) == pytest.approx(3, rel=0.1)
        assert fit_temperature(honest, truth) == pytest.approx(1, rel=0.1)

    def test_a_few_right_answers_are_no_reason_to_be_sure(self) -> None:
        scores = np.array([[1.0, 0.0], [0.8, 0.0], [0.0, 1.0], [0.0, 0.7]])
        temperature = fit_temperature(scores, np.array([0, 0, 1, 1]))
        sure = 1 / (1 + np.exp(-np.abs(scores[:, 0] - scores[:, 1]) / temperature))
        assert sure.mean() == pytest.approx(5 / 6, abs=0.02)

    def test_it_stays_within_reason(self) -> None:
        right = np.array([[9.0, 0.0], [0.0, 9.0]])
        assert fit_temperature(right, np.array([0, 1])) >= 0.1
        assert fit_temperature(right, np.array([1, 0])) <= 10
        assert fit_temperature(np.zeros((0, 2)), np.zeros(0, int)) == 1
