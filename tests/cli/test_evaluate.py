from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.cli.conftest import Run
from tests.review.shapes import blobs, disturbed

AFFINE = make_affine(spacing_mm=(2, 1, 1))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(("a", "b")):
        truth = blobs(number, (10, 24, 22))
        write(Volume(truth, AFFINE), tmp_path / "theirs" / f"{name}.nii.gz")
        write(Volume(disturbed(truth, number), AFFINE), tmp_path / "ours" / f"{name}_seg.nii.gz")
    return tmp_path


class TestEvaluate:
    def test_json_table_and_report(self, run: Run, place: Path) -> None:
        names = place / "dataset.json"
        names.write_text(
            json.dumps({"labels": {"background": 0, "Liver": 1, "Spleen": 2, "both": [1, 2], "ignore": 9}})
        )
        done = run("evaluate", "ours", "theirs", "--json", "-o", "report", "--names", names, "--jobs", 2)
        assert done.code == 0, done.err
        document = done.json
        assert [case["case"] for case in document["cases"]] == ["a", "b"]
        assert [label["name"] for label in document["labels"]] == ["Liver", "Spleen", "label 3"]
        dice = [case["labels"][0]["dice"] for case in document["cases"]]
        assert document["labels"][0]["mean"]["dice"] == pytest.approx(sum(dice) / 2, abs=1e-6)
        assert json.loads((place / "report/metrics.json").read_text()) == document
        assert done.err.splitlines()[-1] == "Wrote report/report.html"

    def test_table(self, run: Run, place: Path) -> None:
        done = run("evaluate", "ours/a_seg.nii.gz", "theirs/a.nii.gz", "--labels", "1,3", "--names", "1=Liver,3=Aorta")
        assert done.code == 0, done.err
        lines = done.out.splitlines()
        assert [line.split()[:2] for line in lines[1:]] == [
            ["1", "Liver"],
            ["3", "Aorta"],
            ["mean", lines[-1].split()[1]],
        ]
        assert "HD95 mm" in lines[0]

    def test_a_bad_case_is_told_and_the_rest_done(self, run: Run, place: Path) -> None:
        write(Volume(blobs(1, (9, 24, 22)), AFFINE), place / "ours/b_seg.nii.gz")
        done = run("evaluate", "ours", "theirs", "--json", "-o", "report")
        assert done.code == 2
        assert [case["case"] for case in done.json["cases"]] == ["a"]
        assert done.json["failed"][0]["case"] == "b"
        assert done.err.splitlines()[-1] == "napari-resmed: 1 of 2 cases could not be compared; the others are done"
        assert (place / "report/report.html").is_file()

    def test_labels_that_are_nowhere_are_told(self, run: Run, place: Path) -> None:
        done = run("evaluate", "ours", "theirs", "--labels", "1,90", "--json")
        assert done.code == 0, done.err
        told = "neither the truth nor the predictions hold label 90: no figure tells anything of it"
        assert done.json["warnings"] == [told]

    def test_structures_that_overlap(self, run: Run, place: Path) -> None:
        truth = read(place / "theirs/a.nii.gz")
        maps = [LabelMap((truth.data == value).astype(np.uint8), truth.affine) for value in (1, 3)]
        write(maps, place / "both.seg.nrrd")
        message = run("evaluate", "both.seg.nrrd", "theirs/a.nii.gz").refused(2)
        assert "choose one with --series, or save one by itself with napari-resmed convert --series" in message
        assert run("convert", "both.seg.nrrd", "one.nii.gz", "--series", "both.seg.nrrd:1").code == 0
        assert run("evaluate", "one.nii.gz", "theirs/a.nii.gz").code == 0

    def test_refusals_in_one_line(self, run: Run, place: Path) -> None:
        write(Volume(np.linspace(0, 9, 5280).reshape(10, 24, 22), AFFINE), place / "image.nii.gz")
        (place / "full").mkdir()
        (place / "full/mine.txt").write_text("")
        for arguments, reason in (
            (("ours", "none"), "none does not exist"),
            (("ours", "theirs/a.nii.gz"), "expected two files or two folders"),
            (
                ("image.nii.gz", "theirs/a.nii.gz"),
                "image.nii.gz is an image, and only label maps can be evaluated so far",
            ),
            (("ours", "theirs", "--labels", "one"), "--labels is 'one', expected values with commas between"),
            (("ours", "theirs", "--names", "Liver"), "--names is 'Liver', expected value=name"),
            (("ours", "theirs", "--names", "none.json"), "none.json names no labels"),
            (("ours", "theirs", "-o", "full"), "full holds mine.txt"),
            (("ours", "theirs", "-o", "away/report"), "cannot write away/report: the folder away does not exist"),
        ):
            assert reason in run("evaluate", *arguments, "--json").refused(2)
