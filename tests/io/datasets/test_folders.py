from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import load_case, read_dataset
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.io.datasets.folders import image, labels, put


class TestPairs:
    def test_by_name_whatever_the_ending(self, tmp_path: Path) -> None:
        put(tmp_path, {"images/a.nii.gz": image(), "images/b.mha": image(), "labels/a.nrrd": labels(1)})
        put(tmp_path, {"labels/b.nii": labels(1, 2), "images/notes.txt": "hello", "images/._a.nii.gz": "macOS"})
        dataset, notes = read_dataset(tmp_path)
        assert [(case.name, case.labels.name) for case in dataset.cases] == [("a", "a.nrrd"), ("b", "b.nii")]
        assert dataset.labels.values == (1, 2)
        assert dataset.channels == ("image",)
        assert notes == ()

    @pytest.mark.parametrize("ending", ["_seg", "_label", "_labels", "-label", "_mask", ".seg", "_SEG"])
    def test_what_labels_are_called(self, ending: str, tmp_path: Path) -> None:
        put(tmp_path, {"images/case_7.nii.gz": image(), f"labels/case_7{ending}.nrrd": labels(1)})
        (case,) = read_dataset(tmp_path)[0].cases
        assert case.name == "case_7"
        assert case.labels == tmp_path / f"labels/case_7{ending}.nrrd"

    def test_an_umlaut_in_one_character_and_in_two(self, tmp_path: Path) -> None:
        one, two = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
        (case,) = read_dataset(put(tmp_path, {f"images/{one}.nii": image(), f"labels/{two}.nii": labels(1)}))[0].cases
        assert case.labels == tmp_path / f"labels/{two}.nii"

    def test_channels_by_number(self, tmp_path: Path) -> None:
        files = {f"images/{case}_000{channel}.nii.gz": image() for case in "ab" for channel in (0, 1)}
        put(tmp_path, {**files, "labels/a.nii.gz": labels(1), "labels/b_seg.nii.gz": labels(1)})
        dataset, _ = read_dataset(tmp_path)
        assert [(case.name, len(case.images)) for case in dataset.cases] == [("a", 2), ("b", 2)]
        assert dataset.channels == ("image 1", "image 2")

    def test_numbers_that_are_part_of_the_name(self, tmp_path: Path) -> None:
        files = {
            f"{kind}/scan_000{n}.nii.gz": image() if kind == "images" else labels(1)
            for kind in ("images", "labels")
            for n in (1, 2)
        }
        dataset, _ = read_dataset(put(tmp_path, files))
        assert [case.name for case in dataset.cases] == ["scan_0001", "scan_0002"]

    def test_what_has_no_partner(self, tmp_path: Path) -> None:
        put(tmp_path, {"images/a.nii.gz": image(), "images/b.nii.gz": image(), "labels/b.nii.gz": labels(1)})
        put(tmp_path, {"labels/z.nii.gz": labels(1)})
        dataset, notes = read_dataset(tmp_path)
        assert [(case.name, case.labels is None) for case in dataset.cases] == [("a", True), ("b", False)]
        assert notes == ("labels without an image, not used: z",)

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        put(
            tmp_path,
            {
                "images/a.nii": image(),
                "images/a.nii.gz": image(),
                "labels/a.nii": labels(1),
                "labels/a_seg.nii": labels(1),
            },
        )
        dataset, notes = read_dataset(tmp_path)
        assert [(case.name, case.images[0].name) for case in dataset.cases] == [("a", "a.nii")]
        assert notes == (
            "images holds both a.nii and a.nii.gz; the first was taken",
            "labels holds two label files for a; a.nii was taken",
        )

    def test_a_series_a_case(self, tmp_path: Path) -> None:
        ct = Volume(np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7), labels(1).affine, modality="CT")
        put(tmp_path, {"images/p1": ct, "labels/p1.nii.gz": labels(1, shape=(5, 6, 7))})
        dataset, _ = read_dataset(tmp_path)
        assert [case.name for case in dataset.cases] == ["p1"]
        assert dataset.channels == ("CT",)
        assert np.array_equal(load_case(dataset.cases[0], dataset)[0].data, ct.data)


class TestNames:
    def files(self) -> dict[str, Volume]:
        return {"images/a.nii.gz": image(), "labels/a.nii.gz": labels(1, 2, 3)}

    @pytest.mark.parametrize(
        "content",
        [
            {"background": 0, "left": 1, "right": 2, "Ignore": 3},
            {"0": "Background", "1": "left", "2": "right", "3": "IGNORE"},
            {"labels": {"left": 1, "right": 2, "ignore": 3}},
            [{"value": 1, "name": "left"}, {"value": 2, "name": "right"}, {"value": 3, "name": "ignore"}],
        ],
    )
    def test_every_spelling(self, content: object, tmp_path: Path) -> None:
        dataset, _ = read_dataset(put(tmp_path, {**self.files(), "labels.json": content}))
        assert {label.value: label.name for label in dataset.labels} == {1: "left", 2: "right"}
        assert (dataset.ignored, dataset.background) == (3, None)

    def test_background_that_is_painted(self, tmp_path: Path) -> None:
        names = {"1": "liver", "2": "Background", "3": "x"}
        dataset, _ = read_dataset(put(tmp_path, {**self.files(), "labels.json": names}))
        assert dataset.background == 2
        assert dataset.labels.values == (1, 3)
        assert not dataset.cases[0].only_painted

    def test_zero_that_is_called_ignore(self, tmp_path: Path) -> None:
        names = {"0": "ignore", "1": "liver", "2": "background", "3": "x"}
        dataset, _ = read_dataset(put(tmp_path, {**self.files(), "labels.json": names}))
        assert dataset.cases[0].only_painted
        assert dataset.ignored is None

    def test_a_table_in_the_label_file(self, tmp_path: Path) -> None:
        named = LabelSet(
            (Label(1, "liver", (9, 8, 7)), Label(2, "spleen", (1, 2, 3)), Label(3, "background", (0, 0, 0)))
        )
        table = LabelMap(labels(1, 2, 3).data, labels(1).affine, labels=named)
        dataset, _ = read_dataset(put(tmp_path, {**self.files(), "labels/a.nii.gz": table}))
        assert [(label.name, label.colour) for label in dataset.labels] == [("liver", (9, 8, 7)), ("spleen", (1, 2, 3))]
        assert dataset.background == 3

    def test_nobody_names_them(self, tmp_path: Path) -> None:
        dataset, _ = read_dataset(put(tmp_path, self.files()))
        assert [label.name for label in dataset.labels] == ["label 1", "label 2", "label 3"]

    def test_two_backgrounds(self, tmp_path: Path) -> None:
        put(tmp_path, {**self.files(), "labels.json": {"1": "background", "2": "Background"}})
        with pytest.raises(InputError, match="the values 1 and 2 are both called 'Background'"):
            read_dataset(tmp_path)


class TestRealFolders:
    def test_hippocampus(self, shared_data: Path) -> None:
        dataset, notes = read_dataset(shared_data / "hippocampus")
        assert len(dataset.cases) == 127
        assert dataset.labels.values == (1, 2)
        assert dataset.channels == ("image",)
        assert notes == ("labels without an image, not used: hippocampus_281",)

    def test_head_and_neck(self, shared_data: Path) -> None:
        dataset, notes = read_dataset(shared_data / "headneck_ct")
        names = "Brainstem SpinalCord RightParotid LeftParotid Esophagus Larynx Mandible".split()
        assert [label.name for label in dataset.labels] == names
        assert len(dataset.cases) == 90
        assert sum(case.annotated == (1, 2, 3, 4, 5, 6, 7) for case in dataset.cases) == 30
        # Every one says train-pats: that holds nothing out.
        assert {case.split for case in dataset.cases} == {""}
        assert notes == ()
