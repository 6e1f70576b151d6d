from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.from_viewer import join_cases, join_classes
from napari_resmed.volume import Volume
from tests.affines import make_affine


def image(modality: str = "", channels: int = 1) -> Volume:
    data = np.random.default_rng(0).random((channels, 4, 5, 6))
    return Volume(data if channels > 1 else data[0], make_affine(), "czyx" if channels > 1 else "zyx", modality)


def painted(values: tuple[int, ...] = (1,), **names: int) -> LabelMap:
    data = np.zeros((4, 5, 6), np.uint8)
    data.flat[: len(values)] = values
    labels = LabelSet(tuple(Label(value, name.replace("_", " "), (1, 1, 1)) for name, value in names.items()))
    return LabelMap(data, make_affine(), labels=labels)


def entry(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "images": [image()], "labels": painted(liver=1), **more}


class TestJoin:
    def test_a_pair_of_layers(self) -> None:
        made = join_cases([entry()])
        (case,) = made.cases
        assert (case.name, case.only_painted, case.annotated) == ("a", False, None)
        assert [(label.value, label.name) for label in made.labels] == [(1, "liver")]
        assert (made.background, made.channels) == (None, ("image",))

    def test_names_come_together(self) -> None:
        made = join_cases([entry(), entry("b", labels=painted((2, 3), spleen=2))])
        assert [(label.value, label.name) for label in made.labels] == [(1, "liver"), (2, "spleen"), (3, "label 3")]

    def test_the_label_called_background_is_no_structure(self) -> None:
        made = join_cases([entry(labels=painted((1, 2), Background=2, liver=1), only_painted=True)])
        assert made.background == 2
        assert made.labels.values == (1,)
        assert made.cases[0].only_painted

    def test_the_other_fields_of_a_case(self) -> None:
        (case,) = join_cases(
            [entry(complete_slices=[[0, 2], [2, 1]], annotated=[1], split="train", group="anna")]
        ).cases
        assert case.complete_slices == ((0, 2), (2, 1))
        assert (case.annotated, case.split, case.group) == ((1,), "train", "anna")

    def test_a_name_is_made_where_there_is_none(self) -> None:
        assert [case.name for case in join_cases([entry(""), entry("")]).cases] == ["case 1", "case 2"]


class TestLonelyLabels:
    def test_are_cases_where_images_are_painted(self) -> None:
        made = join_cases([entry(images=[]), entry("b", images=None)], lonely_labels=True)
        assert [case.has_image for case in made.cases] == [False, False]
        assert [case.split for case in made.cases] == ["", ""]
        assert made.channels == ("image",)

    def test_are_not_held_out_where_images_are_there_for_it(self) -> None:
        cases = [entry(images=[]), *(entry(name, images=[image("CT"), image("PT")]) for name in "bc")]
        made = join_cases(cases, lonely_labels=True)
        assert [(case.has_image, case.split) for case in made.cases] == [(False, "train"), (True, ""), (True, "")]
        assert made.channels == ("CT", "PT")


class TestChannels:
    @pytest.mark.parametrize(
        ("images", "expected"),
        [
            ([image("CT")], ("CT",)),
            ([image()], ("image",)),
            ([image(channels=3)], ("channel 1", "channel 2", "channel 3")),
            ([image("CT"), image("PT")], ("CT", "PT")),
            ([image("MR"), image("MR")], ("image 1", "image 2")),
            ([image(), image("MR")], ("image 1", "image 2")),
        ],
    )
    def test_are_named_by_what_tells_them_apart(self, images: list[Volume], expected: tuple[str, ...]) -> None:
        assert join_cases([entry(images=images)]).channels == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("cases", "said"),
        [
            ([], "nothing to learn from"),
            ([entry(images=[])], "a has labels and no image; choose the image"),
            ([entry(images=None)], "a has labels and no image"),
            ([entry(labels=None)], "a has no labels; paint some"),
            (
                [entry(), entry("b", images=[image(), image()])],
                "a has 1 channels and b has 2; every case needs the same",
            ),
            (
                [entry(), entry("b", labels=painted(spleen=1))],
                "label 1 is called 'liver' in one case and 'spleen' in b",
            ),
            ([entry(), entry("b", labels=painted(background=1))], "label 1 is background in one case and 'liver' in"),
            (
                [entry(labels=painted((1, 2), liver=1, background=2)), entry("b", labels=painted((3,), background=3))],
                "background is label 2 in one case and 3 in b",
            ),
            ([entry(), entry()], "two cases are called a"),
            ([entry(split="holdout")], "is in the split 'holdout'"),
        ],
    )
    def test_in_one_sentence(self, cases: list[dict[str, Any]], said: str) -> None:
        with pytest.raises(InputError) as caught:
            join_cases(cases)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


class TestClasses:
    def test_modalities_are_channels_and_some_may_be_missing(self) -> None:
        made = join_classes(
            [
                {"name": "a", "images": [image("x"), image("y")], "modalities": ["T1", "FLAIR"], "class_name": "ill"},
                {"name": "b", "images": [image("x")], "modalities": ["T1"], "class_name": "well", "group": "p"},
            ]
        )
        assert made.channels == ("FLAIR", "T1")
        first, second = made.cases
        assert [one.modality for one in first.images if isinstance(one, Volume)] == ["y", "x"]
        assert (first.channels, second.channels) == ((), (1,))

    def test_however_it_is_written_a_modality_is_one_and_never_twice_in_a_case(self) -> None:
        a = {"name": "a", "images": [image("x"), image("y")], "modalities": ["T1", "FLAIR"], "class_name": "ill"}
        b = {"name": "b", "images": [image("x")], "modalities": ["t1"], "class_name": "well"}
        made = join_classes([a, b])
        assert (made.channels, made.cases[1].channels) == (("FLAIR", "T1"), (1,))
        with pytest.raises(InputError, match="b has two images 'T1', expected one of each modality"):
            join_classes([a, {**b, "images": [image("x"), image("y")], "modalities": ["t1", "T1"]}])

    def test_every_image_is_of_one(self) -> None:
        cases = [
            {"name": "a", "images": [image()], "modalities": ["T1"], "class_name": "ill"},
            {"name": "b", "images": [image()], "class_name": "well"},
        ]
        with pytest.raises(InputError, match="b has 1 images of 0 modalities, expected one each"):
            join_classes(cases)
