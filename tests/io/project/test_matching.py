from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.project import in_labels_of
from napari_resmed.io.structure_names import match_names
from napari_resmed.labels import Label, LabelMap, LabelSet

GREY = (9, 9, 9)
FOUND = LabelMap(
    np.array([[[0, 1, 2, 5]]], np.uint8),
    np.eye(4),
    labels=LabelSet((Label(1, "spleen", GREY), Label(2, "liver", GREY), Label(5, "kidney", GREY))),
)


def labels(**values: int) -> LabelSet:
    return LabelSet(tuple(Label(value, name, GREY) for name, value in values.items()))


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (["ER+"], ["ER-"], {}),
        (["GTV 11"], ["GTV 1.1", "GTV 1 1"], {}),
        (["M\u00fcller  duct"], ["mu\u0308ller_duct"], {"M\u00fcller  duct": "mu\u0308ller_duct"}),
        (["RightKidney"], ["right kidney"], {"RightKidney": "right kidney"}),
        (["RightKidney"], ["right kidney", "Rightkid ney"], {}),
        (["RightKidney", "right kidney"], ["Right_Kidney"], {"right kidney": "Right_Kidney"}),
        (["Liver", "liver"], ["liver", "Liver"], {"Liver": "Liver", "liver": "liver"}),
    ],
)
def test_which_names_are_one(theirs: list[str], ours: list[str], expected: dict[str, str]) -> None:
    assert match_names(theirs, ours) == expected


class TestMatching:
    def test_by_name_not_by_number(self) -> None:
        project = LabelSet((Label(1, "Liver", GREY), Label(300, "spleen ", GREY)))
        assert in_labels_of(project, FOUND, "m").data.tolist() == [[[0, 300, 1, 0]]]
        assert in_labels_of(project, FOUND, "m").labels == project

    def test_a_project_without_labels_takes_the_models(self) -> None:
        assert in_labels_of(LabelSet(), FOUND, "m") is FOUND

    def test_by_another_name_where_the_project_has_none_of_the_first(self) -> None:
        sides = LabelSet((Label(1, "left kidney", GREY), Label(2, "right kidney", GREY), Label(5, "spleen", GREY)))
        found = LabelMap(FOUND.data, np.eye(4), labels=sides)
        without = {"left kidney": "kidney", "right kidney": "kidney"}
        both = LabelSet((Label(7, "kidney", GREY), Label(8, "spleen", GREY)))
        assert in_labels_of(both, found, "m", without).data.tolist() == [[[0, 7, 7, 8]]]
        left = LabelSet((Label(7, "kidney", GREY), Label(8, "left kidney", GREY)))
        assert in_labels_of(left, found, "m", without).data.tolist() == [[[0, 8, 7, 0]]]
        with pytest.raises(InputError, match="knows none"):
            in_labels_of(both.__class__((both.labels[0],)), found, "m")

    def test_one_name_in_several_spellings(self) -> None:
        found = LabelMap(FOUND.data, np.eye(4), labels=labels(**{"liver": 1, "Right-Kidney": 2, "LeftKidney": 5}))
        project = LabelSet((Label(4, "right_kidney", GREY), Label(6, "Liver", GREY), Label(7, "left kidney", GREY)))
        assert in_labels_of(project, found, "m").data.tolist() == [[[0, 6, 4, 7]]]

    def test_a_model_of_something_else(self) -> None:
        with pytest.raises(InputError, match=r"m knows none of the project's structures \(lesion\)"):
            in_labels_of(LabelSet((Label(1, "lesion", GREY),)), FOUND, "m")
