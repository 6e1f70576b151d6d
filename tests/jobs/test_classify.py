from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.visualize.class_activation_maps import GradCAM

from napari_resmed.case import Case
from napari_resmed.errors import InputError, ModelError
from napari_resmed.io import write
from napari_resmed.io.images_in import images_in
from napari_resmed.jobs import find_job
from napari_resmed.jobs.classified import Classification
from napari_resmed.jobs.classify import classify
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.models.save import save_model
from napari_resmed.models.tensors_only import read_tensors
from napari_resmed.nets import build_network
from napari_resmed.predict.explain import METHODS
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.classify.small import network, picture, write_folders
from tests.train.small import finish

CPU = Machine(torch.device("cpu"), "fp32")


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights: what it says is as good as any."""
    plan = ClassPlan(
        name="bright", classes=("dark", "bright"), channels=("image",), network="ImageClassifier",
        arguments=network(dropout=0.0), preparation=Preparation((1.0, 1.0, 1.0), orientation=STORED, percentiles=(0, 100)),
        patch=(1, 16, 16), fit="whole", batch=2, training=("a",), held_out=("b",), steps=1, mirror_axes=(2,),
    )  # fmt: skip
    torch.manual_seed(0)
    made = build_network(plan.network, plan.arguments).eval()
    with torch.no_grad():
        made.head.weight.abs_()  # so that some place speaks for every class
    ranges = {"brightness": (0.1, 0.6), "overexposed": (-0.1, 0.3)}
    model = plan.model(temperature=2.0, training={"quality": ranges})
    folder = tmp_path_factory.mktemp("models") / "bright"
    save_model(model, made.state_dict(), folder, card="", licence="")
    return folder


def run(images: list[Any], model: Path, **more: Any) -> Classification:
    return finish(classify(images, str(model), device="cpu", precision="fp32", **more))


class TestAnswers:
    def test_what_is_no_number_says_nothing(self, bright: Path, tmp_path: Path) -> None:
        model = load_model(bright)
        weights = read_tensors(bright / WEIGHTS)
        weights["head.weight"] = torch.full_like(weights["head.weight"], float("nan"))
        save_model(replace(model, name="lost"), weights, tmp_path / "lost", card="", licence="")
        image = Volume(np.arange(256, dtype=np.float32).reshape(1, 16, 16), make_affine())
        (lost,) = run([image], tmp_path / "lost").images
        assert (lost.predicted, lost.probabilities) == ("", {})
        assert "not usable: the network answered with scores that are not finite" in lost.quality

    def test_probabilities_are_the_networks_softened_by_the_temperature(self, bright: Path, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data", 2)
        done = run(images_in([data]), bright)
        assert [Path(image.path).name for image in done.images] == ["0.png", "1.png"] * 2
        model = load_model(bright)
        made = warm_network(model, CPU)
        pixels = picture(1, 0).astype(np.float32)
        image = torch.from_numpy((pixels - pixels.min()) / (pixels.max() - pixels.min()))
        with torch.inference_mode():
            expected = torch.softmax(made(image[None, None]).double() / 2.0, 1)[0]
        assert list(done.images[0].probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)
        assert done.images[0].predicted == ("dark", "bright")[int(expected.argmax())]

    def test_the_table(self, bright: Path, tmp_path: Path) -> None:
        rows = run(images_in([write_folders(tmp_path / "data", 1)]), bright).rows()
        assert list(rows[0]) == ["path", "predicted", "p_dark", "p_bright", "quality"]
        assert rows[0]["p_dark"] + rows[0]["p_bright"] == pytest.approx(1, abs=1e-5)

    def test_mirrored_passes_are_averaged(self, bright: Path) -> None:
        image = Volume(picture(0, 5)[None], np.eye(4), name="one")
        flipped = Volume(image.data[:, :, ::-1], np.eye(4), name="two")
        done = run([image, flipped], bright, tta=True)
        assert done.images[0].probabilities == pytest.approx(done.images[1].probabilities, abs=1e-5)

    def test_what_looks_unusual_is_said(self, bright: Path) -> None:
        data = np.full((1, 16, 16), 250, np.uint8)
        data[:, :2] = 0
        good, odd = run([Volume(picture(0, 0)[None], np.eye(4)), Volume(data, np.eye(4))], bright).images
        assert good.quality == "good"
        assert odd.quality == "brighter than the training images; overexposed or clipped"

    def test_what_cannot_be_used_is_told_and_the_rest_goes_on(self, bright: Path, tmp_path: Path) -> None:
        (tmp_path / "broken.png").write_bytes(b"nothing")
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9), np.uint8)), str(tmp_path / "empty.png"))
        sitk.WriteImage(sitk.GetImageFromArray(picture(0, 0)), str(tmp_path / "good.png"))
        broken, empty, good = run(images_in([tmp_path]), bright).images
        assert "damaged" in broken.quality
        assert "everywhere" in empty.quality
        assert broken.failed
        assert not good.failed

    def test_a_volume_is_no_picture_and_a_picture_no_volume(self, bright: Path, tmp_path: Path) -> None:
        deep = TestAttention.saved(tmp_path, "ImageClassifier", ("MR",), (8, 16, 16))
        volume, flat = Volume(picture(0, 1, (8, 16, 16)), np.eye(4)), Volume(picture(0, 1)[None], np.eye(4))
        assert run([volume], bright).images[0].quality == "not usable: it has 8 slices, expected a single one"
        assert run([flat], deep).images[0].quality == "not usable: it is a single slice, expected a volume"
        assert not run([volume], deep).images[0].failed

    def test_no_table_is_written_over_what_is_read(self, bright: Path, tmp_path: Path) -> None:
        scan = tmp_path / "scan.png"
        sitk.WriteImage(sitk.GetImageFromArray(picture(0, 0)), str(scan))
        before = scan.read_bytes()
        with pytest.raises(InputError, match=r"cannot write scan.png: found the ending '.png', expected .csv"):
            run([scan], bright, table=scan)
        (tmp_path / "link.csv").symlink_to(scan)
        with pytest.raises(InputError, match="link.csv is itself read; choose another name"):
            run([Case("one", (scan,))], bright, table=tmp_path / "link.csv")
        assert scan.read_bytes() == before

    def test_models_that_segment_are_refused(self, models_folder: Path) -> None:
        with pytest.raises(ModelError, match="segment with it"):
            run([], models_folder / "bands")

    def test_the_engine_knows_it(self) -> None:
        assert find_job("classify") is classify


class TestHeat:
    def test_it_is_monais_in_the_images_geometry(self, bright: Path) -> None:
        volume = Volume(picture(0, 3)[None], np.diag([0.5, 0.5, 2.0, 1.0]) @ make_affine(), name="one")
        done = run([volume], bright, explain=True, method="grad-cam").images[0]
        assert done.heat is not None
        assert done.heat.same_grid(volume)
        made = warm_network(load_model(bright), CPU)
        pixels = picture(0, 3).astype(np.float32)
        image = torch.from_numpy((pixels - pixels.min()) / (pixels.max() - pixels.min()))[None, None]
        number = ("dark", "bright").index(done.predicted)
        found = GradCAM(copy.deepcopy(made).requires_grad_(True), "backbone", postprocessing=lambda heat: heat)(
            image, class_idx=number
        )
        expected = (found / found.max().clamp_min(1e-12))[0].detach().numpy()
        assert np.allclose(done.heat.data, expected, atol=1e-4)

    @pytest.mark.parametrize("method", METHODS)
    def test_every_method_for_any_class(self, bright: Path, method: str) -> None:
        volume = Volume(picture(0, 3)[None], make_affine(), name="one")
        done = run([volume], bright, explain=True, method=method, layer="layer2", of="dark").images[0]
        assert done.heat is not None
        assert done.heat.same_grid(volume)
        assert 0 <= float(done.heat.data.min()) < float(done.heat.data.max()) <= 1
        assert done.explained == "dark"
        assert done.heat.meta["made_by"]["class"] == "dark"
        assert done.heat.meta["made_by"]["parameters"]["method"] == method
        rows = done.heat.data[0].sum(1)
        assert done.strongest[1] == (int(rows.argmax()), pytest.approx(float(rows.max() / rows.sum()), abs=1e-4))

    def test_frames_of_a_cine_loop_have_a_map_each_in_its_geometry(self, tmp_path: Path) -> None:
        model = TestAttention.saved(tmp_path, "SequenceClassifier", ("US",), (1, 16, 16), 8)
        axial = np.eye(4)[[2, 1, 0, 3]]
        frames = Volume(picture(0, 1, (8, 1, 16, 16)), axial, "tzyx", name="loop")
        done = run([frames], model, explain=True).images[0]
        assert done.heat is not None
        assert done.heat.axes == "tzyx"
        assert done.heat.shape == frames.shape
        most = max(done.counted, key=done.counted.__getitem__)
        assert done.strongest[0] == (int(most), pytest.approx(done.counted[most], abs=1e-3))
        assert len(done.strongest) == 4
        still, odd = run([frames.with_data(frames.data[0], "zyx"), frames.with_data(frames.data[:3])], model).images
        assert still.quality == "not usable: it is a single frame, expected several that follow each other in time"
        assert not odd.failed

    @pytest.mark.parametrize("method", METHODS)
    def test_volumes_in_time_have_one_over_space_and_time(self, tmp_path: Path, method: str) -> None:
        model = TestAttention.saved(tmp_path, "SequenceClassifier", ("MR", "T2"), (8, 16, 16), 3)
        volume = Volume(picture(0, 1, (5, 8, 16, 16)), make_affine(), "tzyx", name="dynamic")
        still = Volume(picture(1, 1, (8, 16, 16)), make_affine())
        both, one = run(
            [Case("both", (still, volume)), Case("one", (volume,), channels=(1,))], model, explain=True, method=method
        ).images  # type: ignore[list-item]
        for done in (both, one):
            assert done.heat is not None
            assert done.heat.same_grid(volume)
            assert 0 <= float(done.heat.data.min()) < float(done.heat.data.max()) <= 1
            assert list(done.counted) == ["0", "1", "2"]
            # Each of the network's three frames is made of some of the five.
            assert done.strongest[0][0] in ((0, 1), (2,), (3, 4))[int(np.argmax(list(done.counted.values())))]
            assert [index < size for (index, _), size in zip(done.strongest, volume.shape, strict=True)] == [True] * 4
        said = run([Case("still", (still, still))], model).images[0].quality  # type: ignore[list-item]
        assert said == "not usable: it is a single frame, expected several that follow each other in time"

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"method": "saliency"}, "'saliency', expected one of layer-cam"),
            ({"layer": "layer9"}, "no layer 'layer9'"),
            ({"of": "blue"}, "no class 'blue'; expected one of dark, bright"),
        ],
    )
    def test_what_is_not_there_is_told_before_any_work(self, bright: Path, wrong: dict[str, str], said: str) -> None:
        with pytest.raises(InputError, match=said):
            run([Volume(picture(0, 3)[None], np.eye(4))], bright, explain=True, **wrong)

    def test_into_files_one_by_one(self, bright: Path, tmp_path: Path) -> None:
        images = [Volume(picture(0, 3)[None], np.eye(4), name="a"), Volume(picture(0, 4)[None], np.eye(4), name="a")]
        done = run(images, bright, heat_folder=tmp_path / "heat", table=tmp_path / "answers.csv")
        assert [Path(image.heat_file).name for image in done.images] == ["a_1_heat.nii.gz", "a_2_heat.nii.gz"]
        assert all(Path(image.heat_file).is_file() and image.heat is None for image in done.images)
        lines = (tmp_path / "answers.csv").read_text().splitlines()
        assert lines[0] == "path,predicted,p_dark,p_bright,quality"
        assert len(lines) == 3

    def test_every_map_has_a_file_of_its_own(self, bright: Path, tmp_path: Path) -> None:
        images = [tmp_path / name for name in ("x/a.png", "y/A.png", "z/a_1.png", "heat/b_heat.nii.gz", "w/b.png")]
        for number, path in enumerate(images):
            path.parent.mkdir(exist_ok=True)
            if path.suffix == ".png":
                sitk.WriteImage(sitk.GetImageFromArray(picture(0, number)), str(path))
            else:
                write(Volume(picture(0, number)[None], np.eye(4)), path)
        before = images[3].read_bytes()
        maps = [Path(image.heat_file) for image in run(images, bright, heat_folder=tmp_path / "heat").images]
        assert [path.name.removesuffix("_heat.nii.gz") for path in maps] == ["a_1", "A_2", "a_1_3", "b_heat", "b_5"]
        assert all(path.is_file() for path in maps)
        assert images[3].read_bytes() == before

    def test_the_network_is_left_as_it_was(self, bright: Path) -> None:
        run([Volume(picture(0, 3)[None], np.eye(4))], bright, explain=True)
        assert not any(weight.requires_grad for weight in warm_network(load_model(bright), CPU).parameters())


class TestAttention:
    @staticmethod
    def saved(folder: Path, name: str, channels: tuple[str, ...], patch: tuple[int, int, int], frames: int = 0) -> Path:
        dims = (2 if patch[0] == 1 else 3) + (frames > 0)
        plan = ClassPlan(
            name="m", classes=("a", "b"), channels=channels, network=name,
            arguments=network(dims, in_channels=len(channels)), preparation=Preparation((1.0, 1.0, 1.0)), patch=patch,
            fit="whole", frames=frames, batch=2, training=("x",), held_out=("y",), steps=1,
        )  # fmt: skip
        torch.manual_seed(0)
        made = build_network(name, plan.arguments)
        with torch.no_grad():
            made.head.weight.abs_()
        save_model(plan.model(), made.state_dict(), folder / "m", card="", licence="")
        return folder / "m"

    def test_every_slice_has_its_share_and_the_strongest_is_told(self, tmp_path: Path) -> None:
        model = self.saved(tmp_path, "SequenceClassifier", ("MR",), (8, 16, 16))
        affine = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-2, 0, 0, 0], [0, 0, 0, 1]])  # the first slice lies on top
        volume = Volume(picture(0, 1, (8, 16, 16)), affine)
        done = run([volume], model, explain=True).images[0]
        shares = list(done.counted.values())
        assert len(shares) == 8
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        # The slices of the network begin at the patient's feet, those of the file on top.
        assert done.strongest[0][0] == 7 - int(np.argmax(shares))
        assert done.strongest[0][1] == pytest.approx(max(shares), abs=1e-3)

    def test_mirrored_passes_of_a_model_that_does_not_know_them_are_refused(self, tmp_path: Path) -> None:
        model = self.saved(tmp_path, "ImageClassifier", ("MR",), (8, 16, 16))
        with pytest.raises(ModelError, match="not trained to see mirrored images"):
            run([Volume(picture(0, 5, (8, 16, 16)), np.eye(4))], model, tta=True)

    def test_a_modality_that_is_missing_counts_for_nothing(self, tmp_path: Path) -> None:
        model = self.saved(tmp_path, "BranchClassifier", ("T1", "FLAIR"), (8, 16, 16))
        volume = Volume(picture(0, 1, (8, 16, 16)), make_affine())
        one, both = run(
            [Case("one", (volume,), channels=(1,)), Case("both", (volume, volume))], model, explain=True
        ).images  # type: ignore[list-item]
        assert one.counted == {"T1": 0, "FLAIR": 1}
        assert 0 < both.counted["T1"] < 1
        assert one.heat is not None
        assert one.heat.same_grid(volume)


class TestImagesIn:
    def test_files_folders_and_archives(self, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data", 2)
        (data / "wide" / "notes.txt").write_text("hello")
        np.savez(tmp_path / "a.npz", test_images=np.zeros((3, 4, 4)))
        found = images_in([data, data / "wide" / "0.png", tmp_path / "a.npz"])
        assert [path.name for path in found] == ["0.png", "1.png", "0.png", "1.png", "0", "1", "2"]

    def test_a_picture_beside_dicom_does_not_hide_it(self, tmp_path: Path) -> None:
        study = tmp_path / "study"
        write(Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4)[[2, 1, 0, 3]]), study)
        assert images_in([tmp_path]) == [study]
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4), np.uint8)), str(study / "preview.png"))
        assert images_in([tmp_path]) == [study, study / "preview.png"]

    def test_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for path, said in ((tmp_path / "empty", "no image"), (tmp_path / "absent", "does not exist")):
            with pytest.raises(InputError, match=said):
                images_in([path])
