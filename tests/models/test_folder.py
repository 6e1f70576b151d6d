from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from napari_resmed.errors import ModelError
from napari_resmed.models.catalogue import BUILT_IN
from napari_resmed.models.folder import METADATA, load_model, read_card
from napari_resmed.nets import build_network
from tests.small_models import BANDS, describe

FILES = ("configs/metadata.json", "configs/inference.json", "models/model.pt", "LICENSE", "docs/README.md")


@pytest.fixture
def folder(models_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(models_folder / "bands", tmp_path / "bands"))


class TestLoad:
    def test_what_was_saved(self, folder: Path) -> None:
        model = load_model(folder)
        assert model.folder == folder.resolve()
        assert (model.name, model.labels, model.patch) == ("bands", BANDS, describe().patch)
        assert read_card(model).startswith("# bands")

    def test_a_description_has_no_card(self) -> None:
        assert read_card(describe()) == ""

    def test_paths_may_be_text(self, folder: Path) -> None:
        assert load_model(str(folder)) == load_model(folder)

    @pytest.mark.parametrize("file", FILES)
    def test_a_missing_file_is_named(self, file: str, folder: Path) -> None:
        (folder / file).unlink()
        with pytest.raises(ModelError, match=f"bands is not a whole model folder: {file} missing"):
            load_model(folder)

    def test_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for path in (tmp_path / "none", tmp_path / "file"):
            with pytest.raises(ModelError, match="there is no model folder"):
                load_model(path)

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"resmed": 3}', b'{"resmed": {}}'])
    def test_damaged_metadata(self, content: bytes, folder: Path) -> None:
        (folder / METADATA).write_bytes(content)
        with pytest.raises(ModelError, match=r"^bands.*metadata\.json|^bands: the model has format None") as caught:
            load_model(folder)
        assert "\n" not in str(caught.value)

    def test_wrong_labels_are_the_models_fault(self, folder: Path) -> None:
        values = json.loads((folder / METADATA).read_text())
        values["resmed"]["labels"][0]["value"] = 0
        (folder / METADATA).write_text(json.dumps(values))
        with pytest.raises(ModelError, match="bands: found the label value 0, expected 1 or more"):
            load_model(folder)


class TestUnknownNetwork:
    @pytest.mark.parametrize("name", ["os.system", "ResNet", "", "UNet2"])
    def test_only_known_names_are_built(self, name: str) -> None:
        with pytest.raises(ModelError, match="expected one of UNet, UNetWithHead, DynUNet, SegResNet"):
            build_network(name, {})

    @pytest.mark.parametrize(
        "arguments",
        [{}, {"spatial_dims": 3}, {"nonsense": 1}, {"spatial_dims": 7, "in_channels": 1, "out_channels": 2}],
    )
    def test_arguments_that_do_not_fit(self, arguments: dict[str, object]) -> None:
        with pytest.raises(ModelError, match="the network UNet cannot be built from the model's arguments"):
            build_network("UNet", arguments)


class TestBuiltIn:
    """What ships inside must be whole: every folder there, checked as a person would meet it."""

    def test_every_built_in_model_loads_and_is_small(self) -> None:
        folders = [folder for folder in BUILT_IN.iterdir() if folder.is_dir() and not folder.name.startswith("_")]
        assert folders
        for folder in folders:
            assert load_model(folder).name == folder.name
        every = (file for folder in folders for file in folder.rglob("*") if file.is_file())
        assert sum(file.stat().st_size for file in every) <= 40e6  # in the wheel
