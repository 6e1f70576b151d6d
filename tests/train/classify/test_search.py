from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.search import SPACE, Searched, Tried, ask, changed, in_words, trial_plan
from tests.train.classify.small import network
from tests.train.small import GENTLE


def dataset(count: int = 24, per_patient: int = 2) -> Dataset:
    made = tuple(
        Case(f"c{n}", (Path(f"c{n}.png"),), group=f"p{n // per_patient}", class_name="ab"[n // per_patient % 2])
        for n in range(count)
    )
    return Dataset(made, classes=("a", "b"))


def plan(data: Dataset | None = None, **changes: Any) -> ClassPlan:
    names = [case.name for case in (data or dataset()).cases]
    given: dict[str, Any] = {
        "name": "m", "classes": ("a", "b"), "channels": ("image",), "network": "ImageClassifier",
        "arguments": network(), "preparation": Preparation((1.0, 1.0, 1.0), orientation=STORED), "patch": (1, 16, 16),
        "fit": "whole", "batch": 4, "training": tuple(names[:-4]), "held_out": tuple(names[-4:]), "minutes": 5.0,
        "search": 6.0, "augmentation": GENTLE, "label_smoothing": 0.05,
    }  # fmt: skip
    return ClassPlan(**{**given, **changes})


class TestTrial:
    def test_what_is_held_out_has_no_say(self) -> None:
        data = dataset()
        made, trial = plan(data), trial_plan(plan(data), data)
        assert not set(made.held_out) & {*trial.training, *trial.held_out}
        assert {*trial.training, *trial.held_out} == set(made.training)
        of = {case.name: case for case in data.cases}
        assert not {of[n].patient for n in trial.training} & {of[n].patient for n in trial.held_out}
        assert {of[n].class_name for n in trial.held_out} == {"a", "b"}

    def test_it_is_shorter(self) -> None:
        trial = trial_plan(plan(), dataset())
        assert trial.minutes == pytest.approx(0.5)
        assert trial.search is None
        trial = trial_plan(plan(minutes=None, steps=42), dataset())
        assert (trial.minutes, trial.steps) == (None, 11)

    def test_too_few_patients(self) -> None:
        data = dataset(8, 2)
        with pytest.raises(InputError, match="too few patients"):
            trial_plan(plan(data), data)


class TestSpace:
    def test_the_planned_place_comes_first_and_changes_nothing(self) -> None:
        values, _ = ask(plan(), Searched(0.0, []))
        assert values.keys() == SPACE.keys()
        assert changed(plan(), values) == plan()

    def test_every_place_makes_a_plan(self) -> None:
        tried: list[Tried] = []
        places = []
        for number in range(6):
            values, trial = ask(plan(), Searched(1.0, tried))
            made = changed(plan(), values)
            assert ClassPlan.from_json(json.loads(json.dumps(made.to_json()))) == made
            assert all(low <= values[name] <= high for name, (low, high, _) in SPACE.items())
            trial.report(0.5, 5)
            tried.append(Tried(values, {5: 0.5}, 0.5, number != 2))
            places.append(values["rate"])
        assert len(set(places)) == 6

    def test_what_lags_behind_is_given_up(self) -> None:
        values, _ = ask(plan(), Searched(0.0, []))
        tried = [Tried(values, {2: 0.8, 10: 0.9}, 0.9, True) for _ in range(5)]
        _, trial = ask(plan(), Searched(1.0, tried))
        trial.report(0.5, 2)
        assert trial.should_prune()

    def test_from_a_trained_network_its_rates_too(self) -> None:
        assert "layer_decay" in ask(plan(base="r.pth", layer_decay=0.8), Searched(0.0, []))[0]

    def test_without_optuna_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "optuna", None)
        with pytest.raises(InputError, match=r"napari-resmed\[search\]"):
            ask(plan(), Searched(0.0, []))


class TestFile:
    def test_it_is_the_same_again(self, tmp_path: Path) -> None:
        tried = [Tried({"rate": 2.0}, {3: 0.7}, 0.7, True), Tried({"rate": 3.0}, {1: 0.9}, 0.9, False)]
        Searched(12.5, tried).save(tmp_path / "search.json")
        again = Searched.load(tmp_path / "search.json")
        assert again == Searched(12.5, tried)
        # What was given up was not judged at its end.
        assert again.best == tried[0]

    def test_none_and_a_damaged_one(self, tmp_path: Path) -> None:
        assert Searched.load(tmp_path / "search.json").tried == []
        (tmp_path / "search.json").write_text('{"seconds": 1}')
        with pytest.raises(InputError, match="damaged"):
            Searched.load(tmp_path / "search.json")


def test_in_words() -> None:
    assert in_words({"rate": 2.0, "weight_decay": 0.01}) == "learning rate ×2, weight decay 0.01"
