from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.review.class_scores import BINS, Answers, measure_classes, reliability

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn, with which figures are compared, is not here")


def answers(seed: int = 0, count: int = 150, kinds: int = 3, patients: int | None = None) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, kinds, count)
    shares = rng.random((count, kinds)) + 1.2 * np.eye(kinds)[truth] * rng.random((count, 1))
    shares /= shares.sum(1, keepdims=True)
    return Answers(
        tuple(f"case{number}" for number in range(count)),
        tuple(f"patient{number % (patients or count)}" for number in range(count)),
        tuple("abc"[:kinds]),
        truth,
        shares.argmax(1),
        shares,
    )


@pytest.mark.parametrize("kinds", [2, 3])
def test_figures_are_scikit_learns(kinds: int) -> None:
    found = answers(kinds=kinds)
    summaries, mean, _ = measure_classes(found, resamples=0)
    truth, said = found.truth, found.predicted
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, said, zero_division=0)
    for number, of in enumerate(summaries):
        assert of.cases == support[number]
        expected = {
            "precision": precision[number],
            "recall": recall[number],
            "f1": f1[number],
            "specificity": metrics.recall_score(truth != number, said != number),
            "auc": metrics.roc_auc_score(truth == number, found.shares[:, number]),
            "average_precision": metrics.average_precision_score(truth == number, found.shares[:, number]),
        }
        assert of.figures == pytest.approx(expected, abs=1e-12)
    assert mean["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert mean["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert mean["f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    if kinds > 2:
        expected_auc = metrics.roc_auc_score(truth, found.shares, multi_class="ovr")
        assert mean["auc"] == pytest.approx(expected_auc)


def test_a_class_that_is_never_said() -> None:
    found = Answers(
        ("a", "b"),
        ("a", "b"),
        ("x", "y", "z"),
        np.array([0, 1]),
        np.array([0, 0]),
        np.array([[0.9, 0.1, 0], [0.6, 0.4, 0]]),
    )
    x, y, z = measure_classes(found, resamples=0)[0]
    assert (y.figures["precision"], y.figures["recall"], y.figures["f1"]) == (0, 0, 0)
    assert (z.figures["precision"], z.figures["recall"], z.figures["auc"]) == (None, None, None)
    assert x.figures["precision"] == 0.5


def test_calibration_error_of_a_case_worked_by_hand() -> None:
    # Four answers as sure as 0.9, three right; two as sure as 0.6, both right.
    shares = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2)
    found = Answers(
        tuple("abcdef"), tuple("abcdef"), ("x", "y"), np.array([0, 0, 0, 1, 0, 0]), np.zeros(6, int), shares
    )
    expected = (4 * abs(0.9 - 0.75) + 2 * abs(0.6 - 1)) / 6
    assert measure_classes(found, resamples=0)[1]["calibration_error"] == pytest.approx(expected)
    sure, right, count = reliability(found)
    assert count.sum() == 6
    assert len(sure) == BINS
    assert right[count == 4] == [0.75]


class TestIntervals:
    def test_they_hold_the_figure_and_shrink_with_more_cases(self) -> None:
        widths = []
        for count in (60, 600):
            _, mean, intervals = measure_classes(answers(count=count), resamples=200)
            low, high = intervals["accuracy"]  # type: ignore[misc]
            assert mean["accuracy"] is not None
            assert low < mean["accuracy"] < high
            widths.append(high - low)
        assert widths[1] < 0.6 * widths[0]

    def test_images_of_one_patient_are_drawn_together(self) -> None:
        alone, together = answers(), answers(patients=10)
        spread = []
        for found in (alone, together):
            # Every image of a patient is right or wrong alike.
            right = np.arange(150) % 10 < 6
            said = np.where(right, found.truth, (found.truth + 1) % 3)
            same = Answers(found.names, found.patients, found.classes, found.truth, said, found.shares)
            low, high = measure_classes(same, resamples=200)[2]["accuracy"]  # type: ignore[misc]
            spread.append(high - low)
        assert spread[1] > 2 * spread[0]

    def test_the_same_seed_gives_the_same(self) -> None:
        assert measure_classes(answers(), 50, seed=3)[2] == measure_classes(answers(), 50, seed=3)[2]
