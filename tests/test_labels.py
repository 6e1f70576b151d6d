from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.errors import InputError
from napari_resmed.labels import Code, Label, LabelMap, LabelSet, count_values, default_colour, smallest_integer_type

LIVER = Label(5, "liver", (200, 100, 0), Code("SCT", "10200004", "Liver"))
SPLEEN = Label(2, "spleen", (0, 100, 200))


class TestLabelSet:
    def test_is_in_order_of_value(self) -> None:
        labels = LabelSet((LIVER, SPLEEN))
        assert labels.values == (2, 5)
        assert [label.name for label in labels] == ["spleen", "liver"]

    def test_is_asked_by_value(self) -> None:
        labels = LabelSet((LIVER, SPLEEN))
        assert labels[5] is LIVER
        assert 5 in labels
        assert 3 not in labels
        with pytest.raises(KeyError):
            labels[3]

    def test_one_value_one_label(self) -> None:
        with pytest.raises(InputError, match="value 5 stands for two labels"):
            LabelSet((LIVER, Label(5, "other", (0, 0, 0))))

    @pytest.mark.parametrize("value", [0, -3])
    def test_background_is_no_label(self, value: int) -> None:
        with pytest.raises(InputError, match=f"value {value}, expected 1 or more"):
            LabelSet((Label(value, "air", (0, 0, 0)),))

    def test_completed_names_what_it_does_not_know(self) -> None:
        labels = LabelSet((LIVER,)).completed([0, 5, 9, 9])
        assert labels[5] is LIVER
        assert (labels[9].name, labels[9].colour) == ("label 9", default_colour(9))
        assert labels.values == (5, 9)

    def test_json_round_trip(self) -> None:
        labels = LabelSet((LIVER, SPLEEN))
        assert LabelSet.from_json(labels.to_json()) == labels

    @pytest.mark.parametrize(
        "entry",
        [
            {"name": "liver"},
            {"value": 1},
            {"value": "one", "name": "liver"},
            "liver",
            {"value": 1, "name": "a", "colour": 3},
            {"value": 1, "name": "a", "colour": [1, 2]},
            {"value": 1, "name": "a", "code": {"scheme": "SCT"}},
        ],
    )
    def test_a_wrong_entry_is_shown(self, entry: object) -> None:
        with pytest.raises(InputError, match="found the label entry"):
            LabelSet.from_json([entry])  # type: ignore[list-item]

    def test_without_colour_a_default(self) -> None:
        assert LabelSet.from_json([{"value": 3, "name": "x"}])[3].colour == default_colour(3)


class TestCalled:
    def test_its_code_stays_with_another_spelling_alone(self) -> None:
        positive = Label(1, "ER positive +", (1, 2, 3), LIVER.code)
        assert positive.called("er_positive +").code == LIVER.code
        assert positive.called("ER positive -").code is None
        assert positive.called("ER-positive +").code == LIVER.code


class TestDefaultColour:
    def test_first_seven_are_okabe_and_ito(self) -> None:
        # Color Universal Design, jfly.uni-koeln.de/color: orange, sky blue, bluish green, yellow, blue, ...
        assert [default_colour(value) for value in (1, 2, 3)] == [(230, 159, 0), (86, 180, 233), (0, 158, 115)]

    def test_a_hundred_and_four_structures_differ(self) -> None:
        assert len({default_colour(value) for value in range(1, 105)}) == 104

    @given(st.integers(1, 2**31))
    def test_is_a_colour(self, value: int) -> None:
        assert all(0 <= part <= 255 for part in default_colour(value))


class TestSmallestIntegerType:
    @pytest.mark.parametrize(
        ("largest", "dtype"),
        [(0, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4"), (-1, "u1")],
    )
    def test_just_holds_it(self, largest: int, dtype: str) -> None:
        assert smallest_integer_type(largest) == np.dtype(dtype)


class TestLabelMap:
    def test_bool_becomes_bytes(self) -> None:
        assert LabelMap(np.ones((2, 2, 2), bool), np.eye(4)).data.dtype == np.uint8

    def test_refuses_real_numbers(self) -> None:
        with pytest.raises(InputError, match="labels of type float32, expected whole numbers"):
            LabelMap(np.zeros((2, 2, 2), np.float32), np.eye(4))

    def test_refuses_negative_labels(self) -> None:
        with pytest.raises(InputError, match="found the label -1"):
            LabelMap(np.full((2, 2, 2), -1), np.eye(4))

    def test_counts_know_absent_and_unknown_labels(self) -> None:
        data = np.zeros((4, 4, 4), np.uint16)
        data[0, 0] = [2, 2, 300, 0]
        labels = LabelMap(data, np.eye(4), labels=LabelSet((LIVER, SPLEEN)))
        assert labels.counts() == {2: 2, 5: 0, 300: 1}

    def test_table_gives_volumes(self) -> None:
        data = np.zeros((4, 4, 4), np.uint8)
        data[:2] = 5
        table = LabelMap(data, np.diag([2, 2, 2, 1]), labels=LabelSet((LIVER,))).table()
        # 32 voxels of 8 cubic mm.
        assert table == [{"value": 5, "name": "liver", "voxels": 32, "volume_ml": 0.256}]


class TestCountValues:
    @given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=40), st.sampled_from(["u2", "u4", "i4", "i8"]))
    def test_agrees_with_numpy(self, values: list[int], dtype: str) -> None:
        data = np.array(values, dtype)
        found, counts = count_values(data)
        expected, expected_counts = np.unique(data, return_counts=True)
        assert found.tolist() == expected.tolist()
        assert counts.tolist() == expected_counts.tolist()
