from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError, ModelError
from napari_resmed.io import read
from napari_resmed.io import write as write_image
from napari_resmed.jobs.segment import segment
from napari_resmed.models.bring_in import import_model
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.folder import load_model, read_card
from napari_resmed.models.unpack import unpack_some
from napari_resmed.prepare.grid import prepare
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.models.monai_bundle.folders import AFTER, BEFORE, NETWORK, Bands, inference, metadata, write
from tests.models.test_bundle import waves

IMAGE = Volume(
    waves((20, 26, 30)),
    make_affine((0, 1, 2), (1, -1, 1), spacing_mm=(2.5, 1.0, 1.3), degrees=(9, -5, 4), origin_mm=(10, -20, 30)),
)
STRAIGHT = Volume(IMAGE.data, make_affine((0, 1, 2), (1, -1, 1), spacing_mm=(2.5, 1.0, 1.3)))
REGIONS = {"0": "core", "1": "whole"}


def finish(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def ours(image: Volume, model: Path) -> np.ndarray:
    return finish(segment(image, str(model), device="cpu", precision="fp32")).labels.data


def changed(transforms: list[dict[str, Any]], target: str, **arguments: Any) -> list[dict[str, Any]]:
    return [{**one, **arguments} if one["_target_"] == target else one for one in transforms]


def before(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "Compose", "transforms": [*BEFORE[:2], *steps]}


def after(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "Compose", "transforms": list(steps)}


class TestImport:
    def test_what_a_bundle_says(self, tmp_path: Path) -> None:
        model = import_model(write(tmp_path / "bundle"), tmp_path / "bands")
        assert load_model(tmp_path / "bands") == model
        assert (model.name, model.version, model.network) == ("bands", "0.5.9", "UNet")
        assert model.channels == ("MR",)
        assert [(label.value, label.name) for label in model.labels] == [(1, "dark"), (2, "middle"), (3, "bright")]
        assert (model.patch, model.overlap) == ((16, 16, 16), 0.25)
        assert model.preparation.spacing_mm == (1.5, 1.2, 2.0)
        assert (tmp_path / "bands/LICENSE").read_text() == "Bands Licence 1.0\n"
        card = read_card(model)
        assert "The bundle's own words." in card
        assert "mean_dice: 0.9, as its makers say" in card

    def test_answers_as_monai_does(self, tmp_path: Path) -> None:
        pytest.importorskip("ignite", reason="MONAI's engines need pytorch-ignite")
        pytest.importorskip("fire", reason="MONAI's command line needs fire")
        bundle = write(tmp_path / "bundle")
        (tmp_path / "in").mkdir()
        write_image(IMAGE, tmp_path / "in/waves.nii.gz")
        command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--bundle_root", str(bundle)]
        command += ["--config_file", str(bundle / "configs/inference.json")]
        command += ["--dataset_dir", str(tmp_path / "in"), "--output_dir", str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
        assert done.returncode == 0, done.stderr
        theirs = read(tmp_path / "out/waves/waves_seg.nii.gz")
        import_model(bundle, tmp_path / "bands")
        found = ours(IMAGE, tmp_path / "bands")
        assert set(np.unique(found)) == {0, 1, 2, 3}
        assert (found == theirs.data).mean() > 0.995

    def test_a_zip_file(self, tmp_path: Path) -> None:
        write(tmp_path / "bundle")
        packed = shutil.make_archive(str(tmp_path / "bundle"), "zip", tmp_path, "bundle")
        assert import_model(packed, tmp_path / "bands").preparation.orientation == "SAR"

    def test_yaml(self, tmp_path: Path) -> None:
        yaml = pytest.importorskip("yaml")
        bundle = write(tmp_path / "bundle")
        (bundle / "configs/inference.json").unlink()
        (bundle / "configs/inference.yaml").write_text(yaml.safe_dump(inference()))
        assert import_model(bundle, tmp_path / "bands").patch == (16, 16, 16)

    def test_a_model_of_ours(self, tmp_path: Path, models_folder: Path) -> None:
        packed = shutil.make_archive(str(tmp_path / "packed"), "zip", models_folder / "bands")
        made = import_model(packed, tmp_path / "other")
        assert (made.name, made.labels) == ("other", load_model(models_folder / "bands").labels)

    @pytest.mark.parametrize("what", ["network", "weights"])
    def test_a_model_of_ours_that_cannot_run_replaces_nothing(
        self, what: str, tmp_path: Path, models_folder: Path
    ) -> None:
        theirs, mine = tmp_path / "theirs", tmp_path / "mine"
        for place in (theirs, mine):
            shutil.copytree(models_folder / "bands", place)
        before = (mine / "models/model.pt").read_bytes()
        if what == "network":
            path = theirs / "configs/metadata.json"
            path.write_text(path.read_text().replace('"UNet"', '"NewNet"'))
        else:
            torch.save({"a": torch.zeros(2)}, theirs / "models/model.pt")
        said = {"network": "the model's network is 'NewNet'", "weights": "does not fit the network UNet; get the model"}
        with pytest.raises(ModelError, match=said[what]):
            import_model(theirs, mine)
        assert (mine / "models/model.pt").read_bytes() == before

    def test_a_model_of_ours_with_texts_in_another_encoding(self, tmp_path: Path, models_folder: Path) -> None:
        theirs = tmp_path / "theirs"
        shutil.copytree(models_folder / "bands", theirs)
        for name in ("LICENSE", "docs/README.md"):
            (theirs / name).write_bytes("© Müller".encode("latin-1"))
        assert "ller" in read_card(import_model(theirs, tmp_path / "mine"))

    def test_weights_inside_a_checkpoint(self, tmp_path: Path) -> None:
        from tests.small_models import band_weights

        inside = {"model": {f"module.{name}": tensor for name, tensor in band_weights().items()}}
        import_model(write(tmp_path / "bundle", weights=inside), tmp_path / "bands")
        assert len(np.unique(ours(IMAGE, tmp_path / "bands"))) == 4


class TestPreparation:
    @pytest.mark.parametrize(
        "steps",
        [
            BEFORE[2:],
            [BEFORE[2], {"_target_": "ScaleIntensityd", "keys": "image", "minv": -1}, {"_target_": "NormalizeIntensityd", "keys": "image"}],
            [{"_target_": "NormalizeIntensityD", "keys": ["image"], "nonzero": True, "channel_wise": True}],
            [BEFORE[3], {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image", "lower": 2, "upper": 97, "b_min": -1, "b_max": 1, "clip": True}],
            [{**BEFORE[2], "axcodes": "PLI"}, {"_target_": "NormalizeIntensityd", "keys": "image", "subtrahend": 0.5, "divisor": 2.0}, BEFORE[3]],
            [BEFORE[2], {"_target_": "ThresholdIntensityd", "keys": "image", "threshold": 0.5, "cval": -3}, {**BEFORE[4], "clip": False}],
            [{"_target_": "Resized", "keys": "image", "spatial_size": [24, 20, 18], "mode": "bilinear"}, BEFORE[4]],
            [BEFORE[2], BEFORE[3], BEFORE[4], {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}],
        ],
        ids=["usual", "unit", "nonzero", "percentiles", "before", "threshold", "size", "crop"],
    )  # fmt: skip
    def test_is_that_of_monais_transforms(self, steps: list[dict[str, Any]], tmp_path: Path) -> None:
        from monai.bundle import ConfigParser

        # Straight: of an oblique image MONAI starts at another corner where the header's numbers are rounded.
        image = (
            STRAIGHT
            if steps[-1]["_target_"] != "CropForegroundd"
            else Volume(
                np.where(np.indices(IMAGE.data.shape).min(0) > 6, 1 + IMAGE.data.clip(-0.9), -3).astype(np.float32),
                make_affine(spacing_mm=(2, 1.2, 1.5)),
            )
        )
        config = inference(preprocessing=before(*steps))
        model = import_model(write(tmp_path / "bundle", config), tmp_path / "bands")
        write_image(image, tmp_path / "image.nii.gz")
        theirs = ConfigParser(config).get_parsed_content("preprocessing")({"image": str(tmp_path / "image.nii.gz")})
        found, _ = prepare(image, model.preparation)
        assert found.shape == theirs["image"].shape
        assert np.abs(found.numpy() - np.asarray(theirs["image"])).max() < 2e-3

    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            ([{"_target_": "scripts.mine.Transformd", "keys": "image"}], "scripts.mine.Transformd is no part of MONAI"),
            ([{"_target_": "os.system", "command": "true"}], "os.system is no part of MONAI"),
            ([{"_target_": "RandFlipd", "keys": "image"}], "RandFlipd, which has no equal"),
            ([{"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x"}], "Lambdad, which has no equal"),
            ([{**BEFORE[3], "mode": "nearest"}], "interpolates by 'nearest'"),
            ([{**BEFORE[3], "diagonal": True}], "is given diagonal True"),
            ([{**BEFORE[3], "pixdim": "$[os.getpid()] * 3"}], r"\$\[os.getpid\(\)\] \* 3"),
            ([{**BEFORE[4], "clip": True}, BEFORE[3], BEFORE[4]], "both before and after the resampling"),
            ([BEFORE[3], BEFORE[3]], "resampled twice"),
        ],
    )
    def test_what_has_no_equal(self, steps: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=said):
            import_model(write(tmp_path / "bundle", inference(preprocessing=before(*steps))), tmp_path / "bands")
        assert not (tmp_path / "bands").exists()


class TestAnswer:
    def test_cleanup(self, tmp_path: Path) -> None:
        steps = [
            AFTER[2],
            {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]},
            {"_target_": "FillHolesd", "keys": "pred", "applied_labels": 2},
            AFTER[1],
        ]
        model = import_model(write(tmp_path / "bundle", inference(postprocessing=after(*steps))), tmp_path / "bands")
        assert model.cleanup[2] == Cleanup(True, 0.0, True)
        assert model.cleanup[1].largest_component
        assert set(model.cleanup) == {1, 2}

    def test_regions_written_over_each_other(self, tmp_path: Path) -> None:
        steps = [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: torch.where(x[[0]] > 0, 5, torch.where(x[[1]] > 0, 2, 0))"},
        ]  # fmt: skip
        network = {**NETWORK, "out_channels": 2, "channels": [2, 2]}
        config = inference(network_def=network, postprocessing=after(*steps))
        weights = {name: torch.zeros_like(value) for name, value in _weights(network).items()}
        weights["model.0.conv.weight"][0, 0, 1, 1, 1] = 1
        for k, edge in enumerate((0.6, 0.4)):  # the core lies inside of the whole
            weights["model.2.conv.weight"][0, k, 1, 1, 1] = 20
            weights["model.2.conv.bias"][k] = -20 * edge
        model = import_model(
            write(tmp_path / "bundle", config, metadata(REGIONS), weights=weights), tmp_path / "regions"
        )
        assert model.regions == (5, 2)
        assert model.region_order == (2, 5)
        assert load_model(tmp_path / "regions") == model
        found = ours(IMAGE, tmp_path / "regions")
        assert set(np.unique(found)) == {0, 2, 5}
        assert IMAGE.data[found == 5].min() > IMAGE.data[found == 2].mean() > IMAGE.data[found == 0].mean()

    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            ([{"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x * 2"}], r"lambda x: x \* 2, which is not"),
            ([{"_target_": "VoteEnsembled", "keys": "pred"}], "VoteEnsembled, which has no equal"),
            ([{"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.3}], "threshold 0.3, expected 0.5"),
            ([AFTER[2], {"_target_": "RemoveSmallObjectsd", "keys": "pred"}], "takes each of 3 labels for one piece"),
        ],
    )
    def test_what_has_no_equal(self, steps: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=said):
            import_model(write(tmp_path / "bundle", inference(postprocessing=after(*steps))), tmp_path / "bands")


class TestNetwork:
    @pytest.mark.parametrize(
        ("network", "said"),
        [
            ({"_target_": "scripts.networks.unest.UNesT"}, "scripts.networks.unest.UNesT is no part of MONAI"),
            ({"_target_": "subprocess.run", "args": ["true"]}, "subprocess.run is no part of MONAI"),
            ({"_target_": "DenseNet121"}, "the network DenseNet121 is none that this program knows"),
            ("$monai.networks.nets.vista3d132(in_channels=1)", r"monai.networks.nets.vista3d132\(\), which is not"),
            ({**NETWORK, "out_channels": "$__import__('os').getpid()"}, r"__import__\('os'\).getpid\(\)"),
            ({**NETWORK, "colour": 3}, "is given colour"),
            ({**NETWORK, "act": {"_target_": "os.getpid"}}, "is given act as os.getpid"),
        ],
    )
    def test_what_is_not_known(self, network: Any, said: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=said):
            import_model(write(tmp_path / "bundle", inference(network_def=network)), tmp_path / "bands")
        assert not (tmp_path / "bands").exists()

    def test_weights_of_another(self, tmp_path: Path) -> None:
        bundle = write(tmp_path / "bundle", inference(network_def={**NETWORK, "channels": [2, 4]}))
        with pytest.raises(ModelError, match="model.pt does not fit the network"):
            import_model(bundle, tmp_path / "bands")

    def test_weights_that_run_code(self, tmp_path: Path) -> None:
        touched = tmp_path / "touched"
        bundle = write(tmp_path / "bundle", weights={"model": _Evil(touched)})
        with pytest.raises(ModelError, match="asks for .*, which weights do not need"):
            import_model(bundle, tmp_path / "bands")
        assert not touched.exists()

    def test_no_weights(self, tmp_path: Path) -> None:
        bundle = write(tmp_path / "bundle")
        (bundle / "models/model.pt").unlink()
        with pytest.raises(InputError, match="models/model.pt is missing"):
            import_model(bundle, tmp_path / "bands")

    def test_that_fails_at_its_window(self, tmp_path: Path) -> None:
        network = {**NETWORK, "strides": [2]}
        config = inference(network_def=network, patch=[15, 16, 16])
        with pytest.raises(ModelError, match="answers .* to a window of 15×16×16 voxels"):
            import_model(write(tmp_path / "bundle", config, weights=_weights(network)), tmp_path / "bands")

    def test_circles(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="in circles"):
            import_model(write(tmp_path / "bundle", inference(patch="@other", other="@patch")), tmp_path / "bands")


class TestTorchScript:
    def test_stands_in_for_a_network_that_nobody_knows(self, tmp_path: Path) -> None:
        config = inference(network_def={"_target_": "scripts.mine.Bands"})
        bundle = write(tmp_path / "bundle", config, network=Bands().eval())
        model = import_model(bundle, tmp_path / "scripted")
        assert model.network == "TorchScript"
        torch.load(tmp_path / "scripted/models/model.pt", weights_only=True)
        plain = write(tmp_path / "plain")
        import_model(plain, tmp_path / "bands")
        assert (ours(IMAGE, tmp_path / "scripted") == ours(IMAGE, tmp_path / "bands")).mean() > 0.9999

    def test_that_answers_something_else(self, tmp_path: Path) -> None:
        config = inference(network_def={"_target_": "scripts.mine.Bands"})
        bundle = write(tmp_path / "bundle", config, network=torch.nn.ReLU())
        with pytest.raises(ModelError, match=r"answers \(1, 1, 16, 16, 16\) to a window of 16×16×16 voxels, expected"):
            import_model(bundle, tmp_path / "scripted")

    def test_that_reaches_beyond_itself(self, tmp_path: Path) -> None:
        bundle = write(tmp_path / "bundle", inference(network_def={"_target_": "scripts.X"}), network=Bands().eval())
        torch.jit.save(torch.jit.script(_Reader()), bundle / "models/model.ts")
        with pytest.raises(ModelError, match="asks for torch.from_file"):
            import_model(bundle, tmp_path / "scripted")


class TestSlices:
    def test_a_2d_network_goes_through_a_volume(self, tmp_path: Path) -> None:
        network = {**NETWORK, "spatial_dims": 2}
        config = inference(
            network_def=network,
            preprocessing=before({"_target_": "ScaleIntensityd", "keys": "image"}),
            inferer={"_target_": "SliceInferer", "roi_size": [32, 24], "spatial_dim": 2},
        )
        model = import_model(write(tmp_path / "bundle", config, weights=_weights(network)), tmp_path / "slices")
        assert model.by_slices
        assert model.patch == (1, 32, 24)
        found = ours(IMAGE, tmp_path / "slices")
        flat = Volume(IMAGE.data[5:6], IMAGE.affine)
        assert found.shape == IMAGE.data.shape
        # A slice alone has another range of values, but goes through.
        assert ours(flat, tmp_path / "slices").shape == flat.data.shape


class TestFind:
    def test_neither_of_both(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="of a MONAI bundle, configs/metadata.json"):
            import_model(tmp_path, tmp_path / "bands")

    def test_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "bands").mkdir()
        (tmp_path / "bands/mine.txt").write_text("mine")
        with pytest.raises(InputError, match="is no model folder"):
            import_model(write(tmp_path / "bundle"), tmp_path / "bands")

    def test_a_zip_file_that_leads_out(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
            packed.writestr("configs/metadata.json", json.dumps(metadata()))
            packed.writestr("configs/inference.json", json.dumps(inference()))
            packed.writestr("../outside.json", "{}")
            packed.writestr("C:/drive.json", "{}")
        with pytest.raises(InputError, match="missing"):
            import_model(tmp_path / "bad.zip", tmp_path / "bands")
        assert not (tmp_path.parent / "outside.json").exists()

    def test_what_a_zip_file_holds_of_other_places_is_left_in_it(self, tmp_path: Path) -> None:
        names = ["a/in.json", "../up.json", "/root.json", "D:/drive.json", "b/C:drive.json"]
        with zipfile.ZipFile(tmp_path / "some.zip", "w") as packed:
            for name in names:
                packed.writestr(name, "{}")
        (tmp_path / "place").mkdir()
        unpack_some(tmp_path / "some.zip", tmp_path / "place", lambda path: True)
        assert [path.name for path in (tmp_path / "place").rglob("*.json")] == ["in.json"]


def _weights(network: dict[str, Any]) -> dict[str, torch.Tensor]:
    from napari_resmed.nets import build_network

    arguments = {name: value for name, value in network.items() if name != "_target_"}
    arguments |= {"in_channels": 1, "out_channels": 4 if isinstance(network["out_channels"], str) else 2}
    torch.manual_seed(0)
    return dict(build_network("UNet", arguments).state_dict())


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


class _Reader(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + torch.from_file("/etc/hostname", False, 1, dtype=torch.uint8)
