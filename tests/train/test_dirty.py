from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.io.datasets import load_case, read_dataset
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.case_facts import examine
from napari_resmed.train.dirty import unlike_the_others
from tests.affines import make_affine
from tests.train.cases import blob, look, relabelled

USUAL = [blob(seed) for seed in range(12)]


class TestFigures:
    def test_nothing_unusual(self) -> None:
        assert look(Dataset(tuple(USUAL))).left_out == ()

    def test_a_structure_far_too_small(self) -> None:
        def speck(data: np.ndarray) -> np.ndarray:
            small = np.zeros_like(data)
            small[11:14, 11:14, 11:14] = data[11:14, 11:14, 11:14]
            return small

        (found,) = look(Dataset((relabelled(USUAL[0], speck), *USUAL[1:]))).left_out
        assert (found.case, found.kind) == ("case0", "unlike")
        assert found.reason.startswith("not like the others: its label 1 has 0.027 ml, the others' 0.")

    def test_what_is_cut_off_by_the_edge_is_no_outlier(self) -> None:
        def corner(data: np.ndarray) -> np.ndarray:
            part = np.zeros_like(data)
            part[:2, :2, :2] = 1
            return part

        left_out = look(Dataset((relabelled(USUAL[0], corner), *USUAL[1:]))).left_out
        assert not any(" ml" in case.reason for case in left_out)

    def test_voxels_in_another_unit(self) -> None:
        strange = replace(blob(0, spacing_mm=(0.001,) * 3), name="strange")
        (found,) = look(Dataset((*USUAL, strange))).left_out
        assert found.reason.startswith(
            "not like the others: its voxels measure 0.001 mm from below to above, the others' 1 (1 to 1)"
        )

    def test_slices_of_another_thickness_are_usual(self) -> None:
        thick = replace(blob(0, spacing_mm=(5.0, 0.7, 0.7)), name="thick")
        assert look(Dataset((*USUAL, thick))).left_out == ()

    def test_a_group_is_no_outlier(self) -> None:
        others = [replace(blob(seed, spacing_mm=(20.0, 1.0, 1.0)), name=f"thick{seed}") for seed in range(3)]
        assert look(Dataset((*USUAL, *others))).left_out == ()

    def test_too_few_to_tell(self) -> None:
        strange = replace(blob(0, spacing_mm=(0.001,) * 3), name="strange")
        assert look(Dataset((*USUAL[:6], strange))).left_out == ()

    def test_a_name_with_braces(self) -> None:
        named = LabelSet((Label(1, "{odd} name", (1, 1, 1)),))
        strange = replace(blob(0, spacing_mm=(3.0, 3.0, 3.0)), name="strange")
        (found,) = look(Dataset((*USUAL, strange), named)).left_out
        assert "its {odd} name has" in found.reason


class TestBorders:
    def test_labels_of_another_image(self) -> None:
        moved = relabelled(USUAL[3], lambda data: np.roll(data, (6, -6, 5), (0, 1, 2)))
        (found,) = look(Dataset((*USUAL[:3], moved, *USUAL[4:]))).left_out
        assert (found.case, found.kind) == ("case3", "unlike")
        assert (
            "the borders of its labels follow the image hardly better than if they lay 4 voxels aside" in found.reason
        )

    def test_structures_that_nobody_sees(self) -> None:
        unseen = [blob(seed, step=0) for seed in range(12)]
        moved = relabelled(unseen[3], lambda data: np.roll(data, (6, -6, 5), (0, 1, 2)))
        assert look(Dataset((*unseen[:3], moved, *unseen[4:]))).left_out == ()

    def test_strokes_need_not_follow_anything(self) -> None:
        painted = [replace(case, only_painted=True) for case in USUAL]
        stroke = relabelled(painted[3], lambda data: np.where(np.arange(24) < 12, data, 3))
        facts = look(Dataset((*painted[:3], stroke, *painted[4:]), background=3))
        assert facts.left_out == ()


def hippocampus(shared_data: Path, count: int = 40) -> list[Case]:
    """The first cases, read."""
    dataset, _ = read_dataset(shared_data / "hippocampus")
    cases = []
    for case in dataset.cases[:count]:
        image, labels = load_case(case, dataset)
        cases.append(Case(case.name, (image,), labels))
    return cases


class TestRealData:
    def test_hippocampus(self, shared_data: Path) -> None:
        dataset, notes = read_dataset(shared_data / "hippocampus")
        facts = look(dataset)
        # Intensities up to 112 in one and 1 432 837 in another, bytes and floats: unlike, and all of them good.
        assert facts.left_out == ()
        assert len(facts.cases) == 127
        assert facts.notes == ()
        # The pair that is not what it says has labels of another organ, and no image at all.
        assert notes == ("labels without an image, not used: hippocampus_281",)

    def test_labels_of_another_organ_are_found_once_they_have_an_image(self, shared_data: Path, tmp_path: Path) -> None:
        source = shared_data / "hippocampus"
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir()
            for path in sorted((source / kind).iterdir())[:12]:
                (tmp_path / kind / path.name).symlink_to(path)
        wrong = "hippocampus_281.nii.gz"
        (tmp_path / "labels" / wrong).symlink_to(source / "labels" / wrong)
        (tmp_path / "images" / wrong).symlink_to(source / "images/hippocampus_279.nii.gz")
        dataset, notes = read_dataset(tmp_path)
        (found,) = look(dataset).left_out
        assert notes == ()
        assert (found.case, found.kind) == ("hippocampus_281", "grid")
        assert "32 x 50 x 34 voxels and 94 x 512 x 512" in found.reason

    def test_labels_of_another_organ_on_a_grid_of_their_own(self, shared_data: Path) -> None:
        cases = hippocampus(shared_data, 20)
        dataset, _ = read_dataset(shared_data / "hippocampus")
        path = shared_data / "hippocampus/labels/hippocampus_281.nii.gz"
        _, labels = load_case(replace(dataset.cases[0], images=(path,), labels=path), dataset)
        noise = np.random.default_rng(0).normal(size=labels.grid_shape).astype(np.float32)
        wrong = Case("spleen", (replace(cases[0].images[0], data=noise, affine=labels.affine),), labels)
        (found,) = look(Dataset((*cases, wrong), dataset.labels)).left_out
        assert found.case == "spleen"
        assert found.reason.startswith("not like the others: its image measures")

    @pytest.mark.parametrize("axis", [0, 1])
    def test_mirrored_hippocampus(self, axis: int, shared_data: Path) -> None:
        cases = hippocampus(shared_data)
        dataset = Dataset((), read_dataset(shared_data / "hippocampus")[0].labels)
        facts = [fact for case in cases if (fact := examine(case, dataset).facts)]
        found = Counter[str]()
        for place in range(0, 40, 2):
            wrong = examine(relabelled(cases[place], lambda data: np.flip(data, axis)), dataset).facts
            assert wrong is not None
            left_out = unlike_the_others([*facts[:place], wrong, *facts[place + 1 :]], dataset.labels)
            found.update("right" if case.case == wrong.name else "wrong" for case in left_out)
        # Some cannot be told from labels drawn badly; no good case may go.
        assert found["wrong"] == 0
        assert found["right"] >= 10

    def test_no_good_case_goes_in_any_part_of_the_data(self, shared_data: Path) -> None:
        dataset, _ = read_dataset(shared_data / "headneck_ct")
        facts = [fact for case in dataset.cases[:30] if (fact := examine(case, dataset).facts)]
        for seed in range(100):
            some = np.random.default_rng(seed).choice(30, 12, replace=False)
            assert unlike_the_others([facts[place] for place in some], dataset.labels) == []

    def test_head_and_neck(self, shared_data: Path) -> None:
        dataset, _ = read_dataset(shared_data / "headneck_ct")
        facts = look(dataset)
        assert facts.left_out == ()
        assert facts.annotated_in == {1: 84, 2: 89, 3: 89, 4: 89, 5: 49, 6: 66, 7: 78}
        assert facts.present_in == facts.annotated_in

    def test_head_and_neck_with_two_labels_exchanged(self, shared_data: Path) -> None:
        dataset, _ = read_dataset(shared_data / "headneck_ct")
        full = [case for case in dataset.cases if case.annotated and len(case.annotated) == 7][:24]
        _, first = load_case(full[0], dataset)
        _, second = load_case(full[1], dataset)
        affines = [load_case(case, dataset)[0].affine for case in full[:2]]
        exchanged = [
            replace(full[0], labels=LabelMap(second.data, affines[0])),
            replace(full[1], labels=LabelMap(first.data, affines[1])),
        ]
        left_out = look(replace(dataset, cases=(*exchanged, *full[2:]))).left_out
        assert [case.case for case in left_out] == [full[0].name, full[1].name]


def test_axes_are_named_for_the_patient() -> None:
    # The patient's right-left axis is stored first here.
    cases = []
    for number, case in enumerate(USUAL):
        image, labels = case.images[0], case.labels
        assert isinstance(labels, LabelMap)
        spacing = (30.0 if number == 0 else 1.0, 1.0, 1.0)
        affine = make_affine((0, 1, 2), spacing_mm=spacing)
        cases.append(replace(case, images=(replace(image, affine=affine),), labels=replace(labels, affine=affine)))
    (found,) = look(Dataset(tuple(cases))).left_out
    assert "its voxels measure 30 mm from right to left" in found.reason
