from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Metric, Preview, Progress, Started, Warning
from napari_resmed.io import read, write
from napari_resmed.jobs import carry_out, find_job
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import STOP, Training, train
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.models.model import Model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.review.misfit import familiar_to
from napari_resmed.train.memory import BYTES_OF_LIBRARIES, USABLE
from napari_resmed.train.patches import Batch
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session
from napari_resmed.train.store import ASSUMED
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.models.test_bundle import run_plain_monai
from tests.small_models import save
from tests.train.small import LITTLE_NETWORK, NAMES, QUICK, case, finish, picture, write_folder

pytestmark = pytest.mark.usefixtures("own_models")

Job = Generator[Event, str | None, Training]


def little(data: Any, target: Path | str, **more: Any) -> Job:
    """The job, with a network and a patch that take a moment."""
    return train(data, target, **{"plan": QUICK, "device": "cpu", **more})


def run(data: Any, target: Path | str, **more: Any) -> tuple[list[Event], Training]:
    told: list[Event] = []
    return told, finish(little(data, target, **more), told)


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(model / WEIGHTS, weights_only=True))


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def without_clock(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data") / "small", 5)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event], Training]:
    """One training from beginning to end, for those who only look."""
    model = tmp_path_factory.mktemp("whole") / "mine"
    return (model, *run(data, model))


class TestWhole:
    def test_gives_a_model(self, whole: tuple[Path, list[Event], Training]) -> None:
        folder, _, done = whole
        model = load_model(folder)
        assert (model.name, model.labels.values, model.channels) == ("mine", (1, 5), ("image",))
        assert [label.name for label in model.labels] == ["ball", "box"]
        assert (done.name, done.model, done.stopped) == ("mine", str(folder), False)
        assert model.measured["held-out Dice"]["mean"] == done.best_metric
        assert [path.name for path in folder.parent.iterdir()] == ["mine"]

    def test_tells_what_it_does(self, whole: tuple[Path, list[Event], Training]) -> None:
        _, told, done = whole
        assert told[0] == Started("Training mine")
        shares = [event.done for event in told if isinstance(event, Progress)]
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] <= 1
        assert {event.what for event in told if isinstance(event, Progress)} >= {
            "Finding the cases", "Looking at the data", "Preparing the cases", "Training", "Judging the result",
            "Writing the model",
        }  # fmt: skip
        dice = [event for event in told if isinstance(event, Metric) and event.name == "mean Dice"]
        assert [(event.step, event.value) for event in dice] == [(e["step"], e["mean_dice"]) for e in done.history]
        assert any(isinstance(event, Metric) and event.name == "training loss" for event in told)
        looks = [event.data for event in told if isinstance(event, Preview) and event.what == "held-out slice"]
        assert len(looks) == len(dice)
        assert looks[0]["image"].shape == looks[0]["truth"].shape == looks[0]["answer"].shape
        (plan,) = [event.data for event in told if isinstance(event, Preview) and event.what == "plan"]
        assert plan == done.plan

    def test_the_result_is_plain(self, whole: tuple[Path, list[Event], Training]) -> None:
        _, _, done = whole
        json.dumps(vars(done), allow_nan=False)
        assert set(done.before) == set(done.after) == {"ball", "box"}
        assert [entry["step"] for entry in done.history] == [10, 20, 30]
        assert all(set(entry) == {"step", "seconds", "loss", "dice", "mean_dice"} for entry in done.history)
        assert done.seconds["total"] >= done.seconds["loop"] > 0

    def test_it_segments(self, whole: tuple[Path, list[Event], Training], data: Path) -> None:
        image = read(data / "images/case0.nii.gz")
        done = finish(segment(image, str(whole[0]), device="cpu", precision="fp32"))
        assert done.labels.same_grid(image)
        assert set(np.unique(done.labels.data)) <= {0, 1, 5}

    def test_it_knows_what_is_usual(self, whole: tuple[Path, list[Event], Training], data: Path) -> None:
        known = familiar_to(load_model(whole[0]))
        assert known.images == 5
        assert known.extent_mm == ((20.0, 20.0), (22.0, 22.0), (24.0, 24.0))
        assert known.lowest[0][0] < known.lowest[0][1] < 10
        image = read(data / "images/case0.nii.gz")
        cut = image.with_data(image.data[:8])
        told: list[Event] = []
        finish(segment(cut, str(whole[0]), device="cpu", precision="fp32"), told)
        (first, *_) = [event.message for event in told if isinstance(event, Warning)]
        assert first == (
            "the image covers only 8 mm from head to foot, mine was trained on 20 mm: expect a poor result"
        )

    def test_is_the_same_each_time(self, whole: tuple[Path, list[Event], Training], data: Path, tmp_path: Path) -> None:
        _, again = run(data, tmp_path / "mine")
        assert same_weights(whole[0], tmp_path / "mine")
        assert without_clock(again.history) == without_clock(whole[2].history)
        assert again.after == whole[2].after

    def test_is_found_by_its_name(self) -> None:
        assert find_job("train") is train

    def test_a_name_alone_goes_to_the_persons_own_models(self, data: Path, models_folder: Path) -> None:
        try:
            _, done = run(data, "", name="named")
            assert done.model == str(models_folder / "named")
            assert load_model(models_folder / "named").name == "named"
        finally:
            shutil.rmtree(models_folder / "named", ignore_errors=True)

    def test_a_name_beside_the_folder_is_the_models(self, data: Path, tmp_path: Path) -> None:
        run(data, tmp_path / "folder", name="name")
        assert load_model(tmp_path / "folder").name == "name"


class TestAccuracy:
    def test_what_can_be_learnt_is_learnt(self, data: Path, tmp_path: Path) -> None:
        plan = {**QUICK, "steps": 300, "check_every": 100, "learning_rate": 0.01}
        _, done = run(data, tmp_path / "mine", plan=plan)
        assert done.best_metric is not None
        assert done.best_metric > 0.75
        # And on an image of another size, spacing and order of axes, through the job that a click on Segment runs.
        image, labels = picture(99, (40, 20, 26))
        affine = make_affine((0, 2, 1), (-1, 1, -1), spacing_mm=(0.6, 1.0, 1.0))
        found = finish(segment(Volume(image, affine), str(tmp_path / "mine"), device="cpu", precision="fp32")).labels
        hit = 2 * ((found.data > 0) & (labels > 0)).sum() / ((found.data > 0).sum() + (labels > 0).sum())
        assert hit > 0.7


class TestTheModelFolder:
    def test_plain_monai_segments_with_it(self, whole: tuple[Path, list[Event], Training], tmp_path: Path) -> None:
        pytest.importorskip("ignite", reason="MONAI's engines need pytorch-ignite")
        pytest.importorskip("fire", reason="MONAI's command line needs fire")
        (tmp_path / "in").mkdir()
        image = Volume(picture(9)[0], make_affine(spacing_mm=(1.1, 0.9, 1.0)))
        write(image, tmp_path / "in/one.nii.gz")
        theirs = read(run_plain_monai(whole[0], tmp_path) / "one/one_seg.nii.gz")
        ours = finish(segment(image, str(whole[0]), device="cpu", precision="fp32")).labels
        assert theirs.same_grid(ours)
        assert (theirs.data == ours.data).mean() > 0.97

    def test_names_no_case_and_no_place(self, tmp_path: Path) -> None:
        place = tmp_path / "Anna_Mustermann"
        write_folder(place, 4, prefix="Mueller1950-")
        (place / "labels/Mueller1950-1.nii.gz").unlink()  # left out, with a reason that names it
        told, done = run(place, tmp_path / "model")
        assert any(isinstance(event, Warning) and "Mueller1950-1" in event.message for event in told)
        assert any("Mueller" in name for name in done.plan["training"])  # on the person's own screen it may be
        files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
        assert len(files) == 5
        for path in files:
            written = path.read_bytes()
            for secret in (b"Mueller", b"Mustermann", str(tmp_path).encode(), b"1950-"):
                assert secret not in written, path.name

    def test_says_how_it_was_made(self, whole: tuple[Path, list[Event], Training]) -> None:
        training = load_model(whole[0]).training
        assert training["history"] == whole[2].history
        assert training["plan"]["steps"] == 30
        assert (training["plan"]["training"], training["plan"]["held_out"]) == (4, 1)
        assert training["fingerprint"]["cases"] == 5
        card = (whole[0] / "docs/README.md").read_text()
        assert f"| ball | {whole[2].before['ball'] or 0:.3f}" in card or "| ball | – |" in card
        assert "not for diagnosis" in card

    def test_an_older_model_is_replaced_only_at_the_end(self, data: Path, tmp_path: Path) -> None:
        run(data, tmp_path / "mine")
        before = weights_of(tmp_path / "mine")
        steps = little(data, tmp_path / "mine", seed=1)
        next(event for event in steps if isinstance(event, Metric))
        steps.close()
        assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(tmp_path / "mine").items())
        finish(train("", tmp_path / "mine", resume=True))
        assert not all(torch.equal(tensor, before[name]) for name, tensor in weights_of(tmp_path / "mine").items())


class TestFromTheViewer:
    def layers(self, seed: int, **more: Any) -> dict[str, Any]:
        made = case(seed)
        return {"name": f"layer {seed}", "images": list(made.images), "labels": made.labels, **more}

    def test_several_pairs(self, tmp_path: Path) -> None:
        _, done = run([self.layers(seed) for seed in range(3)], tmp_path / "mine")
        assert len(done.plan["training"]) == 2
        assert load_model(tmp_path / "mine").labels == NAMES

    def test_one_case_of_which_some_slices_are_painted(self, tmp_path: Path) -> None:
        image, labels = picture(0, (30, 22, 24))
        painted = np.zeros_like(labels)
        slices = list(range(4, 28, 3))
        for z in slices:
            painted[z] = labels[z]
        layer = LabelMap(painted, make_affine(), labels=NAMES)
        entry = {
            "name": "a", "images": [Volume(image, make_affine())], "labels": layer, "only_painted": True,
            "complete_slices": [(0, z) for z in slices],
        }  # fmt: skip
        told, done = run(
            [entry], tmp_path / "mine", plan={**QUICK, "steps": 100, "check_every": 50, "learning_rate": 0.01}
        )
        assert (done.plan["training"], done.plan["held_out"]) == (["a"], [])
        assert "a block of slices" in done.plan["reasons"]["held_out"]
        assert done.best_metric is not None
        assert done.best_metric > 0.6
        assert done.little.startswith("held out is no more than 77 voxels of ball, so its Dice is hardly a figure")
        assert told.count(Warning(done.little)) == 1
        assert "**Held out is no more than 77 voxels" in (tmp_path / "mine" / "docs" / "README.md").read_text()

    def test_two_images_as_channels(self, tmp_path: Path) -> None:
        entries = []
        for seed in range(3):
            entry = self.layers(seed)
            (first,) = entry["images"]
            second = first.with_data(-first.data)
            entries.append({**entry, "images": [replace(first, modality="T1"), replace(second, modality="T2")]})
        run(entries, tmp_path / "mine", plan={**QUICK, "arguments": {**LITTLE_NETWORK, "in_channels": 2}})
        model = load_model(tmp_path / "mine")
        assert model.channels == ("T1", "T2")
        both = Volume(np.stack([image.data for image in entries[0]["images"]]), make_affine(), "czyx")
        finish(segment(both, str(tmp_path / "mine"), device="cpu"))

    def test_a_painted_background(self, tmp_path: Path) -> None:
        _, labels = picture(0)
        scribbles = np.zeros_like(labels)
        scribbles[:, 2:20:6] = np.where(labels[:, 2:20:6] == 1, 1, 2)
        named = LabelSet((Label(1, "ball", (1, 1, 1)), Label(2, "background", (1, 1, 1))))
        entry = {**self.layers(0), "labels": LabelMap(scribbles, make_affine(), labels=named), "only_painted": True}
        run([entry], tmp_path / "mine", plan={**QUICK, "arguments": {**LITTLE_NETWORK, "out_channels": 2}})
        assert load_model(tmp_path / "mine").labels.values == (1,)


class TestStop:
    def until(self, steps: Job, kind: type[Event], what: str = "", count: int = 1) -> None:
        """Run to the so many-th event of a kind."""
        for event in steps:
            count -= isinstance(event, kind) and what in (getattr(event, "what", "") or getattr(event, "name", ""))
            if not count:
                return

    def test_keeps_the_best_and_leaves_the_rest_to_resume(self, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine", plan={**QUICK, "steps": 10_000, "check_every": 5})
        self.until(steps, Metric, "mean Dice", 2)
        told: list[Event] = []
        done = finish(steps, told, STOP)
        assert done.stopped
        assert not any(isinstance(event, Metric) and event.name == "training loss" for event in told)
        assert len(done.history) == 2
        load_model(tmp_path / "mine")
        assert RunFolder.beside(tmp_path / "mine").is_unfinished
        best = torch.load(RunFolder.beside(tmp_path / "mine").checkpoint, weights_only=True)["best_weights"]
        assert all(torch.equal(tensor, best[name]) for name, tensor in weights_of(tmp_path / "mine").items())

    def test_goes_on_where_it_was_stopped(
        self, whole: tuple[Path, list[Event], Training], data: Path, tmp_path: Path
    ) -> None:
        steps = little(data, tmp_path / "mine")
        self.until(steps, Metric, "mean Dice")
        assert finish(steps, say=STOP).stopped
        done = finish(train("", tmp_path / "mine", resume=True))
        assert not done.stopped
        assert same_weights(whole[0], tmp_path / "mine")
        assert without_clock(done.history) == without_clock(whole[2].history)
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    @pytest.mark.parametrize("what", ["Finding the cases", "Looking at the data", "Preparing the cases"])
    def test_asked_before_the_loop_is_not_forgotten(self, what: str, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine", plan={**QUICK, "steps": 100_000})
        self.until(steps, Progress, what)
        done = finish(steps, say=STOP)
        assert done.stopped
        assert done.history == []
        load_model(tmp_path / "mine")

    def test_other_words_are_no_stop(self, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine")
        self.until(steps, Progress, "Training")
        assert not finish(steps, say="hurry").stopped

    @pytest.mark.parametrize(
        ("kind", "what", "count"),
        [
            (Progress, "Training", 1),
            (Metric, "mean Dice", 2),
            (Preview, "held-out slice", 1),
            (Progress, "Judging", 1),
            (Progress, "Writing", 1),
        ],
    )
    def test_cancelled_it_can_be_resumed(
        self,
        kind: type[Event],
        what: str,
        count: int,
        whole: tuple[Path, list[Event], Training],
        data: Path,
        tmp_path: Path,
    ) -> None:
        steps = little(data, tmp_path / "mine")
        self.until(steps, kind, what, count)
        steps.close()
        assert not (tmp_path / "mine").exists()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("resmed-patches")]
        done = finish(train("", tmp_path / "mine", resume=True))
        assert same_weights(whole[0], tmp_path / "mine")
        assert without_clock(done.history) == without_clock(whole[2].history)

    def test_cancelled_before_anything_was_decided_nothing_is_left(self, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine")
        self.until(steps, Progress, "Looking at the data")
        steps.close()
        assert list(tmp_path.iterdir()) == []


class TestResume:
    def test_of_what_is_finished(self, whole: tuple[Path, list[Event], Training]) -> None:
        with pytest.raises(InputError, match="nothing to resume: mine is finished; start from it to train on"):
            finish(train("", whole[0], resume=True))

    def test_of_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="nothing to resume: mine has no unfinished training"):
            finish(train("", tmp_path / "mine", resume=True))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("more", [{"resume": True}, {}], ids=["resume", "anew"])
    def test_not_while_it_runs_elsewhere(self, more: dict[str, Any], data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine")
        next(event for event in steps if isinstance(event, Metric))
        with pytest.raises(InputError, match="mine is being trained already"):
            finish(little(data, tmp_path / "mine", **more))
        assert finish(steps).history[-1]["step"] == 30

    def test_without_it_an_unfinished_one_is_set_aside_and_said(self, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine")
        next(event for event in steps if isinstance(event, Metric))
        steps.close()
        told, _ = run(data, tmp_path / "mine")
        assert any(isinstance(event, Warning) and "was set aside" in event.message for event in told)
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_images_that_are_gone_since(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 4)
        steps = little(folder, tmp_path / "mine")
        next(event for event in steps if isinstance(event, Preview))
        steps.close()
        shutil.rmtree(folder / "images")
        with pytest.raises(InputError, match=r"case\d can no longer be used: its file .* is missing"):
            finish(train("", tmp_path / "mine", resume=True))

    @pytest.mark.parametrize("file", ["plan.json", "dataset.json", "checkpoint.pt"])
    def test_a_damaged_file_is_one_sentence(self, file: str, data: Path, tmp_path: Path) -> None:
        steps = little(data, tmp_path / "mine")
        next(event for event in steps if isinstance(event, Metric))
        steps.close()
        (RunFolder.beside(tmp_path / "mine").path / file).write_bytes(b"\x00\xff{")
        with pytest.raises(InputError, match="damaged|cannot be read as a plan") as caught:
            finish(train("", tmp_path / "mine", resume=True))
        assert "\n" not in str(caught.value)


class TestTime:
    def test_minutes_are_kept(self, data: Path, tmp_path: Path) -> None:
        begin = time.perf_counter()
        _, done = run(data, tmp_path / "mine", minutes=0.1, plan={**QUICK, "steps": None, "minutes": 0.1})
        taken = time.perf_counter() - begin
        assert 3 < taken < 500  # six seconds, and what a busy machine adds; ten minutes where nothing is said
        assert done.history[-1]["step"] > 0

    def test_epochs(self, data: Path, tmp_path: Path) -> None:
        plan = {name: value for name, value in QUICK.items() if name not in ("minutes", "steps", "check_every")}
        _, done = run(data, tmp_path / "mine", epochs=1, plan=plan)
        assert done.history[-1]["step"] == 50


class TestMemory:
    def test_a_smaller_step_is_begun_with(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        module = sys.modules["napari_resmed.jobs.train"]
        free = round(BYTES_OF_LIBRARIES / USABLE) + 2_500_000
        monkeypatch.setattr(module, "free_bytes", lambda machine: (free, 2**40))
        told, done = run(data, tmp_path / "mine")
        (said,) = [e.message for e in told if isinstance(e, Warning) and "memory is short" in e.message]
        assert said.endswith("1 patch of 16×16×16 voxels a step instead of 2 patches of 16×16×16 voxels")
        assert (done.plan["batch"], done.history[-1]["step"]) == (1, 30)

    def test_too_many_structures(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        module = sys.modules["napari_resmed.jobs.train"]
        monkeypatch.setattr(module, "free_bytes", lambda machine: (10_000, 2**40))
        with pytest.raises(InputError, match=r"2 structures need .* for the smallest patch.* fewer structures"):
            run(data, tmp_path / "mine")
        assert list(tmp_path.iterdir()) == []


class TestFromAModel:
    @pytest.fixture
    def base(self, tmp_path: Path, data: Path) -> Path:
        run(data, tmp_path / "base", plan={**QUICK, "steps": 120, "check_every": 60, "learning_rate": 0.01})
        return tmp_path / "base"

    def test_begins_where_it_ended(self, base: Path, data: Path, tmp_path: Path) -> None:
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        told, done = run(data, tmp_path / "mine", base=str(base), plan={**quick, "steps": 1})
        assert any(isinstance(e, Started) and "base knows already: ball, box" in e.what for e in told)
        assert done.before["ball"] == pytest.approx(load_model(base).measured["held-out Dice"]["ball"], abs=1e-6)
        assert done.plan["base"] == "base"
        assert "starts from base" in done.plan["reasons"]["start"]
        assert "started from base" in (tmp_path / "mine/docs/README.md").read_text()

    def test_one_that_answers_parts_says_that_it_sees_the_whole(self, base: Path, data: Path, tmp_path: Path) -> None:
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        metadata = base / "configs" / "metadata.json"
        values = json.loads(metadata.read_text())
        values["resmed"]["found_by"] = {"model": "bands", "structures": ["dark"], "margin_mm": 3}

        def told(largest_mm: float) -> list[str]:
            values["resmed"]["training"]["familiar"]["extent_mm"] = [[1.0, largest_mm]] * 3
            metadata.write_text(json.dumps(values))
            events, _ = run(data, tmp_path / "mine", base=str(base), plan={**quick, "steps": 1})
            return [event.message for event in events if isinstance(event, Warning) and "cut out" in event.message]

        (said,) = told(4.0)
        assert "more show much more than base was trained on: it answers its part cut out of such an image" in said
        assert told(1000.0) == []

    def test_resumes_from_it_too(self, base: Path, data: Path, tmp_path: Path) -> None:
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        run(data, tmp_path / "one", base=str(base), plan=quick)
        steps = little(data, tmp_path / "two", base=str(base), plan=quick)
        next(event for event in steps if isinstance(event, Metric))
        steps.close()
        shutil.rmtree(base)
        finish(train("", tmp_path / "two", resume=True))
        assert same_weights(tmp_path / "one", tmp_path / "two")

    def test_into_itself(self, base: Path, data: Path) -> None:
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        before = weights_of(base)
        run(data, base, base=str(base), plan=quick)
        assert any(not torch.equal(tensor, before[name]) for name, tensor in weights_of(base).items())

    def test_unpainted_places_that_it_knows_are_background(self, base: Path, tmp_path: Path) -> None:
        image, labels = picture(0)
        painted = np.flatnonzero((labels == 1).any((1, 2)))[1:-1:2]  # every second slice of the ball
        ball = LabelMap((labels == 1).astype(np.uint8), make_affine(), labels=LabelSet((Label(1, "bulb", (1, 1, 1)),)))
        shown = {"name": "a", "images": (Volume(image, make_affine()),), "labels": ball}
        shown |= {"only_painted": True, "complete_slices": tuple((0, int(z)) for z in painted)}
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        steps = train([shown], tmp_path / "mine", base=str(base), plan={**quick, "steps": 2, "check_every": 2})
        told = [next(steps)]
        while not isinstance(told[-1], Metric):
            told.append(next(steps))
        with np.load(next(RunFolder.beside(tmp_path / "mine").prepared.glob("*.npz"))) as kept:
            assumed, bright = kept["target"] == ASSUMED, kept["image"][0] > 0.7
        steps.close()
        assert assumed.mean() > 0.3
        assert assumed[bright].mean() < 0.02 < bright.mean()
        assert any("takes for something else for certain count as background" in getattr(e, "what", "") for e in told)

    @pytest.mark.parametrize("kind", ["DynUNet", "SegResNet"])
    def test_other_networks(self, kind: str, data: Path, tmp_path: Path) -> None:
        from tests.train.test_transfer import KINDS

        arguments = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, **KINDS[kind]}
        model = Model(
            "other",
            kind,
            arguments,
            Preparation((1.0, 1.0, 1.0)),
            (16, 16, 16),
            LabelSet((Label(1, "ball", (1, 1, 1)),)),
        )
        save(model, tmp_path, dict(build_network(kind, arguments).state_dict()))
        quick = {name: value for name, value in QUICK.items() if name not in ("network", "arguments", "patch")}
        _, done = run(
            data, tmp_path / "mine", base=str(tmp_path / "other"), plan={**quick, "steps": 4, "check_every": 2}
        )
        assert load_model(tmp_path / "mine").network == kind
        assert "begun anew: box" in done.plan["reasons"]["start"]
        finish(segment(read(data / "images/case0.nii.gz"), str(tmp_path / "mine"), device="cpu", precision="fp32"))

    def test_of_other_channels(self, tmp_path: Path) -> None:
        arguments = {**LITTLE_NETWORK, "in_channels": 2}
        model = Model("two", "UNet", arguments, Preparation((1.0, 1.0, 1.0)), (16, 16, 16), NAMES, ("T1", "T2"))
        save(model, tmp_path, dict(build_network("UNet", arguments).state_dict()))
        made = [case(seed) for seed in range(2)]
        cases = [{"name": one.name, "images": one.images, "labels": one.labels} for one in made]
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        told, done = run(cases, tmp_path / "mine", base=str(tmp_path / "two"), plan={**quick, "steps": 2})
        assert load_model(tmp_path / "mine").channels == ("image",)
        assert any(isinstance(e, Started) and "two knows already: ball, box" in e.what for e in told)
        assert "new input channels, begun as the mean of the old: image" in done.plan["reasons"]["start"]

    def test_an_unknown_one(self, data: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="there is no model 'nothing'"):
            run(data, tmp_path / "mine", base="nothing")
        assert list(tmp_path.iterdir()) == []

    def test_a_damaged_one_leaves_nothing(self, base: Path, data: Path, tmp_path: Path) -> None:
        (base / WEIGHTS).write_bytes(b"nonsense")
        with pytest.raises(ModelError, match="weights of base are damaged"):
            run(data, tmp_path / "mine", base=str(base), plan={n: v for n, v in QUICK.items() if n != "arguments"})
        assert [path.name for path in tmp_path.iterdir()] == ["base"]


def hungry(limit: Callable[[nn.Module, torch.Tensor], bool], problem: Exception) -> Callable[[Session], nn.Module]:
    """Networks that run out of memory where ``limit`` says so.

    What the machine would say is said by a hook: taking its memory for real would take the machine down.
    """
    honest = Session.network

    def network(session: Session) -> nn.Module:
        made = honest(session)

        def hook(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            if limit(module, given[0]):
                raise problem

        made.register_forward_pre_hook(hook)
        return made

    return network


class TestOutOfMemory:
    SAYS = (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), MemoryError())

    @pytest.mark.parametrize("problem", SAYS, ids=["torch", "python"])
    def test_goes_on_with_fewer_patches(
        self, problem: Exception, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Session, "network", hungry(lambda _, image: len(image) > 1, problem))
        told, done = run(data, tmp_path / "mine", plan={**QUICK, "batch": 4})
        warnings = [event.message for event in told if isinstance(event, Warning)]
        assert warnings[-2:] == [
            "memory ran out; training goes on with 2 patches of 16×16×16 voxels a step",
            "memory ran out; training goes on with 1 patch of 16×16×16 voxels a step",
        ]
        assert done.plan["batch"] == 1
        assert done.history[-1]["step"] == 30

    def test_then_with_smaller_ones(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        limit = lambda _, image: image.numel() > 16 * 20 * 24  # noqa: E731
        monkeypatch.setattr(Session, "network", hungry(limit, self.SAYS[0]))
        _, done = run(data, tmp_path / "mine", plan={**QUICK, "patch": [16, 24, 24]})
        assert done.plan["batch"] == 1
        assert np.prod(done.plan["patch"]) <= 16 * 20 * 24
        assert load_model(tmp_path / "mine").patch == tuple(done.plan["patch"])

    def test_in_the_middle_it_keeps_what_it_reached(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps_made = [0]

        def limit(module: nn.Module, image: torch.Tensor) -> bool:
            steps_made[0] += module.training
            return module.training and steps_made[0] > 13 and len(image) > 1

        monkeypatch.setattr(Session, "network", hungry(limit, self.SAYS[0]))
        told, done = run(data, tmp_path / "mine")
        assert [entry["step"] for entry in done.history] == [10, 20, 30]
        looks = [event.step for event in told if isinstance(event, Metric) and event.name == "mean Dice"]
        assert looks == [10, 20, 30]

    @pytest.mark.parametrize("when", ["before", "between", "after"])
    def test_while_judging(self, when: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        trained = [0]

        def limit(module: nn.Module, image: torch.Tensor) -> bool:
            trained[0] += module.training
            now = trained[0] == 0 if when == "before" else trained[0] >= (10 if when == "between" else 30)
            return not module.training and now and image.shape[-1] > 20

        monkeypatch.setattr(Session, "network", hungry(limit, self.SAYS[0]))
        told, done = run(data, tmp_path / "mine", plan={**QUICK, "patch": [16, 16, 24]})
        assert any(isinstance(event, Warning) and "memory ran out" in event.message for event in told)
        assert done.history[-1]["step"] == 30
        load_model(tmp_path / "mine")

    def test_in_the_end_it_is_one_sentence_and_can_be_resumed(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Session, "network", hungry(lambda module, _: module.training, self.SAYS[0]))
        with pytest.raises(WorkError, match="out of memory on cpu, even with the smallest patch; close other programs"):
            run(data, tmp_path / "mine")
        assert not (tmp_path / "mine").exists()
        monkeypatch.undo()
        assert finish(train("", tmp_path / "mine", resume=True)).history[-1]["step"] == 30

    def test_other_failures_are_not_taken_for_it(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        problem = RuntimeError("CUDA error: an illegal memory access was encountered")
        monkeypatch.setattr(Session, "network", hungry(lambda module, _: module.training, problem))
        with pytest.raises(RuntimeError, match="illegal memory access"):
            run(data, tmp_path / "mine")


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"minutes": 1, "epochs": 1}, "both minutes and epochs"),
            ({"device": "gpu"}, "the device is 'gpu'"),
            ({"plan": {"steps": 10}}, "either minutes or steps, not both"),
            ({"plan": {"patc": 1}}, "has an entry 'patc'"),
            ({"plan": {"patch": [30, 30, 30]}}, "expected multiples of"),
            ({"plan": {**QUICK, "training": ["nobody"]}}, "the plan has a case nobody, which is not there"),
            ({"plan": {**QUICK, "channels": ["a"], "labels": [{"value": 1, "name": "a"}, {"value": 2, "name": "b"}]}},
             "the plan's labels are the values 1, 2, expected those of the data, 1, 5"),
            ({"seed": -1}, "found the seed -1, expected 0 or more"),
            ({"target": "", "name": ""}, "the new model has no name"),
            ({"target": "", "name": "../x"}, "a model cannot be called '../x'"),
            ({"target": "", "name": ".x"}, "a model cannot be called '.x'"),
        ],
        ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
    )  # fmt: skip
    def test_wrong_wishes_leave_nothing(self, given: dict[str, Any], said: str, data: Path, tmp_path: Path) -> None:
        options = {"target": tmp_path / "mine", **given}
        with pytest.raises(InputError) as caught:
            run(data, options.pop("target"), **options)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_is_taken(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        with pytest.raises(InputError, match="mine is there and is no model folder"):
            run(data, tmp_path / "mine")
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_a_disk_that_fills_up(self, data: Path, tiny_disk: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 40_000)
        with pytest.raises(WorkError) as caught:
            run(data, tiny_disk / "mine")
        assert "disk" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (tiny_disk / "mine").exists()

    def test_images_on_another_grid_than_their_labels(self, tmp_path: Path) -> None:
        entries = []
        for seed in range(2):
            made = case(seed)
            shifted = LabelMap(made.labels.data, make_affine(origin_mm=(5, 0, 0)), labels=NAMES)  # type: ignore[union-attr]
            entries.append({"name": f"a{seed}", "images": list(made.images), "labels": shifted})
        with pytest.raises(InputError, match="another grid than its image.*resample the labels"):
            run(entries, tmp_path / "mine")
        assert list(tmp_path.iterdir()) == []

    def test_training_that_goes_astray(self, data: Path, tmp_path: Path) -> None:
        with pytest.raises(WorkError, match="went astray"):
            run(data, tmp_path / "mine", plan={**QUICK, "learning_rate": 1e30})
        assert not (tmp_path / "mine").exists()

    @pytest.mark.parametrize("devices", [1, 2])
    def test_gone_astray_it_keeps_the_best(
        self, devices: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usual = Session.batch

        def spoilt(session: Session, step: int) -> Batch:
            batch = usual(session, step)
            return replace(batch, image=batch.image * float("nan")) if step > 12 else batch

        def elsewhere(folder: RunFolder, _: int) -> Generator[Any, None, None]:
            """Another trainer in the processes' place, where nothing could be spoilt; the checkpoint is all one sees."""
            plan = Plan.load(folder.plan)
            trainer = Session(plan, folder.read_dataset(), folder).trainer(None)
            trainer.load()
            yield from trainer.run()

        monkeypatch.setattr(Session, "batch", spoilt)
        monkeypatch.setattr(carry_out, "run_ranks", elsewhere)
        told, done = run(data, tmp_path / "mine", devices=devices)
        assert done.stopped
        assert any("astray" in event.message for event in told if isinstance(event, Warning))
        assert all(bool(torch.isfinite(tensor).all()) for tensor in weights_of(tmp_path / "mine").values())
        assert done.best_metric == pytest.approx(load_model(tmp_path / "mine").measured["held-out Dice"]["mean"])
        assert RunFolder.beside(tmp_path / "mine").is_unfinished


class TestPainted:
    def test_label_maps_alone_are_enough(self, data: Path, tmp_path: Path) -> None:
        told, done = run(data / "labels", tmp_path / "painted")
        assert [event.message for event in told if isinstance(event, Warning)] == [
            "there are 5 label maps and no images: training paints images for them"
        ]
        assert done.plan["synthetic"] == 1.0
        assert done.best_metric is not None
        card = (tmp_path / "painted/docs/README.md").read_text()
        assert "100% of the training images were painted from label maps" in card
        image = read(data / "images/case0.nii.gz")
        assert finish(segment(image, done.model, device="cpu")).labels.same_grid(image)
        assert familiar_to(load_model(tmp_path / "painted")).lowest == ()

    def test_labels_without_an_image_join_those_with_one(self, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "data")
        for number in (0, 1):
            (tmp_path / f"data/images/case{number}.nii.gz").unlink()
        _, done = run(tmp_path / "data", tmp_path / "half", synthetic=0.5)
        assert done.plan["synthetic"] == 0.5
        assert {"case0", "case1"} < set(done.plan["training"])
        assert done.plan["reasons"]["synthetic"] == "2 label maps have no image: theirs are painted"

    def test_not_beside_images_on_another_scale(self, data: Path, models_folder: Path, tmp_path: Path) -> None:
        """Whether it is asked for, decided in the plan, or all there is."""
        shutil.copytree(models_folder / "bands", tmp_path / "scored")
        path = tmp_path / "scored/configs/metadata.json"
        told = json.loads(path.read_text())
        told["resmed"]["preparation"]["normalization"] = [{"kind": "zscore"}]
        path.write_text(json.dumps(told))
        base = str(tmp_path / "scored")
        quick = {name: value for name, value in QUICK.items() if name != "arguments"}
        for place, more in (
            (data, {"synthetic": 0.5}),
            (data, {"plan": {**quick, "synthetic": 0.5}}),
            (data / "labels", {}),
        ):
            with pytest.raises(InputError, match="bands sees images on a scale of its own"):
                finish(train(place, tmp_path / "none", base=base, device="cpu", **more))
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"synthetic": 1.5}, "found a share of 1.5 painted images, expected 0 to 1"),
            ({"synthetic": 0.5, "task": "classify"}, "where a model segments only; leave synthetic out"),
        ],
    )
    def test_refuses(self, more: dict[str, Any], message: str, data: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=message):
            run(data, tmp_path / "none", **more)
