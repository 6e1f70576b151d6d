from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Metric, Started, Warning
from napari_resmed.io import write
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import STOP, Training, train
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.nets.resnet import ResNet
from napari_resmed.train.classify.loss import ClassBatch
from napari_resmed.train.classify.session import ClassSession
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.classify.small import QUICK, network, picture, write_folders, write_medmnist, write_volumes
from tests.train.small import finish

pytestmark = pytest.mark.usefixtures("own_models")


def little(data: Any, target: Path, changes: dict[str, Any] | None = None, **more: Any) -> Any:
    plan = {**QUICK, "arguments": network(), **(changes or {})}
    return train(data, target, task="classify", plan=plan, device="cpu", **more)


def run(data: Any, target: Path, changes: dict[str, Any] | None = None, **more: Any) -> tuple[list[Event], Training]:
    said: list[Event] = []
    return said, finish(little(data, target, changes, **more), said)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_medmnist(tmp_path_factory.mktemp("numbers") / "numbers.npz")


@pytest.fixture(scope="module")
def trained(numbers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Training, Path]:
    target = tmp_path_factory.mktemp("trained") / "wide-or-tall"
    return (*run(numbers, target), target)


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(model / WEIGHTS, weights_only=True))


class TestWhole:
    def test_it_learns(self, trained: tuple[list[Event], Training, Path]) -> None:
        said, done, _ = trained
        assert done.best_metric is not None
        assert done.best_metric > 0.9
        means = [event.value for event in said if isinstance(event, Metric) and event.name == "mean AUC"]
        assert means == [look["mean_auc"] for look in done.history]
        assert set(done.after) == {"0", "1"}

    def test_the_model_says_what_it_is(self, trained: tuple[list[Event], Training, Path]) -> None:
        model = load_model(trained[2])
        assert model.classifies
        assert model.classes == ("0", "1")
        assert model.patch == (1, 16, 16)
        assert 0.1 <= model.temperature <= 10
        assert "held-out AUC" in model.measured
        metadata = json.loads((trained[2] / "configs/metadata.json").read_text())
        assert metadata["task"] == "classification"
        assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "0", "1": "1"}
        # A patient's name may be a file's.
        assert "train_0" not in json.dumps(metadata)

    def test_nothing_stays_behind(self, trained: tuple[list[Event], Training, Path]) -> None:
        assert [path.name for path in trained[2].parent.iterdir()] == ["wide-or-tall"]

    def test_it_does_not_segment(self, trained: tuple[list[Event], Training, Path], numbers: Path) -> None:
        with pytest.raises(ModelError, match="classify with it"):
            finish(segment(Volume(np.zeros((4, 4, 4)), np.eye(4)), str(trained[2])))
        with pytest.raises(InputError, match="tells what an image is"):
            finish(train(numbers.parent, numbers.parent / "x", base=str(trained[2])))

    @pytest.mark.parametrize("balance", ["sampling", "weights", "focal"])
    def test_every_balance_trains(self, balance: str, numbers: Path, tmp_path: Path) -> None:
        changes = {"balance": balance, "steps": 3, "optimiser": "sgd", "curve": "plateau", "label_smoothing": 0.1}
        assert run(numbers, tmp_path / "model", changes)[1].history


class TestOtherData:
    def test_volumes_of_patients(self, tmp_path: Path) -> None:
        data = write_volumes(tmp_path / "data")
        _, done = run(data, tmp_path / "model", {"arguments": network(3), "batch": 4, "steps": 3})
        learnt, held = (
            {int(name.removeprefix("scan")) // 2 for name in done.plan[k]} for k in ("training", "held_out")
        )
        assert learnt
        assert held
        assert not learnt & held

    def test_images_of_a_viewer(self, tmp_path: Path) -> None:
        cases = [
            {
                "name": f"layer {number}",
                "images": [Volume(picture(number % 2, number)[None], np.eye(4))],
                "class_name": ("wide", "tall")[number % 2],
                "group": f"p{number // 4}",
            }
            for number in range(16)
        ]
        job = little(cases, tmp_path / "model", {"steps": 4, "check_every": 2, "batch": 2})
        while not (isinstance(event := next(job), Metric) and event.name == "mean AUC"):
            pass
        job.close()
        done = finish(train("", tmp_path / "model", resume=True))
        assert list(done.plan["classes"]) == ["tall", "wide"]
        sides = [{int(name.split()[1]) // 4 for name in done.plan[key]} for key in ("training", "held_out")]
        assert all(sides)
        assert not sides[0] & sides[1]
        for wrong, said in (({"class_name": " "}, "layer 0 has no class"), ({"images": []}, "layer 0 has no image")):
            with pytest.raises(InputError, match=said):
                run([{**cases[0], **wrong}, *cases[1:]], tmp_path / "other")

    def test_images_of_several_modalities_of_a_viewer_and_gone_on_with(self, tmp_path: Path) -> None:
        cases = []
        for number in range(16):
            kinds = (["T1", "FLAIR"], ["FLAIR", "T1"], ["T1"], ["FLAIR"])[number // 4]
            images = [Volume(picture(number % 2, number + 100 * kind)[None], np.eye(4)) for kind in range(len(kinds))]
            cases.append(
                {
                    "name": f"patient {number}",
                    "images": images,
                    "modalities": kinds,
                    "class_name": ("wide", "tall")[number % 2],
                    "group": f"p{number}",
                }
            )
        plan = {**QUICK, "steps": 4, "check_every": 2, "batch": 2}
        job = train(cases, tmp_path / "model", task="classify", plan=plan)
        while not (isinstance(event := next(job), Metric) and event.name == "mean AUC"):
            pass
        job.close()
        done = finish(train("", tmp_path / "model", resume=True))
        assert list(done.plan["channels"]) == ["FLAIR", "T1"]
        model = load_model(tmp_path / "model")
        assert (model.network, model.channels) == ("BranchClassifier", ("FLAIR", "T1"))

    def test_dirty_cases_are_left_out_with_their_reason(self, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data")
        (data / "wide" / "broken.png").write_bytes(b"\x89PNG nothing")
        twin = (data / "wide" / "0.png").read_bytes()
        (data / "tall" / "twin.png").write_bytes(twin)
        said, done = run(data, tmp_path / "model", {"steps": 3})
        left = {event.message.split(" ")[0]: event.message for event in said if isinstance(event, Warning)}
        assert "damaged" in left["wide/broken.png"]
        # Which of the two is wrong nobody knows.
        assert "two classes: tall/twin.png (tall) and wide/0.png (wide)" in left["wide/0.png"]
        assert dict(done.plan["left_out"]).keys() == {"wide/broken.png", "tall/twin.png", "wide/0.png"}

    def test_the_same_image_is_on_one_side(self, tmp_path: Path) -> None:
        pictures = [picture(number % 2, number // 2) for number in range(16)]
        lines = ["path,class,split"]
        for name, number, split in [
            *((f"a{n}", n, "") for n in range(12)),
            *((f"b{n}", n, "") for n in range(6)),  # under another name
            *((f"t{n}", n, "test") for n in (10, 11, 12, 13)),
            *((f"g{n}", n, "train") for n in (12, 14)),
        ]:
            sitk.WriteImage(sitk.GetImageFromArray(pictures[number]), str(tmp_path / f"{name}.png"))
            lines.append(f"{name}.png,{('wide', 'tall')[number % 2]},{split}")
        (tmp_path / "cases.csv").write_text("\n".join(lines))
        said, done = run(tmp_path / "cases.csv", tmp_path / "model", {"steps": 2, "batch": 2})
        learnt, held = ({name[1:] for name in done.plan[key]} for key in ("training", "held_out"))
        assert held
        assert not learnt & held
        assert dict(done.plan["left_out"]) == {
            f"a{n}.png": f"it holds the same image as t{n}.png, which is in the test split" for n in (10, 11)
        }
        assert not {name for key in ("training", "held_out") for name in done.plan[key] if name[0] == "t"}
        told = [event.message for event in said if isinstance(event, Warning)]
        assert sum("stay together, learnt from or held out" in message for message in told) == 6
        assert next(message for message in told if "a test on them flatters" in message).startswith(
            "t12.png and g12.png hold"
        )

    def test_unusual_ones_are_listed_and_used(self, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data", 12)
        picture_of = sitk.GetImageFromArray(255 - picture(0, 500))
        sitk.WriteImage(picture_of, str(data / "wide" / "negative.png"))
        said, done = run(data, tmp_path / "model", {"steps": 2})
        assert "polarity" in dict(done.plan["unusual"])["wide/negative.png"]
        assert any("wide/negative.png looks unusual" in event.message for event in said if isinstance(event, Warning))
        assert "wide/negative.png" in {*done.plan["training"], *done.plan["held_out"]}
        model = load_model(tmp_path / "model")
        assert "negative" not in json.dumps(model.training)
        assert model.training["plan"]["unusual"] == len(done.plan["unusual"])
        assert {"distance", "ghosting", "gaps", "jump"} <= set(model.training["quality"]["ranges"])

    def test_a_loop_of_frames_is_taken_for_one(self, tmp_path: Path) -> None:
        lines = ["path,class"]
        for number in range(8):
            frames = np.stack([picture(number % 2, 10 * number + k)[None] for k in range(4)])
            write(Volume(frames, make_affine(), "tzyx"), tmp_path / f"loop{number}.nii.gz")
            lines.append(f"loop{number}.nii.gz,{number % 2}")
        (tmp_path / "cases.csv").write_text("\n".join(lines))
        changes = {**QUICK, "steps": 2, "batch": 2}
        done = finish(train(tmp_path / "cases.csv", tmp_path / "m", task="classify", plan=changes, minutes=0.01))
        assert done.plan["network"] == "SequenceClassifier"
        assert load_model(tmp_path / "m").image_shape == (4, 1, *done.plan["patch"][1:])

    def test_volumes_in_time_are_trained_and_classified(self, tmp_path: Path) -> None:
        lines = ["path,class"]
        for number in range(8):
            frames = np.stack([picture(number % 2, 10 * number + k, (8, 12, 12)) for k in range(3 + number % 3)])
            write(Volume(frames, make_affine(), "tzyx"), tmp_path / f"dynamic{number}.nii.gz")
            lines.append(f"dynamic{number}.nii.gz,{number % 2}")
        write(Volume(frames[0], make_affine()), tmp_path / "still.nii.gz")
        (tmp_path / "cases.csv").write_text("\n".join([*lines, "still.nii.gz,0"]))
        tiny = network(4, mixer="gru", hidden=8)
        said, done = run(tmp_path / "cases.csv", tmp_path / "m", {"steps": 2, "batch": 2, "arguments": tiny})
        assert (done.plan["network"], done.plan["arguments"]["spatial_dims"]) == ("SequenceClassifier", 4)
        assert "volumes follow each other in time" in done.plan["reasons"]["frames"]
        assert any(
            "still" in event.message and "single frame" in event.message for event in said if isinstance(event, Warning)
        )
        model = load_model(tmp_path / "m")
        assert model.image_shape == (4, *done.plan["patch"])
        assert "frame_jump" in model.training["quality"]["ranges"]
        # From it another one begins.
        again = {**QUICK, "steps": 2, "batch": 2}
        base = str(tmp_path / "m")
        done = finish(train(tmp_path / "cases.csv", tmp_path / "n", task="classify", plan=again, base=base))
        assert (done.plan["frames"], done.plan["arguments"]["hidden"]) == (4, 8)

    def test_a_class_of_one_patient(self, tmp_path: Path) -> None:
        data = write_volumes(tmp_path / "data", 3)
        with pytest.raises(InputError, match="'ill' has 1 patient"):
            run(data, tmp_path / "model", {"arguments": network(3)})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]

    def test_a_fold(self, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data", 5)
        held = [run(data, tmp_path / "model", {"steps": 2}, fold=(k, 2), seed=1)[1].plan["held_out"] for k in (0, 1)]
        assert sorted([*held[0], *held[1]]) == sorted(f"{name}/{n}.png" for name in ("wide", "tall") for n in range(5))


class TestGoingOn:
    def test_stopped_and_resumed_it_makes_the_same_steps(
        self, numbers: Path, tmp_path: Path, trained: tuple[list[Event], Training, Path]
    ) -> None:
        job: Generator[Event, str | None, Training] = little(numbers, tmp_path / "model")
        for event in job:
            if isinstance(event, Metric) and event.name == "mean AUC":
                break
        job.close()
        assert RunFolder.beside(tmp_path / "model").is_unfinished
        # Which task it is the run folder knows.
        done = finish(train("", tmp_path / "model", resume=True))
        whole = weights_of(trained[2])
        assert all(torch.equal(tensor, whole[name]) for name, tensor in weights_of(tmp_path / "model").items())
        assert [look["auc"] for look in done.history] == [look["auc"] for look in trained[1].history]

    def test_asked_to_stop_it_keeps_the_best(self, numbers: Path, tmp_path: Path) -> None:
        job = little(numbers, tmp_path / "model", {"steps": 10_000})
        done = None
        try:
            event = next(job)
            while True:
                looked = isinstance(event, Metric) and event.name == "mean AUC"
                event = job.send(STOP if looked else None)
        except StopIteration as end:
            done = end.value
        assert done.stopped
        assert load_model(tmp_path / "model").classes == ("0", "1")
        assert RunFolder.beside(tmp_path / "model").is_unfinished

    def test_gone_astray_it_keeps_the_best(
        self, numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usual = ClassSession.batch

        def spoilt(session: ClassSession, step: int) -> ClassBatch:
            batch = usual(session, step)
            return ClassBatch(batch.image * float("nan"), batch.target) if step > 12 else batch

        monkeypatch.setattr(ClassSession, "batch", spoilt)
        said, done = run(numbers, tmp_path / "model")
        assert done.stopped
        assert any("astray" in event.message for event in said if isinstance(event, Warning))
        assert all(bool(torch.isfinite(tensor).all()) for tensor in weights_of(tmp_path / "model").values())

    def test_short_of_memory_it_goes_on_with_fewer_images(
        self, numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest, most = ClassSession.batch, [4]

        def hungry(session: ClassSession, step: int) -> ClassBatch:
            batch = honest(session, step)
            if step > 3 and len(batch.image) > most[0]:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return batch

        monkeypatch.setattr(ClassSession, "batch", hungry)
        said, done = run(numbers, tmp_path / "model", {"steps": 8})
        warnings = [event.message for event in said if isinstance(event, Warning)]
        assert "memory ran out; training goes on with 4 images a step" in warnings
        assert done.plan["batch"] == 4
        assert done.history[-1]["step"] == 8
        most[0] = 0
        with pytest.raises(WorkError, match="even with the smallest batch"):
            run(numbers, tmp_path / "other", {"steps": 8})

    def test_there_is_nothing_to_resume(self, numbers: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="nothing to resume"):
            run(numbers, tmp_path / "model", resume=True)


class TestStart:
    def test_from_a_file_of_weights(self, numbers: Path, tmp_path: Path) -> None:
        torch.manual_seed(0)
        weights = ResNet(10, 2, 3, (8, 8, 16, 16), small_images=True).state_dict()
        torch.save({"state_dict": weights}, tmp_path / "colour.pth")
        changes = {**QUICK, "steps": 4, "frozen_share": 1.0}
        said: list[Event] = []
        job = train(numbers, tmp_path / "model", task="classify", base=str(tmp_path / "colour.pth"), plan=changes)
        finish(job, said)
        assert any("1 fitted to other channels" in event.what for event in said if isinstance(event, Started))
        # Frozen all along, they are as they came.
        name = "layer2.0.conv1.weight"
        assert torch.equal(weights_of(tmp_path / "model")[f"backbone.{name}"], weights[name])

    def test_from_a_model(self, numbers: Path, tmp_path: Path, trained: tuple[list[Event], Training, Path]) -> None:
        changes = {**QUICK, "steps": 2}
        done = finish(train(numbers, tmp_path / "m", task="classify", base=str(trained[2]), plan=changes))
        assert done.before["0"] is not None
        assert done.before["0"] > 0.9

    def test_from_a_segmentation_model(self, tmp_path: Path) -> None:
        data = write_volumes(tmp_path / "data")
        changes = {**QUICK, "steps": 2, "batch": 2, "patch": [16, 16, 16]}
        said: list[Event] = []
        done = finish(train(data, tmp_path / "m", task="classify", base="bands", plan=changes), said)
        assert done.plan["arguments"]["backbone"] == "encoder"
        with pytest.raises(InputError, match="takes volumes, the images are single slices"):
            run(write_folders(tmp_path / "flat"), tmp_path / "n", base="bands")


class TestSearch:
    SHORT: ClassVar[dict[str, Any]] = {"steps": 8, "check_every": 1}

    def test_what_is_best_is_trained_with(self, numbers: Path, tmp_path: Path) -> None:
        said, done = run(numbers, tmp_path / "model", self.SHORT, search=1e-4)
        trials = [event.what for event in said if isinstance(event, Started) and event.what.startswith("Trial")]
        assert len(trials) == 2
        assert "learning rate ×1," in trials[0]
        assert "2 trials" in done.plan["reasons"]["search"]
        assert done.plan["search"] is None
        assert done.history[-1]["step"] == 8
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_closed_and_resumed_it_knows_what_was_tried(self, numbers: Path, tmp_path: Path) -> None:
        job = little(numbers, tmp_path / "model", self.SHORT, search=1e-4)
        for event in job:
            if isinstance(event, Started) and event.what.startswith("Trial 2"):
                break
        job.close()
        run_folder = RunFolder.beside(tmp_path / "model")
        assert run_folder.is_unfinished
        assert len(json.loads(run_folder.search.read_text())["tried"]) == 1
        assert not run_folder.trial.exists()
        said: list[Event] = []
        done = finish(train("", tmp_path / "model", resume=True), said)
        trials = [event.what for event in said if isinstance(event, Started) and event.what.startswith("Trial")]
        assert [trial.split(":")[0] for trial in trials] == ["Trial 2"]
        assert "2 trials" in done.plan["reasons"]["search"]

    def test_of_classifiers_only(self, numbers: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="of classifiers only"):
            finish(train(numbers.parent, tmp_path / "x", search=1.0))


def test_weights_of_slices_begin_a_network_of_volumes(tmp_path: Path) -> None:
    data = write_volumes(tmp_path / "data")
    torch.manual_seed(0)
    torch.save(ResNet(10, 2, 1, (8, 8, 16, 16), small_images=True).state_dict(), tmp_path / "flat.pth")
    said: list[Event] = []
    changes = {**QUICK, "steps": 2, "batch": 4}
    done = finish(train(data, tmp_path / "m", task="classify", base=str(tmp_path / "flat.pth"), plan=changes), said)
    assert done.plan["arguments"]["spatial_dims"] == 3
    assert any("fitted to volumes" in event.what for event in said if isinstance(event, Started))
