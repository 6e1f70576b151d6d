from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
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

    def test_what_cannot_be_read_does_not_hide_what_can(self, run: Run, images: Path) -> None:
        done = run("info", "--json", images / "nothing.nii", images / "good.nii.gz", images / "truncated.nii.gz")
        assert done.code == 2
        assert [entry["id"] for entry in done.json] == ["good.nii.gz"]
        told = done.err.splitlines()
        assert len(told) == 2
        assert "nothing.nii does not exist" in told[0]
        assert "truncated.nii.gz" in told[1]

    def test_nothing_can_be_read(self, run: Run, images: Path) -> None:
        done = run("info", "--json", images / "nothing.nii")
        assert (done.code, done.out) == (2, "")


class TestTable:
    def test_says_the_same_in_words(self, run: Run, images: Path) -> None:
        done = run("info", images / "good.nii.gz")
        assert done.code == 0
        assert "good.nii.gz" in done.out
        assert "20×24×28" in done.out
        assert "1×1×1" in done.out

    def test_a_pipe_gets_one_line_an_entry(self, run: Run, images: Path, tmp_path: Path) -> None:
        long = f"1.2.{'3' * 58}.nii.gz"
        (tmp_path / long).symlink_to(images / "good.nii.gz")
        done = run("info", tmp_path, columns=80)
        assert len(done.out.splitlines()) == 2
        assert done.out.splitlines()[1].split()[0] == long

    def test_a_name_in_another_encoding(self, run: Run, images: Path, tmp_path: Path) -> None:
        name = os.fsdecode(b"M\xfcller.nii.gz")
        try:
            (tmp_path / name).symlink_to(images / "good.nii.gz")
        except OSError:
            pytest.skip("the file system takes no such names")
        assert r"M\udcfcller.nii.gz" in run("info", tmp_path).out
        assert [entry["id"] for entry in run("info", tmp_path, "--json").json] == [name]

    def test_square_brackets_are_no_markup(self, run: Run, images: Path, tmp_path: Path) -> None:
        image = nib.load(images / "good.nii.gz")
        image.header["descrip"] = "T1 [sag] [/x]"
        nib.save(image, tmp_path / "a[bold].nii")
        done = run("info", tmp_path)
        assert done.code == 0
        assert "a[bold].nii " in done.out
        assert "T1 [sag] [/x]" in done.out

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
