from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

FIELDS = ["id", "path", "kind", "modality", "shape", "spacing_mm", "affine", "axes", "dtype", "description", "warnings"]


class TestJson:
    def test_one_entry_an_image_with_the_fixed_fields(self, run: Run, images: Path) -> None:
        done = run("info", images, "--json")
        assert done.code == 0
        assert done.err == ""
        entries = {entry["id"]: entry for entry in done.json}
        assert all(list(entry) == FIELDS for entry in entries.values())
        assert entries["truncated.nii.gz"]["kind"] == "unreadable"
        good = entries["good.nii.gz"]
        assert (good["kind"], good["shape"], good["axes"], good["dtype"]) == ("image", [20, 24, 28], "zyx", "float32")
        assert entries["colour.nii.gz"]["axes"] == "czyx"
        assert len(entries) == 8

    def test_several_paths(self, run: Run, images: Path) -> None:
        done = run("info", "--json", images / "good.nii.gz", images / "flat.nii.gz")
        assert [entry["id"] for entry in done.json] == ["good.nii.gz", "flat.nii.gz"]


class TestTable:
    def test_says_the_same_in_words(self, run: Run, images: Path) -> None:
        done = run("info", images / "good.nii.gz")
        assert done.code == 0
        assert "good.nii.gz" in done.out
        assert "20×24×28" in done.out
        assert "1×1×1" in done.out

    def test_what_is_unreadable_is_explained(self, run: Run, images: Path) -> None:
        done = run("info", images)
        assert done.code == 0
        assert "truncated.nii.gz: truncated.nii.gz is truncated or damaged" in done.err


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("notes.txt", "notes.txt is not a medical image that can be read; expected NIfTI"),
            ("truncated.nii.gz", "truncated or damaged"),
            ("empty", "holds no image; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM files"),
            ("none.nii.gz", "none.nii.gz does not exist"),
        ],
    )
    def test_one_line(self, name: str, reason: str, run: Run, images: Path) -> None:
        assert reason in run("info", images / name, "--json").refused(2)
