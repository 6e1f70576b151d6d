from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_resmed.case import Case
from napari_resmed.train.same_images import find_same, image_digest, kept_for_test, notes_of_same, patients_of
from napari_resmed.volume import Volume
from tests.affines import make_affine


def case(name: str, split: str = "", patient: str = "") -> Case:
    return Case(name, (Path(f"{name}.nii"),), split=split, group=patient)


class TestDigest:
    def test_equal_voxels_whatever_their_type(self) -> None:
        voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
        image = Volume(voxels, make_affine())
        for stored in (voxels.astype(np.float64), voxels.astype(">i4"), np.asfortranarray(voxels)):
            assert image_digest(Volume(stored, make_affine())) == image_digest(image)
        other = voxels.copy()
        other[2, 3, 4] += 1
        assert image_digest(image.with_data(other)) != image_digest(image)
        assert image_digest(Volume(voxels.reshape(4, 3, 5), make_affine())) != image_digest(image)

    def test_large_slices_are_looked_at_to_their_end(self) -> None:
        voxels = np.zeros((1, 2100, 2100), np.uint8)
        changed = voxels.copy()
        changed[0, -1, -1] = 1
        digests = {image_digest(Volume(data, make_affine())) for data in (voxels, changed)}
        assert len(digests) == 2


def test_found_by_their_digest() -> None:
    assert find_same([("a", 1), ("b", 2), ("c", 1), ("d", 3)]) == (("a", "c"),)


class TestTestSplit:
    CASES = (case("t", "test", "P"), case("twin"), case("sister", patient="P"), case("own"), case("given", "train"))

    def test_what_belongs_to_it_is_kept_for_it(self) -> None:
        same = (("t", "twin"), ("own", "given"))
        assert kept_for_test(self.CASES, same) == {
            "twin": "it holds the same image as t, which is in the test split",
            "sister": "its patient is in the test split",
        }
        assert kept_for_test(self.CASES[1:], ()) == {}

    def test_what_was_given_to_training_stays_and_is_told(self) -> None:
        same = (("t", "given"),)
        assert "given" not in kept_for_test(self.CASES, same)
        assert patients_of(self.CASES, same)["given"] == "given"
        (note,) = notes_of_same(self.CASES, same)
        assert note.startswith("t and given hold the same image though")
        assert note.endswith("a test on them flatters")

    def test_doubles_within_it_are_its_own_affair(self) -> None:
        assert notes_of_same((case("s", "test"), case("t", "test"), case("a")), (("s", "t"),)) == []


class TestNotes:
    def test_of_many_how_many_more(self) -> None:
        cases = [case(f"{letter}{n}") for n in range(12) for letter in "ab"]
        cases[-2:] = [replace(cases[-2], split="train"), replace(cases[-1], split="validation")]
        notes = notes_of_same(cases, tuple((f"a{n}", f"b{n}") for n in range(12)))
        assert len(notes) == 11
        assert notes[0] == "a0 and b0 hold the same image and stay together, learnt from or held out"
        assert notes[-1] == (
            "2 more images are there twice or more often, 1 of them on both sides of the split as it was given"
        )

    def test_names_a_few(self) -> None:
        cases = [case(f"c{n}") for n in range(9)]
        (note,) = notes_of_same(cases, (tuple(one.name for one in cases),))
        assert note.startswith("c0, c1, c2 and 6 more hold the same image")

    def test_label_maps_alone_are_no_images(self) -> None:
        cases = [Case(name, (Path(f"{name}.nii"),), Path(f"{name}.nii")) for name in "ab"]
        (note,) = notes_of_same(cases, (("a", "b"),))
        assert note.startswith("a and b hold the same labels and stay together")
