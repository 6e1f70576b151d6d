from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.fingerprint import Fingerprint, usable
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.cases import blob, look, relabelled

NAMES = LabelSet((Label(1, "liver", (1, 1, 1)), Label(2, "spleen", (2, 2, 2))))


def flat(case: Case) -> Case:
    """One slice of a case."""
    assert isinstance(case.labels, LabelMap)
    image, labels = case.images[0], case.labels
    assert isinstance(image, Volume)
    return replace(case, images=(image.with_data(image.data[12:13]),), labels=labels.with_data(labels.data[12:13]))


def empty(case: Case) -> Case:
    return relabelled(case, np.zeros_like)


class TestSummary:
    def test_figures_over_cases(self) -> None:
        cases = (
            blob(0, values=(1, 2), size=20, spacing_mm=(1, 1, 1)),
            blob(1, values=(1, 2), size=24, spacing_mm=(2, 1, 1)),
            blob(2, values=(1, 2), size=30, spacing_mm=(3, 1, 1), annotated=(1,)),
        )
        seen: list[tuple[int, int]] = []
        facts = look(Dataset(cases, NAMES, name="three"), seen)
        assert seen == [(1, 3), (2, 3), (3, 3)]
        assert facts.name == "three"
        assert (facts.spacing_mm, facts.median_shape, facts.largest_shape) == ((2, 1, 1), (24,) * 3, (30,) * 3)
        assert facts.median_size_mm == (48, 24, 24)
        assert facts.dimensions == 3
        assert facts.annotated_in == {1: 3, 2: 2}
        assert facts.present_in == {1: 3, 2: 2}
        counts = [np.bincount(case.labels.data.ravel(), minlength=3) for case in cases]  # type: ignore[union-attr]
        known = [20**3, 24**3, 30**3 - counts[2][2]]
        assert facts.class_shares[1] == pytest.approx(sum(count[1] for count in counts) / sum(known))
        assert facts.class_shares[2] == pytest.approx((counts[0][2] + counts[1][2]) / sum(known[:2]))
        assert facts.class_shares[0] == pytest.approx(sum(count[0] for count in counts) / sum(known))

    def test_pooled_intensities_weigh_cases_alike(self) -> None:
        bright = blob(1)
        image = bright.images[0]
        assert isinstance(image, Volume)
        brighter = replace(bright, images=(image.with_data(image.data + 1000),))
        (channel,) = look(Dataset((blob(0), brighter))).channels
        assert channel.image.mean == pytest.approx(600, abs=5)
        assert channel.foreground is not None
        assert channel.foreground.mean == pytest.approx(620, abs=2)
        assert channel.image.minimum < 90
        assert channel.image.maximum > 1120

    def test_as_json_and_back(self) -> None:
        cases = (blob(0, values=(1, 2)), replace(blob(1), annotated=(1,)), replace(blob(2), labels=None))
        facts = look(Dataset(cases, NAMES))
        text = json.dumps(facts.to_json(), allow_nan=False)
        assert Fingerprint.from_json(json.loads(text)) == facts
        with pytest.raises(InputError, match="no fingerprint of a data set"):
            Fingerprint.from_json({"name": "x"})

    def test_no_paths(self, shared_data: Path) -> None:
        from napari_resmed.io.datasets import read_dataset

        dataset, _ = read_dataset(shared_data / "hippocampus")
        broken = replace(dataset.cases[2], labels=Path("/home/somebody/labels/x.nii.gz"))
        facts = look(replace(dataset, cases=(*dataset.cases[:2], broken)))
        assert facts.left_out[0].reason == "its file x.nii.gz is missing"
        assert "/" not in json.dumps(facts.to_json())

    def test_of_the_test_part_nothing_is_learnt(self) -> None:
        missing, other = Case("t", (Path("no/such.nii"),), split="test"), replace(blob(2), split="test")
        seen: list[tuple[int, int]] = []
        facts = look(Dataset((blob(0), blob(1), missing, other)), seen)
        assert seen[-1] == (4, 4)
        assert facts == look(Dataset((blob(0), blob(1))))

    def test_what_holds_an_image_of_the_test_part(self) -> None:
        twin, test = replace(blob(1), name="twin"), replace(blob(1), name="t", split="test", labels=None)
        dataset = Dataset((blob(0), twin, blob(2), test))
        facts = look(dataset)
        (left,) = facts.left_out
        assert (left.case, left.kind) == ("twin", "test")
        assert left.reason == "it holds the same image as t, which is in the test split"
        assert (facts.same_images, facts.notes) == ((), ())
        assert [case.name for case in usable(dataset, facts).cases] == ["case0", "case2", "t"]
        given = look(Dataset((blob(0), replace(twin, split="train"), test)))
        assert given.left_out == ()
        assert given.same_images == (("twin", "t"),)
        assert given.notes[0].startswith("twin and t hold the same image though")
        with pytest.raises(InputError, match="twin: it holds the same image as t"):
            look(Dataset((twin, test)))

    def test_the_same_image_twice(self) -> None:
        facts = look(Dataset((blob(0), blob(1), replace(blob(0), name="copy"))))
        assert facts.notes == ("case0 and copy hold the same image and stay together, learnt from or held out",)
        assert facts.same_images == (("case0", "copy"),)
        assert Fingerprint.from_json(facts.to_json()) == facts
        assert len(facts.cases) == 3
        given = look(Dataset((replace(blob(0), split="train"), replace(blob(0), name="copy", split="validation"))))
        assert given.notes == (
            "case0 and copy hold the same image and were given to both sides of the split, so its figures flatter",
        )

    def test_kinds_of_images_and_structures_that_never_show(self) -> None:
        other = blob(1)
        image = other.images[0]
        facts = look(Dataset((blob(0), replace(other, images=(replace(image, modality="MR"),))), NAMES))
        assert facts.notes == ("no case shows spleen",)
        both = [
            replace(case, images=(replace(case.images[0], modality=kind),))
            for case, kind in ((blob(0), "CT"), (other, "MR"))
        ]
        assert look(Dataset(tuple(both))).notes == ("the images are of different kinds: 1 CT, 1 MR",)


class TestStructures:
    def test_without_names_what_is_found(self) -> None:
        cases = [blob(seed, values=(1, 2)) for seed in range(6)] + [blob(seed, values=(1, 7)) for seed in (6, 7)]
        facts = look(Dataset(tuple(cases)))
        assert [label.name for label in facts.labels] == ["label 1", "label 2", "label 7"]
        assert facts.left_out == ()

    def test_a_value_that_one_case_has_alone(self) -> None:
        cases = [blob(seed, values=(1, 2)) for seed in range(6)] + [blob(6, values=(1, 255))]
        facts = look(Dataset(tuple(cases)))
        (found,) = facts.left_out
        assert (found.case, found.kind) == ("case6", "values")
        assert found.reason == "its labels hold the value 255, which no other case has; the others hold 1, 2"
        assert facts.labels.values == (1, 2)

    def test_with_names_nothing_else(self) -> None:
        facts = look(Dataset((blob(0), blob(1, values=(1, 2)), blob(2, values=(2, 3))), NAMES))
        (found,) = facts.left_out
        assert found.reason == "its labels hold the unexpected value 3; expected 0 and 1 liver, 2 spleen"

    def test_what_is_left(self) -> None:
        dataset = Dataset((blob(0), replace(blob(1), labels=None), replace(blob(2), split="test")))
        left = usable(dataset, look(dataset))
        assert [case.name for case in left.cases] == ["case0", "case2"]
        assert left.labels.values == (1,)


class TestLeftOut:
    def test_every_reason_in_the_order_of_the_cases(self) -> None:
        good = [blob(seed) for seed in range(10)]
        no_labels, nothing, single = replace(blob(20), labels=None), empty(blob(21)), flat(blob(22))
        facts = look(Dataset((no_labels, *good[:5], nothing, *good[5:], single)))
        assert [(case.case, case.kind) for case in facts.left_out] == [
            ("case20", "no labels"),
            ("case21", "empty"),
            ("case22", "dimensions"),
        ]
        assert facts.left_out[2].reason == "it is a single slice (2D) among volumes"
        assert [case.name for case in facts.cases] == [case.name for case in good]

    def test_a_volume_among_slices(self) -> None:
        facts = look(Dataset((*[flat(blob(seed)) for seed in range(5)], blob(9))))
        assert facts.dimensions == 2
        assert facts.left_out[0].reason == "it is a volume (3D) among single slices"


class TestRefusals:
    @pytest.mark.parametrize(
        ("cases", "message"),
        [
            ([], "the data set has no cases to train on"),
            ([replace(blob(0), split="test")], "the data set has no cases to train on"),
            ([replace(blob(0), labels=None)] * 1, "no case of the data set has labels"),
            ([empty(blob(0)), replace(blob(1), labels=None)], "nothing is painted in any case of the data set"),
            ([blob(0), flat(blob(1))], r"the cases are mixed: 1 of a single slice \(2D\), 1 of a volume \(3D\)"),
            ([blob(0), replace(blob(1), images=blob(1).images * 2)], "the cases are mixed: 1 with the channels image, 1 without"),
            ([replace(blob(0), only_painted=True)], "only one class is there, label 1; paint background too"),
            (
                [replace(empty(blob(n)), annotated=(1,)) for n in range(3)],
                "no structure is there in any case, only background",
            ),
            (
                [Case(name, (Path(f"{name}.nii"),), Path("l.nii")) for name in "abcd"],
                r"no case of the data set can be used: a: its file a.nii is missing; b: .*; c: .*; and 1 more",
            ),
        ],
    )  # fmt: skip
    def test_in_one_sentence(self, cases: list[Case], message: str) -> None:
        with pytest.raises(InputError, match=message) as caught:
            look(Dataset(tuple(cases), NAMES if len(cases) == 3 else LabelSet()))
        assert "\n" not in str(caught.value)

    def test_two_structures_of_one_name(self) -> None:
        labels = LabelSet((Label(1, "node", (1, 1, 1)), Label(2, "node", (2, 2, 2))))
        with pytest.raises(InputError, match="the label values 1 and 2 are both called 'node'; give each structure"):
            look(Dataset((blob(0, values=(1, 2)),), labels))

    def test_painted_with_background_is_enough(self) -> None:
        whole = replace(blob(0, values=(1, 2)), only_painted=True)
        assert look(Dataset((whole,), background=2)).class_shares.keys() == {0, 1}

    def test_complete_slices_bring_background(self) -> None:
        painted = replace(blob(0), only_painted=True, complete_slices=((0, 12),))
        facts = look(Dataset((painted,)))
        assert facts.cases[0].voxels[0] > 0


def test_one_case_is_enough() -> None:
    case = replace(blob(0), images=(replace(blob(0).images[0], affine=make_affine()),))
    assert len(look(Dataset((case,))).cases) == 1
