from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels

from napari_resmed.labels import LEFT, Code, Label, LabelSet
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.label_meanings import label_of, rename


def layer(features: dict[str, list[Any]] | None = None) -> Labels:
    return Labels(np.zeros((2, 3, 4), np.uint8), features=None if features is None else pd.DataFrame(features))


def test_without_any_name_the_background_gets_one_too() -> None:
    labels = layer()
    rename(labels, 3, "liver")
    assert labels.features.to_dict("list") == {"index": [0, 3], "structure": ["background", "liver"]}
    assert label_of(labels, 3).name == "liver"


def test_other_columns_stay() -> None:
    labels = layer({"index": [0, 1, 2], "area": [90, 5, 7]})
    rename(labels, 2, "liver")
    rename(labels, 1, "spleen")
    assert labels.features.to_dict("list") == {
        "index": [0, 1, 2],
        "area": [90, 5, 7],
        "structure": ["background", "spleen", "liver"],
    }


def test_a_row_is_a_value_where_no_column_says_otherwise() -> None:
    labels = layer({"area": [90, 5, 7]})
    rename(labels, 2, "liver")
    assert list(labels.features["index"]) == [0, 1, 2]
    assert list(labels.features["area"]) == [90, 5, 7]
    assert label_of(labels, 2).name == "liver"


def test_a_value_without_a_row_gets_one() -> None:
    labels = layer({"index": [3, 1], "structure": ["liver", "spleen"], "area": [5, 7]})
    rename(labels, 2, "kidney")
    assert list(labels.features["index"]) == [1, 2, 3]
    assert list(labels.features["structure"]) == ["spleen", "kidney", "liver"]
    assert list(labels.features["area"]) == pytest.approx([7, np.nan, 5], nan_ok=True)


def test_codes_are_of_a_name() -> None:
    labels = layer()
    kidney = Label(1, "Left kidney", (1, 2, 3), Code("SCT", "64033007", "Kidney"), modifier=LEFT)
    labels.metadata[KEY] = {"labels": [kidney.to_json()]}
    rename(labels, 1, "Left kidney")
    (same,) = LabelSet.from_json(labels.metadata[KEY]["labels"])
    assert (same.code, same.modifier) == (kidney.code, LEFT)
    rename(labels, 1, "Spleen")
    (other,) = LabelSet.from_json(labels.metadata[KEY]["labels"])
    assert (other.name, other.code, other.modifier) == ("Spleen", None, None)
