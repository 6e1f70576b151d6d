from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.project.incoming import in_labels_and_more
from napari_resmed.labels import Label, LabelMap, LabelSet, default_colour


def labels(names: dict[int, str]) -> LabelSet:
    return LabelSet(tuple(Label(value, name, default_colour(value)) for value, name in names.items()))


def come(project: dict[int, str], names: dict[int, str], *painted: int) -> tuple[dict[int, str], list[int]]:
    """The project's labels with those of a file, and the values that the painted ones have in it."""
    data = np.array([[painted]], np.uint8)
    more, found = in_labels_and_more(labels(project), LabelMap(data, np.eye(4), labels=labels(names)), Meaning())
    return {label.value: label.name for label in more}, found.data.ravel().tolist()


def test_names_that_differ_in_a_sign_are_two() -> None:
    assert come({1: "ER+"}, {1: "ER-"}, 1) == ({1: "ER+", 2: "ER-"}, [2])
    assert come({1: "GTV 1.1"}, {1: "GTV 11"}, 1) == ({1: "GTV 1.1", 2: "GTV 11"}, [2])


def test_names_that_differ_in_blanks_are_one() -> None:
    assert come({3: "Right Kidney"}, {1: "right_kidney"}, 1) == ({3: "Right Kidney"}, [3])
    assert come({3: "Right Kidney"}, {1: "RightKidney"}, 1) == ({3: "Right Kidney"}, [3])


def test_a_number_behind_a_name_that_is_there_twice_is_no_others() -> None:
    three = {1: "Lesion", 2: "Lesion", 3: "Lesion 2"}
    assert come({}, three, 1, 2, 3) == ({1: "Lesion", 2: "Lesion 3", 3: "Lesion 2"}, [1, 2, 3])


def test_what_somebody_painted_without_a_name_keeps_none() -> None:
    assert come({1: "label 1"}, {1: "kidney"}, 1) == ({1: "label 1", 2: "kidney"}, [2])


def test_a_value_without_a_name_in_a_file_of_other_numbers() -> None:
    with pytest.raises(InputError, match="its labels call 2 kidney, which is 3 here, and give 1 no name"):
        come({1: "liver", 3: "kidney"}, {2: "kidney"}, 1, 2)
    assert come({1: "liver", 3: "kidney"}, {3: "kidney"}, 1, 3) == ({1: "liver", 3: "kidney"}, [1, 3])
    assert come({3: "kidney"}, {2: "kidney"}, 1, 2) == ({1: "label 1", 3: "kidney"}, [1, 3])


def test_names_in_and_beside_a_file_that_contradict_each_other() -> None:
    data = np.array([[[2, 5]]], np.uint8)
    found, beside = LabelMap(data, np.eye(4), labels=labels({5: "T1"})), Meaning(labels({2: "T1"}))
    for project in ({2: "T1", 5: "Kidney"}, {}):
        if project:
            with pytest.raises(InputError, match="its labels call 5 T1, as the names beside them call another value"):
                in_labels_and_more(labels(project), found, beside)
        else:  # nothing is lost: it has no name
            assert in_labels_and_more(labels(project), found, beside)[1].data.ravel().tolist() == [2, 5]


def test_a_name_of_a_value_that_nobody_uses_is_none() -> None:
    assert come({}, {1: "unused 1", 2: "liver"}, 1, 2) == ({1: "label 1", 2: "liver"}, [1, 2])
