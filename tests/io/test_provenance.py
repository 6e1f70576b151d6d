from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.io.provenance import is_heat_map, provenance_path, read_labels, write_provenance
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume

LABELS = LabelSet((Label(1, "Leber", (1, 2, 3), Code("SCT", "10200004", "Liver")), Label(9, "spleen", (4, 5, 6))))


@pytest.fixture
def labels() -> LabelMap:
    return LabelMap(np.ones((2, 2, 2), np.uint8), np.eye(4), meta={"made_by": {"model": "x"}}, labels=LABELS)


class TestProvenancePath:
    @pytest.mark.parametrize("name", ["scan_seg.nii.gz", "scan_seg.nrrd", "scan_seg"])
    def test_lies_beside_and_belongs_to_one_file(self, name: str) -> None:
        assert provenance_path(Path("a") / name) == Path("a") / f"{name}.resmed.json"


class TestNote:
    def test_round_trip(self, labels: LabelMap, tmp_path: Path) -> None:
        write_provenance(tmp_path / "a.nii.gz", labels)
        assert read_labels(tmp_path / "a.nii.gz") == LABELS

    def test_says_how_and_from_what(self, labels: LabelMap, tmp_path: Path) -> None:
        write_provenance(tmp_path / "a.nii.gz", labels, Path("/home/someone/secret study/t1.nii.gz"))
        text = (tmp_path / "a.nii.gz.resmed.json").read_text(encoding="utf-8")
        note = json.loads(text)
        assert note["made_by"] == {"model": "x"}
        assert note["image"] == "t1.nii.gz"
        assert note["not_for_diagnosis"] is True
        assert "someone" not in text

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"labels": 3}', '{"labels": [{"value": 0, "name": "x"}]}', "\xff"]
    )
    def test_a_damaged_note_is_none(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "a.nii.gz.resmed.json").write_text(content, encoding="latin-1")
        assert read_labels(tmp_path / "a.nii.gz") is None

    def test_no_note_is_none(self, tmp_path: Path) -> None:
        assert read_labels(tmp_path / "a.nii.gz") is None


class TestRenew:
    """A file that is written over takes nothing of the note of what was there."""

    HAND = LabelSet((Label(1, "tumour", (1, 2, 3)), Label(9, "edema", (4, 5, 6))))

    @pytest.fixture
    def noted(self, labels: LabelMap, tmp_path: Path) -> Path:
        write(labels, tmp_path / "out.mha")
        write_provenance(tmp_path / "out.mha", labels)
        return tmp_path / "out.mha"

    def test_names_are_those_of_the_new_labels(self, labels: LabelMap, noted: Path) -> None:
        half = np.array([[[0, 0], [0, 0]], [[1, 1], [1, 1]]], np.uint8)
        write(LabelMap(half, np.eye(4), labels=self.HAND), noted)
        back = read(noted)
        assert isinstance(back, LabelMap)
        assert back.labels[1].name == "tumour"
        assert json.loads(provenance_path(noted).read_text(encoding="utf-8"))["made_by"] == {}

    def test_labels_without_names_and_images_have_none(self, labels: LabelMap, noted: Path) -> None:
        write(replace(labels, labels=LabelSet()), noted)
        assert read_labels(noted) is None
        write_provenance(noted, labels)
        write(Volume(np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32), np.eye(4)), noted)
        assert not provenance_path(noted).exists()

    def test_a_segmentation_of_slicer_says_all_itself(self, labels: LabelMap, tmp_path: Path) -> None:
        write_provenance(tmp_path / "out.seg.nrrd", labels)
        write(replace(labels, labels=self.HAND), tmp_path / "out.seg.nrrd")
        assert not provenance_path(tmp_path / "out.seg.nrrd").exists()

    def test_no_note_is_made_where_there_was_none(self, labels: LabelMap, tmp_path: Path) -> None:
        write(labels, tmp_path / "out.mha")
        assert [file.name for file in tmp_path.iterdir()] == ["out.mha"]


class TestKind:
    @pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mgz", ".nii.gz"])
    @pytest.mark.parametrize("empty", [True, False])
    def test_what_a_note_names_is_labels(self, ending: str, empty: bool, tmp_path: Path) -> None:
        ragged = np.random.default_rng(0).integers(0, 4, (6, 30, 30)).astype(np.uint8)
        data = np.zeros_like(ragged) if empty else ragged
        names = LabelSet(tuple(Label(value, f"part {value}", (value, 2, 3)) for value in (1, 2, 3)))
        path = tmp_path / f"drawn{ending}"
        write(LabelMap(data, np.eye(4), labels=names), path)
        write_provenance(path, LabelMap(data, np.eye(4), labels=names))
        found = read(path)
        assert isinstance(found, LabelMap)
        assert found.labels == names

    def test_a_note_left_over_names_no_image(self, labels: LabelMap, tmp_path: Path) -> None:
        data = np.random.default_rng(0).integers(0, 900, (6, 30, 30)).astype(np.int16)
        write(Volume(data, np.eye(4)), tmp_path / "a.nrrd")
        write_provenance(tmp_path / "a.nrrd", labels)
        assert not isinstance(read(tmp_path / "a.nrrd"), LabelMap)


def test_folders_and_archives_may_be_called_like_the_patient(labels: LabelMap, tmp_path: Path) -> None:
    (tmp_path / "Doe^John").mkdir()
    with zipfile.ZipFile(tmp_path / "Doe^John.zip", "w") as file:
        file.writestr("x", "y")
    for name in ("Doe^John", "Doe^John.zip"):
        write_provenance(tmp_path / "a.nii.gz", labels, tmp_path / name)
        assert "Doe" not in (tmp_path / "a.nii.gz.resmed.json").read_text(encoding="utf-8")


def test_a_name_too_long_for_a_note(labels: LabelMap, tmp_path: Path) -> None:
    assert not is_heat_map(tmp_path / f"{'x' * 240}_heat.nii.gz")
    path = tmp_path / f"{'x' * 242}.nii.gz"
    write(labels, path)
    assert np.array_equal(read(path).data, labels.data)
