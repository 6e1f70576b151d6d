from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from napari_resmed.errors import ModelError
from napari_resmed.labels import LabelSet
from napari_resmed.models.model import Model
from napari_resmed.models.one_window import OneWindow
from napari_resmed.prepare.preparation import Preparation
from tests.small_models import BANDS, describe

WISHES = OneWindow(voxels=1000, look_mm=3.0, margin_mm=10.0)


def test_comes_back_from_a_file_and_is_left_out_where_there_is_none() -> None:
    model = replace(describe(), one_window=WISHES)
    written = json.loads(json.dumps(model.to_json()))
    assert Model.from_json({"version": "1", "resmed": written}).one_window == WISHES
    assert "one_window" not in describe().to_json()
    assert Model.from_json({"version": "1", "resmed": describe().to_json()}).one_window is None
    passing = replace(WISHES, passed_over=(1, 300))
    assert OneWindow.from_json(json.loads(json.dumps(passing.to_json()))) == passing
    former = {name: value for name, value in WISHES.to_json().items() if name != "passed_over"}
    assert OneWindow.from_json(former) == WISHES


@pytest.mark.parametrize(
    "entry",
    [
        "yes",
        {},
        {"voxels": 1000},
        {**WISHES.to_json(), "more": 1},
        {**WISHES.to_json(), "voxels": "many"},
        {**WISHES.to_json(), "voxels": 0},
        {**WISHES.to_json(), "mirrored": "yes"},
        {**WISHES.to_json(), "passed_over": 3},
        {**WISHES.to_json(), "passed_over": ["fluid"]},
        {**WISHES.to_json(), "look_mm": 0},
        {**WISHES.to_json(), "look_mm": float("nan")},
        {**WISHES.to_json(), "margin_mm": -1},
        {**WISHES.to_json(), "margin_mm": float("inf")},
    ],
)
def test_what_makes_no_sense_is_refused(entry: Any) -> None:
    with pytest.raises(ModelError, match="one window"):
        OneWindow.from_json(entry)


def test_a_margin_too_narrow_grows_until_the_whole_image_is_gone_through() -> None:
    wider = WISHES.wider()
    assert wider == replace(WISHES, margin_mm=30.0)
    assert wider.wider() is None
    none = replace(WISHES, margin_mm=0.0).wider()
    assert none is not None
    assert none.margin_mm == 3.0


@pytest.mark.parametrize(
    "changes",
    [
        {"regions": BANDS.values},
        {"preparation": Preparation((1.0, 1.0, 1.0), own_spacing=True)},
        {"preparation": Preparation((1.0, 1.0, 1.0), interpolation="cubic")},
        {"preparation": Preparation((1.0, 1.0, 1.0), size=(8, 8, 8))},
        {"network": "UNETR"},
        {"arguments": {"spatial_dims": 2}},
        {"task": "classification", "labels": LabelSet(), "classes": ("a", "b"), "fit": "stretch"},
    ],
)
def test_models_that_see_images_otherwise_have_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        replace(describe(), one_window=WISHES, **changes)
