from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.io import read, write
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import LabelMap
from napari_resmed.models.bundle import inference_config
from napari_resmed.models.folder import load_model
from napari_resmed.models.model import Model
from napari_resmed.prepare.grid import prepare
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import band_weights, describe, save

pytest.importorskip("ignite", reason="MONAI's engines need pytorch-ignite")
pytest.importorskip("fire", reason="MONAI's command line needs fire")

# MONAI's own command line, in a Python in which nobody can import this program.
PLAIN_MONAI = (
    "import sys, runpy; sys.modules['napari_resmed'] = None; runpy.run_module('monai.bundle', run_name='__main__')"
)


def waves(shape: tuple[int, int, int]) -> np.ndarray:
    z, y, x = np.mgrid[tuple(slice(n) for n in shape)]
    return (np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 5 + z / 9)).astype(np.float32)


IMAGES = {
    "oblique": Volume(
        waves((30, 36, 40)),
        make_affine((1, 0, 2), (-1, 1, -1), spacing_mm=(1.5, 1.2, 2.2), degrees=(12, -7, 5), origin_mm=(10, -20, 30)),
    ),
    "permuted": Volume(waves((25, 33, 28)), make_affine((0, 2, 1), (1, -1, 1), spacing_mm=(2, 2, 2))),
}


def ours(image: Volume, model: Path) -> LabelMap:
    steps = segment(image, str(model), device="cpu", precision="fp32")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value.labels


@pytest.fixture(scope="module")
def theirs(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of plain MONAI's results for the images above."""
    place = tmp_path_factory.mktemp("bundle")
    (place / "in").mkdir()
    for name, image in IMAGES.items():
        write(image, place / "in" / f"{name}.nii.gz")
    return run_plain_monai(models_folder / "bands-2mm", place)


def run_plain_monai(bundle: Path, place: Path) -> Path:
    """Segment the images of ``place/in`` as a plain MONAI would; the folder of its results."""
    command = [sys.executable, "-W", "ignore", "-c", PLAIN_MONAI, "run"]
    command += ["--config_file", str(bundle / "configs/inference.json"), "--bundle_root", str(bundle)]
    command += ["--dataset_dir", str(place / "in"), "--output_dir", str(place / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=place, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    )
    assert done.returncode == 0, done.stderr
    return place / "out"


class TestPlainMonai:
    @pytest.mark.parametrize("name", IMAGES)
    def test_agrees_with_our_own_job(self, name: str, theirs: Path, models_folder: Path) -> None:
        image, found = IMAGES[name], read(theirs / name / f"{name}_seg.nii.gz")
        expected = ours(image, models_folder / "bands-2mm")
        assert found.same_grid(image)
        assert set(np.unique(expected.data)) == {0, 1, 2, 300}
        assert (found.data == expected.data).mean() >= 0.99

    def test_writes_the_labels_values_in_whole_numbers(self, theirs: Path) -> None:
        import nibabel as nib

        image = nib.load(theirs / "oblique" / "oblique_seg.nii.gz")
        assert image.get_data_dtype() == np.uint16
        assert np.asarray(image.dataobj).max() == 300


def two_channels(windows: tuple) -> Model:
    """CT and PET: brightness is the mean of both channels."""
    arguments = {**describe().arguments, "in_channels": 2}
    model = describe("two", arguments=arguments, channels=("CT", "PET"))
    return replace(model, preparation=Preparation((2.0, 2.0, 2.0), (5.0, 95.0), windows=windows))


class TestIntensities:
    @pytest.mark.parametrize(
        "windows",
        [(), ((-1.0, 1.0), (-1.0, 1.0)), ((-1.0, 1.0), (0.0, 80.0)), ((-1.0, 1.0), None), (None, (0.0, 80.0))],
        ids=["percentiles", "same", "both", "first", "second"],
    )
    def test_are_brought_to_0_and_1_as_by_us(self, windows: tuple) -> None:
        from monai.bundle import ConfigParser

        model = replace(two_channels(windows), preparation=Preparation((1.0,) * 3, (5.0, 95.0), windows=windows))
        steps = inference_config(model)["preprocessing"]["transforms"][4:]
        assert [step["_target_"] for step in inference_config(model)["preprocessing"]["transforms"][:4]] == [
            "LoadImaged", "EnsureChannelFirstd", "Orientationd", "Spacingd",
        ]  # fmt: skip
        parser = ConfigParser({"steps": {"_target_": "Compose", "transforms": steps}})
        data = np.stack([waves((12, 13, 14)), 40 * waves((12, 13, 14))[::-1]])
        found = parser.get_parsed_content("steps")({"image": data})["image"]
        expected, _ = prepare(Volume(data, make_affine(), "czyx"), model.preparation)
        # Percentiles are interpolated there and taken from a voxel here.
        assert np.abs(np.asarray(found) - expected.numpy()).max() < 5e-3

    def test_a_model_that_mixes_both_runs_in_plain_monai(self, tmp_path: Path) -> None:
        weights = band_weights()
        first = weights["model.0.conv.weight"].repeat(1, 2, 1, 1, 1) / 2
        save(two_channels(((-1.0, 1.0), None)), tmp_path, {**weights, "model.0.conv.weight": first})
        oblique = IMAGES["oblique"]
        data = np.stack([oblique.data, 40 * oblique.data[::-1]])
        (tmp_path / "in").mkdir()
        write(Volume(data, oblique.affine, "tzyx"), tmp_path / "in/both.nii.gz")  # four axes, as MONAI expects them
        found = read(run_plain_monai(tmp_path / "two", tmp_path) / "both/both_seg.nii.gz")
        expected = ours(Volume(data, oblique.affine, "czyx"), tmp_path / "two")
        assert set(np.unique(expected.data)) == {0, 1, 2, 300}
        # MONAI's percentiles lie between voxels, ours on one: bands meet a little elsewhere.
        assert (found.data == expected.data).mean() >= 0.98


class TestWithHead:
    def test_plain_monai_builds_it_of_its_parts(self, tmp_path: Path) -> None:
        plain = describe("head", spacing_mm=(2.0, 2.0, 2.0))
        arguments = {**plain.arguments, "out_channels": 4, "features": 4}
        # The bands' scores, in another order, and a head that puts them right.
        turned = torch.tensor([2, 0, 3, 1])
        weights = {f"0.{name}": value for name, value in band_weights().items()}
        last = weights["0.model.2.conv.weight"]
        weights["0.model.2.conv.weight"] = last[:, turned]
        weights["0.model.2.conv.bias"] = weights["0.model.2.conv.bias"][turned]
        weights["1.weight"] = torch.eye(4)[turned].T.reshape(4, 4, 1, 1, 1).contiguous()
        weights["1.bias"] = torch.zeros(4)
        model = replace(plain, network="UNetWithHead", arguments=arguments)
        save(model, tmp_path, weights)
        assert "napari_resmed" not in (tmp_path / "head/configs/inference.json").read_text()
        (tmp_path / "in").mkdir()
        write(IMAGES["oblique"], tmp_path / "in/oblique.nii.gz")
        found = read(run_plain_monai(tmp_path / "head", tmp_path) / "oblique/oblique_seg.nii.gz")
        expected = ours(IMAGES["oblique"], tmp_path / "head")
        assert set(np.unique(expected.data)) == {0, 1, 2, 300}
        assert (found.data == expected.data).mean() >= 0.99


class TestProperties:
    def test_monai_finds_everything_it_requires(self, models_folder: Path) -> None:
        from monai.bundle import ConfigWorkflow

        bundle = models_folder / "bands"
        workflow = ConfigWorkflow(
            str(bundle / "configs/inference.json"),
            str(bundle / "configs/metadata.json"),
            workflow_type="infer",
            bundle_root=str(bundle),
        )
        workflow.initialize()
        assert workflow.check_properties() == []
        assert workflow.version == load_model(bundle).version
