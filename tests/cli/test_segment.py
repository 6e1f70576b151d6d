from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.cli import signalled
from tests.cli.conftest import Ran, Run
from tests.small_models import BANDS

HERE = ("--device", "cpu", "--precision", "fp32")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def done(images: Path, place: Path, models_folder: Path) -> Ran:
    """One run with everything that can be asked for."""
    command = [
        sys.executable,
        "-m",
        "napari_resmed.cli",
        "segment",
        str(images / "good.nii.gz"),
        "-o",
        "seg.nii.gz",
    ]
    command += ["-m", "bands", *HERE, "--uncertainty", "doubt.nii.gz", "--table", "volumes.csv", "--json", "--tta"]
    environment = os.environ | {"RESMED_MODELS": str(models_folder)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment)
    return Ran(done.returncode, done.stdout, done.stderr)


class TestOneImage:
    def test_json_has_the_fixed_fields(self, done: Ran) -> None:
        assert done.code == 0, done.err
        report = done.json
        assert list(report) == [
            "output",
            "model",
            "labels",
            "seconds",
            "tiles",
            "device",
            "precision",
            "peak_memory_mb",
        ]
        assert list(report["seconds"]) == ["read", "prepare", "network", "restore", "write", "total"]
        # The last only because an uncertainty was asked for.
        assert all(list(row) == ["value", "name", "voxels", "volume_ml", "uncertainty"] for row in report["labels"])
        assert (report["output"], report["model"], report["device"], report["precision"]) == (
            "seg.nii.gz", "bands", "cpu", "fp32",
        )  # fmt: skip
        seconds = report["seconds"]
        assert sum(seconds.values()) - seconds["total"] <= seconds["total"] + 0.1
        assert report["tiles"] > 1
        assert report["peak_memory_mb"] > 50

    def test_labels_lie_on_the_images_grid(self, done: Ran, place: Path, images: Path) -> None:
        labels, image = read(place / "seg.nii.gz"), read(images / "good.nii.gz")
        assert isinstance(labels, LabelMap)
        assert labels.same_grid(image)
        assert labels.labels == BANDS
        told = [{key: value for key, value in row.items() if key != "uncertainty"} for row in done.json["labels"]]
        assert labels.table() == told

    def test_table_uncertainty_and_note_lie_beside(self, done: Ran, place: Path) -> None:
        assert names(place) == ["doubt.nii.gz", "seg.nii.gz", "seg.nii.gz.resmed.json", "volumes.csv"]
        with (place / "volumes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(int(row["value"]), row["name"], int(row["voxels"])) for row in rows] == [
            (row["value"], row["name"], row["voxels"]) for row in done.json["labels"]
        ]
        assert [float(row["uncertainty"]) for row in rows] == [row["uncertainty"] for row in done.json["labels"]]
        doubt = read(place / "doubt.nii.gz")
        assert doubt.data.min() >= 0
        assert doubt.data.max() <= 1
        note = json.loads((place / "seg.nii.gz.resmed.json").read_text())
        assert note["image"] == "good.nii.gz"
        assert note["made_by"]["parameters"]["tta"] is True


class TestSeveralImages:
    def test_go_to_a_folder_and_the_bad_one_does_not_stop_the_good(
        self, run: Run, images: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        sources = [images / name for name in ("good.nii.gz", "nan.nii.gz", "other.nii.gz")]
        done = run("segment", *sources, "-o", "out", "-m", "bands", *HERE, "--json")
        assert done.code == 2
        assert [report["output"] for report in done.json] == ["out/good_seg.nii.gz", "out/other_seg.nii.gz"]
        assert names(tmp_path / "out") == [
            "good_seg.nii.gz", "good_seg.nii.gz.resmed.json", "other_seg.nii.gz", "other_seg.nii.gz.resmed.json",
        ]  # fmt: skip
        assert "nan.nii.gz: the image has 1 voxels that are NaN or infinite" in done.err
        assert done.err.splitlines()[-1] == "napari-resmed: 1 of 3 images could not be segmented; the others are done"

    def test_need_a_folder(self, run: Run, images: Path, tmp_path: Path) -> None:
        sources = [images / "good.nii.gz", images / "other.nii.gz"]
        assert (
            "need a folder to write to, and out is none; create it first"
            in run("segment", *sources, "-o", "out").refused()
        )
        for extra in (("--table", "a.csv"), ("--uncertainty", "a.nii")):
            assert "take one image" in run("segment", *sources, "-o", tmp_path, *extra).refused()
        assert names(tmp_path) == []

    def test_outputs_of_one_name_would_too(self, run: Run, images: Path, tmp_path: Path) -> None:
        out, note = tmp_path / "seg.nii.gz", tmp_path / "seg.nii.gz.resmed.json"
        for extra in (("--table", out), ("--uncertainty", tmp_path / "a" / ".." / "seg.nii.gz"), ("--table", note)):
            (tmp_path / "a").mkdir(exist_ok=True)
            message = run("segment", images / "good.nii.gz", "-o", out, "-m", "bands", *extra).refused()
            assert "two results would be written to" in message
        source = images / "good.nii.gz"
        assert "good.nii.gz" in run("segment", source, "-o", out, "-m", "bands", "--table", source).refused()
        assert not out.exists()

    def test_of_one_name_would_overwrite_each_other(self, run: Run, images: Path, tmp_path: Path) -> None:
        message = run("segment", images / "good.nii.gz", images / "good.nii.gz", "-o", tmp_path).refused()
        assert "two images would both be written to good_seg.nii.gz" in message


class TestDicom:
    def test_writes_a_dicom_segmentation(self, run: Run, images: Path, tmp_path: Path) -> None:
        # Put into the series' own folder, it is found there with its names, on the image's grid.
        write(read(images / "good.nii.gz"), tmp_path / "study")
        done = run("segment", "study", "-o", "study/labels.dcm", "-m", "bands", *HERE, "--json")
        assert done.code == 0, done.err
        (entry,) = [entry for entry in run("info", "study", "--json").json if entry["kind"] == "labels"]
        labels, image = read(tmp_path / "study" / "labels.dcm"), read(tmp_path / "study")
        assert labels.same_grid(image)
        assert labels.counts() == {row["value"]: row["voxels"] for row in done.json["labels"]}
        assert [(label.name, label.colour) for label in labels.labels] == [(one.name, one.colour) for one in BANDS]
        assert entry["modality"] == "SEG"

    def test_needs_dicom(self, run: Run, images: Path, tmp_path: Path) -> None:
        message = run("segment", images / "good.nii.gz", "-o", "labels.dcm", "-m", "bands").refused()
        assert "written over the DICOM series" in message
        assert "segment the series' folder itself" in message
        assert "--like" not in message  # which this command does not have
        assert names(tmp_path) == []


class TestRefusalsBeforeAnyWork:
    """Wrong places cost no waiting: these do not even load torch."""

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("seg.png", "found the ending '.png', expected .nii.gz, .nii, .nrrd, .mha"),
            ("seg", "expected a file ending like .nii.gz, or an existing folder"),
            ("none/seg.nii.gz", "the folder none does not exist; create it first"),
        ],
    )
    def test_a_wrong_place(self, target: str, reason: str, run: Run, images: Path, tmp_path: Path) -> None:
        assert reason in run("segment", images / "good.nii.gz", "-o", target).refused()
        assert names(tmp_path) == []

    @pytest.mark.parametrize("option", ["--table", "--uncertainty"])
    def test_a_wrong_place_for_what_goes_beside(self, option: str, run: Run, images: Path, tmp_path: Path) -> None:
        place = "none/a.csv" if option == "--table" else "none/a.nii"
        message = run("segment", images / "good.nii.gz", "-o", "seg.nii.gz", option, place).refused()
        assert "the folder none does not exist" in message
        assert names(tmp_path) == []

    def test_a_table_under_another_name(self, run: Run, images: Path, tmp_path: Path) -> None:
        message = run("segment", images / "good.nii.gz", "-o", "seg.nii.gz", "--table", "volumes.xlsx").refused()
        assert "cannot write volumes.xlsx: found the ending '.xlsx', expected .csv" in message
        assert names(tmp_path) == []

    def test_the_image_itself(self, run: Run, images: Path, tmp_path: Path) -> None:
        path = Path(shutil.copy(images / "good.nii.gz", tmp_path))
        before = path.read_bytes()
        assert "is itself read; choose another name" in run("segment", path, "-o", path, "-m", "bands").refused()
        assert path.read_bytes() == before

    def test_an_unknown_model(self, run: Run, images: Path, tmp_path: Path) -> None:
        message = run("segment", images / "good.nii.gz", "-o", "seg.nii.gz", "-m", "liver").refused(2)
        assert "there is no model 'liver'; expected a model folder or one of:" in message
        assert names(tmp_path) == []

    def test_a_locked_place(self, run: Run, images: Path, locked_disk: Path) -> None:
        message = run("segment", images / "good.nii.gz", "-o", locked_disk / "seg.nii.gz").refused()
        assert "writing is not allowed there; choose another place" in message


class TestRefusals:
    def test_every_bad_image_in_one_line(self, run: Run, images: Path, tmp_path: Path) -> None:
        # Together in one process, because starting one with torch in it takes its time.
        reasons = {
            "nan.nii.gz": "the image has 1 voxels that are NaN or infinite",
            "constant.nii.gz": "the image has the value 3 everywhere",
            "flat.nii.gz": "the image is 2D (1×24×28), the model bands needs a 3D volume",
            "colour.nii.gz": "the image has 3 channels, the model bands takes 1 (MR)",
            "time.nii.gz": "the image has 3 time points, the model bands takes one: save the one you want",
            "truncated.nii.gz": "truncated.nii.gz is truncated or damaged",
            "notes.txt": "notes.txt is not a medical image that can be read",
            "empty": "found no file in the folder, expected DICOM files",
            "none.nii.gz": "does not exist",
        }
        (tmp_path / "out").mkdir()
        done = run("segment", *(images / name for name in reasons), "-o", "out", "-m", "bands", "--json")
        assert done.code == 2
        assert done.json == []
        lines = done.err.splitlines()
        for (name, reason), line in zip(reasons.items(), lines, strict=False):
            assert line.startswith(f"{name}: ")
            assert reason in line
        assert lines[len(reasons) :] == ["napari-resmed: 9 of 9 images could not be segmented"]
        assert names(tmp_path / "out") == []

    def test_a_bad_image_alone(self, run: Run, images: Path, tmp_path: Path) -> None:
        message = run("segment", images / "nan.nii.gz", "-o", "seg.nii.gz", "-m", "bands", "--json").refused(2)
        assert "1 voxels that are NaN or infinite" in message
        assert names(tmp_path) == []

    def test_a_disk_that_fills_up(self, run: Run, images: Path, tiny_disk: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 63_000)
        message = run("segment", images / "good.nii.gz", "-o", tiny_disk / "seg.nii", "-m", "bands", *HERE).refused(1)
        assert "the disk is full; nothing was left there" in message
        assert names(tiny_disk) == ["filler"]


class TestInterrupt:
    def test_control_c_leaves_nothing(self, own_models: Path, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        data = np.random.default_rng(0).random((40, 40, 40), np.float32)
        write(Volume(data, make_affine()), tmp_path / "in/long.nii")
        command = ["segment", "in/long.nii", "-o", "out/seg.nii.gz", "-m", "bands", "--overlap", "0.5", *HERE]
        process = signalled.start(tmp_path, signal.SIGINT, "napari_resmed.predict.belt:Belt.add", 20, *command)
        out, err = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert err.splitlines() == ["napari-resmed: stopped; nothing was left behind"]
        assert names(tmp_path / "out") == []

    def test_control_c_between_images_says_what_stays(self, images: Path, own_models: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        command = ["segment", *(images / f"{name}.nii.gz" for name in ("good", "other")), "-o", "out", "-m", "bands"]
        place = "napari_resmed.jobs.segment_file:read"
        process = signalled.start(tmp_path, signal.SIGINT, place, 2, *command, "--json", *HERE)
        out, err = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert err.splitlines()[-1] == "napari-resmed: stopped; 1 of 2 images are done and stay"
        assert names(tmp_path / "out") == ["good_seg.nii.gz", "good_seg.nii.gz.resmed.json"]
