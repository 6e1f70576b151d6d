from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.review.ranking import area_under_roc, average_precision, precision_recall_curve, roc_curve

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn, with which figures are compared, is not here")


def some(seed: int, count: int = 200, steps: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Scores in steps, so that there are many ties."""
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.3
    return positive, np.round((rng.random(count) + 0.5 * positive) * steps) / steps


@pytest.mark.parametrize("seed", range(3))
def test_areas_are_scikit_learns(seed: int) -> None:
    positive, scores = some(seed)
    assert area_under_roc(positive, scores) == pytest.approx(metrics.roc_auc_score(positive, scores), abs=1e-12)
    expected = metrics.average_precision_score(positive, scores)
    assert average_precision(positive, scores) == pytest.approx(expected, abs=1e-12)


def test_curves_are_scikit_learns() -> None:
    positive, scores = some(7)
    wrong, right, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    assert np.allclose(roc_curve(positive, scores), (wrong, right))
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    mine = precision_recall_curve(positive, scores)
    # Theirs runs from the lowest score up, and ends in a point of its own.
    assert np.allclose(mine[0][::-1], precision[:-1])
    assert np.allclose(mine[1][::-1], recall[:-1])


def test_what_is_not_there_has_no_figure() -> None:
    scores = np.array([0.1, 0.2])
    assert area_under_roc(np.array([True, True]), scores) is None
    assert area_under_roc(np.array([False, False]), scores) is None
    assert average_precision(np.array([False, False]), scores) is None


def test_scores_that_say_nothing_are_worth_a_half() -> None:
    assert area_under_roc(np.array([True, False, True]), np.ones(3)) == 0.5
