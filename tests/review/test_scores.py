from __future__ import annotations

import json

import pytest

from napari_resmed.review.metrics import METRICS, LabelScore, absent
from napari_resmed.review.scores import CaseScores, Evaluation, summarise


def score(value: int, dice: float, distance: float | None = 1.0) -> LabelScore:
    status = "compared" if distance is not None else "missed"
    return LabelScore(value, status, 10, 10, 0.01, 0.01, dice=dice, hausdorff_95_mm=distance)  # type: ignore[arg-type]


CASES = (
    CaseScores("a", "a.nii", "a_seg.nii", (score(1, 0.8, 2.0), score(2, 0.5, 6.0))),
    CaseScores("b", "b.nii", "b_seg.nii", (score(1, 0.0, None), absent(2))),
    CaseScores("c", "c.nii", None, (score(1, 0.4, 4.0), score(2, 0.7).not_annotated())),
)
NAMES = {1: "Liver", 2: "Spleen"}


class TestSummarise:
    def test_counts_what_happened(self) -> None:
        (liver, spleen), _ = summarise(CASES, NAMES)
        assert (liver.compared, liver.missed, liver.false_alarms, liver.absent, liver.not_annotated) == (2, 1, 0, 0, 0)
        assert (spleen.compared, spleen.missed, spleen.absent, spleen.not_annotated) == (1, 0, 1, 1)

    def test_a_miss_counts_with_its_zero_and_without_a_distance(self) -> None:
        (liver, _), _ = summarise(CASES, NAMES)
        dice, distance = liver.statistics["dice"], liver.statistics["hausdorff_95_mm"]
        assert (dice.cases, dice.mean, dice.median, dice.min, dice.max) == (3, pytest.approx(0.4), 0.4, 0.0, 0.8)
        assert dice.std == pytest.approx(0.4)
        assert (distance.cases, distance.mean) == (2, 3.0)

    def test_what_is_absent_or_unknown_is_in_no_mean(self) -> None:
        (_, spleen), _ = summarise(CASES, NAMES)
        assert (spleen.statistics["dice"].cases, spleen.statistics["dice"].mean) == (1, 0.5)
        assert spleen.statistics["dice"].std is None

    def test_the_mean_is_over_labels(self) -> None:
        _, mean = summarise(CASES, NAMES)
        assert mean["dice"] == pytest.approx((0.4 + 0.5) / 2)
        assert mean["hausdorff_95_mm"] == pytest.approx((3 + 6) / 2)
        assert mean["precision"] is None


class TestEvaluation:
    def test_as_json_and_as_rows(self) -> None:
        labels, mean = summarise(CASES, NAMES)
        found = Evaluation("p", "t", 1.0, CASES, labels, mean, failed={"d": "damaged"}, warnings=("careful",))
        document = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert [row["case"] for row in document["cases"]] == ["a", "b", "c"]
        assert document["cases"][0]["mean"]["dice"] == 0.65
        assert document["cases"][1]["mean"]["hausdorff_95_mm"] is None
        assert document["labels"][0]["name"] == "Liver"
        assert document["labels"][0]["mean"]["dice"] == 0.4
        assert document["labels"][0]["cases"]["hausdorff_95_mm"] == 2
        assert set(document["mean"]) == {metric.key for metric in METRICS}
        assert document["failed"] == [{"case": "d", "reason": "damaged"}]
        rows = found.rows()
        assert [(row["case"], row["label"], row["status"]) for row in rows] == [
            ("a", 1, "compared"), ("a", 2, "compared"), ("b", 1, "missed"), ("b", 2, "absent"),
            ("c", 1, "compared"), ("c", 2, "not annotated"),
        ]  # fmt: skip
        assert all(list(row) == list(rows[0]) for row in rows)
