from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.io.provenance import write_provenance
from napari_resmed.labels import LEFT, Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.cli.conftest import Run
from tests.io.dicom.objects.study import drawn_over, write_image


class TestConvert:
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mgz"])
    def test_same_voxels_in_the_same_place(self, name: str, run: Run, images: Path, tmp_path: Path) -> None:
        done = run("convert", images / "good.nii.gz", name)
        assert (done.code, done.out) == (0, "")
        assert done.err.strip() == f"Wrote {name}"
        before, after = read(images / "good.nii.gz"), read(tmp_path / name)
        assert np.array_equal(before.data, after.data)
        assert before.same_grid(after)

    def test_json(self, run: Run, images: Path) -> None:
        done = run("convert", images / "good.nii.gz", "a.nii", "--json")
        assert done.json == {"output": "a.nii", "shape": [20, 24, 28], "axes": "zyx", "dtype": "float32"}
        assert done.err == ""


class TestLabels:
    def test_to_dicom_and_to_slicer_and_back(self, run: Run, tmp_path: Path) -> None:
        study = tmp_path / "study"
        labels = drawn_over(write_image(study, make_affine(degrees=(5, 6, 7)), (5, 8, 9)))
        write(labels, tmp_path / "drawn.seg.nrrd")
        assert run("convert", "drawn.seg.nrrd", "labels.dcm", "--like", "study").code == 0
        assert run("convert", "labels.dcm", "back.seg.nrrd", "--like", "study").code == 0
        back = read(tmp_path / "back.seg.nrrd")
        assert np.array_equal(back.data, labels.data)
        assert back.same_grid(labels)
        assert back.labels.labels == labels.labels.labels

    @pytest.mark.parametrize("name", ["b.mha", "b.nii.gz", "b.mgz"])
    def test_names_and_codes_come_along(self, name: str, run: Run, tmp_path: Path) -> None:
        kidney = Label(5, "Left kidney", (9, 8, 7), Code("SCT", "64033007", "Kidney"), modifier=LEFT)
        data = np.zeros((3, 4, 5), np.uint8)
        data[1] = 5
        write(LabelMap(data, make_affine(), labels=LabelSet((kidney,))), tmp_path / "a.seg.nrrd")
        assert run("convert", "a.seg.nrrd", name).code == 0
        found = read(tmp_path / name)
        assert isinstance(found, LabelMap)
        assert found.labels[5] == kidney

    def test_what_it_was_called_before_is_not_written_down(self, run: Run, tmp_path: Path) -> None:
        labels = LabelMap(np.ones((2, 3, 4), np.uint8), make_affine(), labels=LabelSet((Label(1, "liver", (1, 2, 3)),)))
        write(labels, tmp_path / "Doe_John.seg.nrrd")
        assert run("convert", "Doe_John.seg.nrrd", "anon.nii.gz").code == 0
        assert "liver" in (tmp_path / "anon.nii.gz.resmed.json").read_text()
        assert "Doe" not in (tmp_path / "anon.nii.gz.resmed.json").read_text()
        long = "x" * 245 + ".nii"
        run("convert", "Doe_John.seg.nrrd", long).refused(2)
        assert not (tmp_path / long).exists()

    def test_dicom_asks_for_the_series(self, run: Run, tmp_path: Path) -> None:
        write(LabelMap(np.ones((2, 3, 4), np.uint8), make_affine()), tmp_path / "drawn.nii.gz")
        assert "give its folder with --like" in run("convert", "drawn.nii.gz", "labels.dcm").refused(2)
        assert [file.name for file in tmp_path.iterdir()] == ["drawn.nii.gz"]

    def test_names_of_what_was_there_do_not_stay(self, run: Run, tmp_path: Path) -> None:
        data = np.arange(2, dtype=np.uint8)[:, None, None] * np.ones((2, 3, 4), np.uint8)
        names = (LabelSet((Label(1, name, (1, 2, 3)),)) for name in ("hippocampus", "tumour"))
        before, hand = (LabelMap(data, make_affine(), labels=labels) for labels in names)
        write(before, tmp_path / "out.mha")
        write_provenance(tmp_path / "out.mha", before)
        write(hand, tmp_path / "hand.nii.gz")
        assert run("convert", "hand.nii.gz", "out.mha").code == 0
        back = read(tmp_path / "out.mha")
        assert isinstance(back, LabelMap)
        assert [label.name for label in back.labels] == ["tumour"]


class TestIrregular:
    @pytest.fixture
    def gap(self, tmp_path: Path) -> Path:
        """A DICOM series whose third slice of six is missing."""
        folder = tmp_path / "gap"
        write(Volume(np.arange(120, dtype=np.int16).reshape(6, 5, 4), np.eye(4)[[2, 1, 0, 3]]), folder)
        (folder / "slice_3.dcm").unlink()
        return folder

    def test_the_ways_out_are_named(self, run: Run, gap: Path) -> None:
        said = run("convert", gap, "a.nii").refused()
        assert "1 of 6 is missing" in said
        assert "--irregular largest-block" in said
        assert "--irregular resample" in said

    @pytest.mark.parametrize(("way", "slices"), [("largest-block", 3), ("resample", 6)])
    def test_on_request(self, way: str, slices: int, run: Run, gap: Path, tmp_path: Path) -> None:
        done = run("convert", gap, "a.nii", "--irregular", way)
        assert done.code == 0
        assert "Warning: " in done.err
        assert read(tmp_path / "a.nii").shape == (slices, 5, 4)


class TestAnImageFileOfAFolder:
    def test_by_the_id_that_info_says(self, run: Run, images: Path, tmp_path: Path) -> None:
        assert run("convert", images, "a.nii", "--series", "good.nii.gz").code == 0
        assert read(tmp_path / "a.nii").shape == read(images / "good.nii.gz").shape

    def test_two_of_one_name(self, run: Run, images: Path, tmp_path: Path) -> None:
        for case in ("a", "b"):
            (tmp_path / case).mkdir()
            shutil.copy(images / "good.nii.gz", tmp_path / case)
        said = run("convert", tmp_path, "c.nii", "--series", "good.nii.gz").refused(2)
        assert "2 files named good.nii.gz: a/good.nii.gz, b/good.nii.gz; choose one of these ids" in said
        ids = [entry["id"] for entry in run("info", tmp_path, "--json").json]
        assert ids == ["a/good.nii.gz", "b/good.nii.gz"]
        assert run("convert", tmp_path, "c.nii", "--series", ids[1]).code == 0
        assert read(tmp_path / "c.nii").shape == read(images / "good.nii.gz").shape


class TestToFolder:
    def test_colour_and_times(self, run: Run, tmp_path: Path) -> None:
        colour = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 5)).astype(np.uint8)
        write(Volume(colour, make_affine(), "czyx", meta={"colour": "RGB"}), tmp_path / "colour.nii.gz")
        write(Volume(np.arange(120, dtype=np.int16).reshape(3, 2, 4, 5), make_affine()), tmp_path / "times.nii.gz")
        for name in ("colour", "times"):
            assert run("convert", f"{name}.nii.gz", name).code == 0
            before, after = read(tmp_path / f"{name}.nii.gz"), read(tmp_path / name)
            assert np.array_equal(before.data, after.data)
            assert (before.axes, before.meta.get("colour")) == (after.axes, after.meta.get("colour"))
            assert before.same_grid(after)
        assert run("convert", "colour", "again.nii.gz").code == 0
        assert read(tmp_path / "again.nii.gz").meta["colour"] == "RGB"


class TestOneTime:
    def test_of_echoes(self, run: Run, tmp_path: Path) -> None:
        data = np.arange(120, dtype=np.int16).reshape(3, 2, 4, 5)
        meta = {"echo_times_ms": [2.5, 5.0, 7.5]}
        write(Volume(data, make_affine(), modality="MR", meta=meta), tmp_path / "echoes")
        assert run("convert", "echoes", "second", "--time", "2").code == 0
        second = read(tmp_path / "second")
        assert (second.axes, second.meta["echo_time_ms"]) == ("zyx", 5)
        assert np.array_equal(second.data, data[1])
        assert "expected 1 to 3" in run("convert", "echoes", "none.nii", "--time", "4").refused(2)
        assert "leave --time out" in run("convert", "second", "none.nii", "--time", "1").refused(2)
        assert not (tmp_path / "none.nii").exists()


class TestRefusals:
    @pytest.mark.parametrize("target", ["a.png", "none/a.mgz", "full", "none/folder", "a.dcm"])
    def test_the_target_before_anything_is_read(self, target: str, run: Run, images: Path, tmp_path: Path) -> None:
        """The image could not be read either: that is not what is said."""
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "notes").touch()
        said = run("convert", images / "truncated.nii.gz", target).refused(2)
        assert "truncated" not in said
        assert target.split("/")[-1] in said

    @pytest.mark.parametrize(
        ("source", "target", "reason"),
        [
            ("good.nii.gz", "a.png", "found the ending '.png', expected .nii.gz, .nii, .nrrd, .mha, .mgz, or a folder"),
            ("good.nii.gz", "none/a.nii", "the folder none does not exist; create it first"),
            ("truncated.nii.gz", "a.nii", "truncated or damaged"),
            ("notes.txt", "a.nii", "is not a medical image"),
            ("empty", "a.nii", "DICOM"),
        ],
    )
    def test_leave_nothing(self, source: str, target: str, reason: str, run: Run, images: Path, tmp_path: Path) -> None:
        assert reason in run("convert", images / source, target).refused(2)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (("--series", "other"), "good.nii.gz holds one image and no series 'other'; leave --series out"),
            (("--like", "none"), "none does not exist; --like takes the folder"),
        ],
    )
    def test_an_option_is_not_passed_over(
        self, options: tuple[str, ...], reason: str, run: Run, images: Path, tmp_path: Path
    ) -> None:
        assert reason in run("convert", images / "good.nii.gz", "a.nii", *options).refused(2)
        assert list(tmp_path.iterdir()) == []

    def test_the_image_itself(self, run: Run, images: Path, tmp_path: Path) -> None:
        path = Path(shutil.copy(images / "good.nii.gz", tmp_path))
        before = path.read_bytes()
        assert "is itself read; choose another name" in run("convert", path, path).refused(2)
        assert path.read_bytes() == before

    def test_a_full_disk(self, run: Run, images: Path, tiny_disk: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 50_000)
        assert "the disk is full; nothing was left there" in run(
            "convert", images / "good.nii.gz", tiny_disk / "a.nii"
        ).refused(1)
        assert [file.name for file in tiny_disk.iterdir()] == ["filler"]
