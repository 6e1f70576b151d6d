from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError, ModelError
from napari_resmed.io import read
from napari_resmed.io import write as write_image
from napari_resmed.labels import Label, LabelSet
from napari_resmed.models import export
from napari_resmed.models.bring_in import import_model
from napari_resmed.models.bundle_steps import answer_steps, left_out
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.export import export_model
from napari_resmed.models.folder import load_model
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.models.whole_network import load_networks
from napari_resmed.nets import build_network
from napari_resmed.predict.classes import as_batch
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.classify.plan import ClassPlan
from tests.models.monai_bundle.folders import inference
from tests.models.monai_bundle.folders import write as write_bundle
from tests.models.nnunet.folders import write as write_nnunet
from tests.models.test_bundle import IMAGES, ours, run_plain_monai
from tests.small_models import BANDS, band_weights, describe, save
from tests.train.classify.small import network


def merged() -> Model:
    """A fine-tuned one: of the structures it was trained on before, the first became background."""
    return replace(describe("merged"), labels=LabelSet(BANDS.labels[1:]), background_classes=2)


def tidy() -> Model:
    return replace(describe("tidy"), cleanup={1: Cleanup(largest_component=True), 300: Cleanup(largest_component=True)})


def ensemble(folder: Path) -> Model:
    second = {name: tensor * 0.9 for name, tensor in band_weights().items()}
    model = replace(describe("ensemble"), members=2)
    return save_model(model, [band_weights(), second], folder / "ensemble", card="# E\n", licence="MIT\n")


class TestBundle:
    @pytest.mark.parametrize("kind", ["merged", "tidy", "ensemble", "imported"])
    def test_runs_in_plain_monai(self, kind: str, tmp_path: Path) -> None:
        pytest.importorskip("ignite", reason="MONAI's engines need pytorch-ignite")
        pytest.importorskip("fire", reason="MONAI's command line needs fire")
        if kind == "ensemble":
            model = ensemble(tmp_path)
        elif kind == "imported":
            model = import_model(write_bundle(tmp_path / "bundle", inference()), tmp_path / "imported")
        else:
            model = save(merged() if kind == "merged" else tidy(), tmp_path)
        assert export_model(model, tmp_path / "out.zip", "bundle") == ""
        with zipfile.ZipFile(tmp_path / "out.zip") as packed:
            packed.extractall(tmp_path / "unpacked")
        (tmp_path / "in").mkdir()
        image = IMAGES["permuted"]
        write_image(image, tmp_path / "in/waves.nii.gz")
        found = read(run_plain_monai(tmp_path / "unpacked" / model.name, tmp_path) / "waves/waves_seg.nii.gz")
        expected = ours(image, tmp_path / model.name)
        assert len(np.unique(expected.data)) > 2
        assert (found.data == expected.data).mean() > 0.99

    def test_several_backgrounds_are_one_in_monai_as_well(self) -> None:
        """Each of two backgrounds is less likely than the structure, and both together are more."""
        from monai.bundle import ConfigParser

        steps = [step for step in answer_steps(merged()) if step["_target_"] != "Invertd"]
        scores = torch.tensor([0.3, 0.3, 0.4, 0.0]).clamp_min(1e-6).log().reshape(4, 1, 1, 1)
        parser = ConfigParser({"steps": {"_target_": "Compose", "transforms": steps}})
        assert parser.get_parsed_content("steps")({"pred": scores})["pred"].flatten().tolist() == [0]
        likely = torch.tensor([0.2, 0.2, 0.6, 0.0]).clamp_min(1e-6).log().reshape(4, 1, 1, 1)
        assert parser.get_parsed_content("steps")({"pred": likely})["pred"].flatten().tolist() == [2]

    def test_a_folder(self, tmp_path: Path, models_folder: Path) -> None:
        model = load_model(models_folder / "bands")
        export_model(model, tmp_path / "out", "bundle")
        assert load_model(tmp_path / "out").labels == model.labels

    def test_what_monai_has_not(self, tmp_path: Path) -> None:
        import_model(write_nnunet(tmp_path / "results"), tmp_path / "abdomen")
        model = load_model(tmp_path / "abdomen")
        with pytest.raises(
            ModelError, match="ResidualEncoderUNet, which MONAI does not have; export it as torchscript"
        ):
            export_model(model, tmp_path / "out", "bundle")
        assert not (tmp_path / "out").exists()

    def test_says_what_it_leaves_out(self, tmp_path: Path) -> None:
        assert "remove small pieces or fill holes" in left_out(
            replace(describe(), cleanup={2: Cleanup(minimum_mm3=5, fill_holes=True)})
        )
        one = LabelSet((Label(1, "all", (0, 0, 0)),))
        arguments = {**describe().arguments, "out_channels": 2}
        model = replace(describe(), labels=one, arguments=arguments, cleanup={1: Cleanup(True, 5.0, True)})
        assert left_out(model) == ""
        found = replace(describe(), found_by=FoundBy("brain-mr", ("left hippocampus", "right hippocampus"), 6))
        assert left_out(found) == (
            "MONAI does not look for the left hippocampus or right hippocampus in a larger image: give the bundle crops"
        )


class TestTorchScript:
    def test_answers_as_the_model(self, tmp_path: Path) -> None:
        model = ensemble(tmp_path)
        export_model(model, tmp_path / "model.ts", "torchscript")
        files = {"resmed.json": ""}
        script = torch.jit.load(tmp_path / "model.ts", _extra_files=files)
        window = torch.rand(1, 1, 16, 16, 16)
        assert torch.allclose(script(window), load_networks(model)(window), atol=1e-4)
        assert json.loads(files["resmed.json"])["resmed"]["labels"] == BANDS.to_json()

    def test_an_imported_nnunet(self, tmp_path: Path) -> None:
        import_model(write_nnunet(tmp_path / "results"), tmp_path / "abdomen")
        model = load_model(tmp_path / "abdomen")
        export_model(model, tmp_path / "model.ts", "torchscript")
        assert torch.jit.load(tmp_path / "model.ts")(torch.rand(1, 1, *model.patch)).shape[1] == 3

    @pytest.mark.parametrize("frames", [0, 4])
    @pytest.mark.parametrize("patch", [(1, 16, 16), (8, 16, 16)])
    def test_a_classifier_takes_slices_without_z(
        self, frames: int, patch: tuple[int, int, int], tmp_path: Path
    ) -> None:
        arguments = network(spatial_dims=len(patch) - (patch[0] == 1) + (frames > 0), dropout=0.0)
        plan = ClassPlan(
            name="kinds", classes=("dark", "bright"), channels=("image",), arguments=arguments,
            network="SequenceClassifier" if frames else "ImageClassifier",
            preparation=Preparation((1.0, 1.0, 1.0), percentiles=(0, 100)), patch=patch, frames=frames, fit="whole",
            batch=2, training=("a",), held_out=("b",), steps=1,
        )  # fmt: skip
        torch.manual_seed(0)
        made = build_network(plan.network, plan.arguments).eval()
        model = save_model(plan.model(), made.state_dict(), tmp_path / "kinds", card="", licence="")
        export_model(model, tmp_path / "model.ts", "torchscript")
        image = as_batch(torch.rand(1, *model.image_shape))
        assert image.dim() == 2 + arguments["spatial_dims"]
        assert torch.allclose(torch.jit.load(tmp_path / "model.ts")(image), made(image), atol=1e-5)


class TestOnnx:
    def test_is_checked_with_onnxruntime(self, tmp_path: Path, models_folder: Path) -> None:
        pytest.importorskip("onnx", reason="needs the extra [export]")
        pytest.importorskip("onnxscript", reason="needs the extra [export]")
        onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [export]")
        model = load_model(models_folder / "bands")
        assert export_model(model, tmp_path / "model.onnx", "onnx") == ""
        session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
        window = torch.rand(1, 1, 16, 16, 16)
        with torch.no_grad():
            expected = load_networks(model)(window).numpy()
        assert np.abs(session.run(None, {"image": window.numpy()})[0] - expected).max() < 1e-3 * np.abs(expected).max()
        assert "resmed.json" in session.get_modelmeta().custom_metadata_map

    def test_without_the_packages(self, tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r'onnx and onnxscript.*pip install "napari-resmed\[export\]"'):
            export_model(load_model(models_folder / "bands"), tmp_path / "model.onnx", "onnx")
        assert not list(tmp_path.iterdir())

    def test_a_file_that_disagrees_is_not_left_there(
        self, tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(export, "AGREES_WITHIN", -1.0)
        with pytest.raises(ModelError, match="off the model's scores"):
            export_model(load_model(models_folder / "bands"), tmp_path / "model.ts", "torchscript")
        assert not list(tmp_path.iterdir())


class TestPlace:
    def test_an_unknown_format(self, tmp_path: Path, models_folder: Path) -> None:
        with pytest.raises(InputError, match="the format is 'keras', expected bundle, torchscript, onnx"):
            export_model(load_model(models_folder / "bands"), tmp_path / "x", "keras")

    def test_onto_itself(self, models_folder: Path) -> None:
        with pytest.raises(InputError, match="is the model itself"):
            export_model(load_model(models_folder / "bands"), models_folder / "bands", "bundle")
