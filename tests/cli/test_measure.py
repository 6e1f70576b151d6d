from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import write
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.cli.conftest import Run

AFFINE = make_affine((1, 2, 0), (-1, 1, 1), degrees=(10, -5, 3), spacing_mm=(2, 1, 1.5), origin_mm=(3, -4, 50))
NAMES = LabelSet((Label(1, "Liver", (230, 159, 0)), Label(2, "Spleen", (86, 180, 233))))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    data = np.zeros((10, 12, 14), np.uint8)
    data[2:6, 3:9, 2:12] = 1
    write(LabelMap(data, AFFINE, labels=NAMES), tmp_path / "labels.nii.gz")
    image = np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14)
    write(Volume(image, AFFINE), tmp_path / "image.nii.gz")
    write(Volume(image[1:], AFFINE), tmp_path / "shorter.nii.gz")
    return tmp_path


class TestMeasure:
    def test_writes_the_table_and_prints_one_document(self, run: Run, place: Path) -> None:
        done = run("measure", "labels.nii.gz", "image.nii.gz", "-o", "t.csv", "--json")
        assert done.code == 0, done.err
        assert done.json["output"] == "t.csv"
        liver, spleen = done.json["labels"]
        assert (liver["name"], liver["voxels"], liver["volume_ml"]) == ("Liver", 240, pytest.approx(0.72))
        centre = AFFINE @ [3.5, 5.5, 6.5, 1]
        np.testing.assert_allclose([liver[f"centroid_{axis}_mm"] for axis in "xyz"], centre[:3], atol=1e-3)
        assert liver["intensity_mean"] == pytest.approx(671.5)
        assert (spleen["voxels"], spleen["diameter_3d_mm"]) == (0, None)
        with (place / "t.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row, told in zip(rows, done.json["labels"], strict=True):
            assert row == {key: "" if value is None else str(value) for key, value in told.items()}

    def test_without_an_image_and_for_people(self, run: Run, place: Path) -> None:
        done = run("measure", "labels.nii.gz", "-o", "t.csv")
        assert done.code == 0, done.err
        assert done.out.splitlines()[1].split()[:3] == ["1", "Liver", "0.72"]
        assert done.err == "Wrote t.csv\n"
        assert "intensity" not in (place / "t.csv").read_text()

    def test_structures_that_overlap(self, run: Run, place: Path) -> None:
        first, second = np.zeros((2, 6, 6, 6), np.uint8)
        first[1:4], second[2:5] = 1, 2
        maps = [
            LabelMap(data, AFFINE, labels=LabelSet((label,)))
            for data, label in zip((first, second), NAMES, strict=True)
        ]
        write(maps, place / "both.seg.nrrd")
        done = run("measure", "both.seg.nrrd", "-o", "t.csv", "--json")
        assert done.code == 0, done.err
        assert [(row["name"], row["voxels"]) for row in done.json["labels"]] == [("Liver", 108), ("Spleen", 108)]

    def test_nothing_to_measure_has_the_columns_all_the_same(self, run: Run, place: Path) -> None:
        write(LabelMap(np.zeros((10, 12, 14), np.uint8), AFFINE), place / "empty.nii.gz")
        for image in ((), ("image.nii.gz",)):
            heads = []
            for labels in ("labels", "empty"):
                done = run("measure", f"{labels}.nii.gz", *image, "-o", f"{labels}.csv", "--json")
                assert done.code == 0, done.err
                with (place / f"{labels}.csv").open(newline="", encoding="utf-8") as file:
                    heads.append(next(csv.reader(file)))
            assert done.json["labels"] == []
            assert heads[0] == heads[1]

    def test_refusals_in_one_line(self, run: Run, place: Path) -> None:
        for arguments, reason in (
            (("labels.nii.gz", "shorter.nii.gz", "-o", "t.csv"), "another grid than the labels (9×12×14"),
            (("labels.nii.gz", "-o", "t.dcm"), "a DICOM report cannot be written yet"),
            (("labels.nii.gz", "-o", "t.txt"), "cannot write t.txt: found the ending '.txt', expected .csv"),
            (("image.nii.gz", "-o", "t.csv"), "image.nii.gz is an image, and only label maps can be measured"),
            (("none.nii.gz", "-o", "t.csv"), "none.nii.gz does not exist"),
            (("labels.nii.gz", "-o", "none/t.csv"), "the folder none does not exist"),
            (("labels.nii.gz",), "Missing option"),
        ):
            assert reason in run("measure", *arguments, "--json").refused(2)
        assert not list(place.glob("*.csv"))
