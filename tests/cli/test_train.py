from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_resmed.cli.main import main
from napari_resmed.io import write
from napari_resmed.labels import LabelMap
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.cli import signalled
from tests.cli.conftest import Run
from tests.train.small import NAMES, QUICK, case, write_folder

HERE = ("--device", "cpu", "--precision", "fp32")

pytestmark = pytest.mark.usefixtures("own_models")


def plan_file(folder: Path, **changes: Any) -> Path:
    path = folder / "quick.json"
    path.write_text(json.dumps({**QUICK, **changes}))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data") / "small", 5)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# A refusal needs no process of its own: the same command line, in this one.
Refuse = Callable[..., str]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refuse:
    def command(*arguments: object, code: int = 2) -> str:
        monkeypatch.setattr(sys, "argv", ["napari-resmed", "train", *map(str, arguments)])
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == code, said.err
        assert said.out == ""
        *before, last = said.err.splitlines()
        assert all(line.startswith("Warning: ") for line in before), said.err
        assert last.startswith("napari-resmed: ")
        return last.removeprefix("napari-resmed: ")

    return command


class TestTrain:
    def test_the_document_and_the_model(self, run: Run, data: Path, tmp_path: Path) -> None:
        done = run("train", data, "-o", "mine", "--plan", plan_file(tmp_path), *HERE, "--json")
        assert done.code == 0, done.err
        document = done.json
        assert document.keys() >= {"model", "best_metric", "history", "seconds", "plan"}
        assert document["model"] == str(tmp_path / "mine")
        assert (document["stopped"], document["little"]) == (False, "")
        assert [entry["step"] for entry in document["history"]] == [10, 20, 30]
        assert document["plan"]["steps"] == 30
        assert load_model(tmp_path / "mine").labels.values == (1, 5)
        assert names(tmp_path) == ["mine", "quick.json"]
        # The next click: a case is segmented with it.
        image = data / "images/case0.nii.gz"
        assert run("segment", image, "-o", "seg.nii.gz", "-m", "mine", *HERE).code == 0

    def test_the_table(self, run: Run, data: Path, tmp_path: Path) -> None:
        done = run("train", data, "-o", "mine", "--plan", plan_file(tmp_path, steps=2), *HERE)
        assert done.code == 0, done.err
        assert done.out.split("\n")[0].split() == ["structure", "Dice", "before", "Dice", "after"]
        assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["ball", "box"]
        assert f"Wrote {tmp_path / 'mine'} in 0." in done.err

    def test_dirty_cases_are_warned_of(self, run: Run, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 5)
        (folder / "labels/case2.nii.gz").unlink()
        done = run("train", folder, "-o", "mine", "--plan", plan_file(tmp_path, steps=2), *HERE, "--json")
        assert done.code == 0, done.err
        assert done.json["plan"]["left_out"] == [["case2", "it has no labels"]]
        assert "Warning: case2 is left out: it has no labels" in done.err


STEPS = 60
# The beginning of a step, and its middle: the weights have moved, and the count has not.
STEP, MIDDLE = "napari_resmed.train.loop:Trainer._step", "napari_resmed.train.loop:Trainer._follow"


def longer(data: Path, folder: Path) -> list[object]:
    """A training with some looks at what is held out, the same each time."""
    plan = plan_file(folder, steps=STEPS, check_every=20)
    return ["train", data, "-o", "mine", *HERE, "--plan", plan]


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it arrives undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-m", "napari_resmed.cli", *map(str, longer(data, folder))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "mine"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
class TestInterrupted:
    def same_as(self, whole: Path, model: Path) -> None:
        one, other = (torch.load(folder / WEIGHTS, weights_only=True) for folder in (whole, model))
        assert all(torch.equal(one[name], other[name]) for name in one)
        history = [load_model(folder).training["history"] for folder in (whole, model)]
        for entries in history:
            for entry in entries:
                del entry["seconds"]
        assert history[0] == history[1]

    def test_control_c_leaves_what_can_be_resumed(self, run: Run, data: Path, whole: Path, tmp_path: Path) -> None:
        process = signalled.start(tmp_path, signal.SIGINT, STEP, 36, *longer(data, tmp_path))
        out, err = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert err.splitlines()[-1] == "napari-resmed: stopped; --resume goes on with mine"
        assert not (tmp_path / "mine").exists()
        checkpoint = RunFolder.beside(tmp_path / "mine").checkpoint
        assert torch.load(checkpoint, weights_only=True)["state"]["step"] == 35
        done = run("train", data, "-o", "mine", "--resume", "--json")
        assert done.code == 0, done.err
        self.same_as(whole, tmp_path / "mine")
        assert names(tmp_path) == ["mine", "quick.json"]

    def test_control_c_before_anything_was_decided(self, data: Path, tmp_path: Path) -> None:
        place = "napari_resmed.train.fingerprint:examine"
        process = signalled.start(tmp_path, signal.SIGINT, place, 3, *longer(data, tmp_path))
        _, err = process.communicate()
        assert process.returncode == 1, err
        assert err.splitlines()[-1] == "napari-resmed: stopped; nothing was left behind"
        assert names(tmp_path) == ["quick.json"]

    @pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
    def test_ended_in_the_middle_of_a_step_it_is_resumed_and_arrives_at_the_same_place(
        self, sign: signal.Signals, run: Run, data: Path, whole: Path, tmp_path: Path
    ) -> None:
        process = signalled.start(tmp_path, sign, MIDDLE, 30, *longer(data, tmp_path))
        _, err = process.communicate()
        assert process.returncode == (1 if sign is signal.SIGINT else -sign), err
        assert not (tmp_path / "mine").exists()
        done = run("train", data, "-o", "mine", "--resume")
        assert done.code == 0, done.err
        self.same_as(whole, tmp_path / "mine")


def only(folder: Path, change: Callable[[np.ndarray], np.ndarray], count: int = 3) -> Path:
    """The small data set with other labels."""
    write_folder(folder, count)
    for number in range(count):
        labels = case(number).labels
        assert isinstance(labels, LabelMap)
        write(
            LabelMap(change(labels.data).astype(np.uint8), labels.affine, labels=NAMES),
            folder / f"labels/case{number}.nii.gz",
        )
    return folder


def flatten(folder: Path, numbers: range) -> None:
    """Make single slices of some cases."""
    for number in numbers:
        made = case(number)
        image, labels = made.images[0], made.labels
        assert isinstance(image, Volume)
        assert isinstance(labels, LabelMap)
        full = slice(10, 11)
        drawn = np.ones_like(labels.data[full])
        drawn[:, :5] = 0
        write(image.with_data(image.data[full]), folder / f"images/case{number}.nii.gz")
        write(LabelMap(drawn, image.affine, labels=NAMES), folder / f"labels/case{number}.nii.gz")


class TestWrongInput:
    """What the issue lists, each in one sentence, with exit code 2 and nothing left behind."""

    def test_no_data(self, refuse: Refuse, tmp_path: Path) -> None:
        assert "none" in refuse("none", "-o", "mine")
        assert names(tmp_path) == []

    def test_labels_without_image(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 3)
        for path in (folder / "images").iterdir():
            path.unlink()
        assert "image" in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_images_without_labels(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 3)
        for path in (folder / "labels").iterdir():
            path.unlink()
        assert "labels" in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_one_class_only(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = only(tmp_path / "data", np.ones_like)
        assert "only one class is there, ball; paint background too" in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_all_unpainted(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = only(tmp_path / "data", np.zeros_like)
        (folder / "labels.json").write_text('{"labels": {"unpainted": 0, "ball": 1, "box": 5}}')
        assert "nothing is painted in any case of data; paint a structure first" in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_single_slices(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 3)
        flatten(folder, range(3))
        assert "single slices (2D); training a segmentation needs volumes" in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_2d_and_3d_mixed(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 4)
        flatten(folder, range(2))
        said = refuse(folder, "-o", "mine")
        assert "the cases are mixed: 2 of a single slice (2D), 2 of a volume (3D); train them apart" in said
        assert names(tmp_path) == ["data"]

    def test_channels_mixed(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 4)
        for number in range(2):
            image = case(number).images[0]
            assert isinstance(image, Volume)
            both = np.stack([image.data, -image.data])
            write(Volume(both, image.affine, "czyx"), folder / f"images/case{number}.nii.gz")
        assert "the cases are mixed: " in refuse(folder, "-o", "mine")
        assert names(tmp_path) == ["data"]

    def test_labels_on_another_grid(self, refuse: Refuse, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 2)
        for number in range(2):
            labels = case(number).labels
            assert isinstance(labels, LabelMap)
            moved = LabelMap(labels.data, make_affine(spacing_mm=(1, 1, 1.2)), labels=NAMES)
            write(moved, folder / f"labels/case{number}.nii.gz")
        said = refuse(folder, "-o", "mine")
        assert "its labels lie on another grid than its image" in said
        assert "resample the labels onto the image" in said
        assert names(tmp_path) == ["data"]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--task", "detect"), "found the task 'detect', expected segment or classify"),
            (("--minutes", "1", "--epochs", "1"), "found both minutes and epochs"),
            (("--minutes", "0"), "found 0.0 minutes, expected more than 0"),
            (("--epochs", "0"), "found 0 epochs, expected at least 1"),
            (("--care", "reckless"), "found the care 'reckless', expected bold, normal, careful"),
            (("--device", "gpu"), "the device is 'gpu', expected auto"),
            (("--precision", "fp64"), "the precision is 'fp64'"),
            (("--devices", "0"), "found 0 devices"),
            (("--memory", "-1"), "found -1.0 MB of memory"),
            (("--seed", "-1"), "found the seed -1, expected 0 or more"),
            (("--from", "nothing"), "there is no model 'nothing'"),
            (("--resume",), "there is nothing to resume: mine has no unfinished training"),
            (("--plan", "none.json"), "none.json cannot be read as a plan"),
            (("--minutes", "soon"), "Invalid value for '--minutes'"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_options(self, options: tuple[str, ...], said: str, refuse: Refuse, data: Path, tmp_path: Path) -> None:
        assert said in refuse(data, "-o", "mine", *options)
        assert names(tmp_path) == []

    @pytest.mark.parametrize("text", ["{", "[1]", '{"steps": "many", "minutes": null}', '{"wrong": 1}'])
    def test_a_plan_that_is_none(self, text: str, refuse: Refuse, data: Path, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text(text)
        assert "plan" in refuse(data, "-o", "mine", "--plan", "plan.json")
        assert names(tmp_path) == ["plan.json"]

    def test_a_place_that_is_taken(self, refuse: Refuse, data: Path, tmp_path: Path) -> None:
        (tmp_path / "thesis").mkdir()
        assert "thesis is there and is no model folder; choose another place" in refuse(data, "-o", "thesis")

    def test_a_place_where_nothing_can_be_written(self, refuse: Refuse, data: Path, locked_disk: Path) -> None:
        assert "nothing can be written in" in refuse(data, "-o", locked_disk / "mine")


class TestFailure:
    def test_a_disk_that_fills_up(self, refuse: Refuse, data: Path, tiny_disk: Path, tmp_path: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 40_000)
        said = refuse(data, "-o", tiny_disk / "mine", "--plan", plan_file(tmp_path), code=1)
        assert "disk" in said
        assert not (tiny_disk / "mine").exists()
