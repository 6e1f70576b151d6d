from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_resmed.errors import InputError, WorkError
from napari_resmed.models.folder import METADATA, WEIGHTS, load_model
from napari_resmed.models.save import check_model_place
from tests.small_models import band_weights, describe, random_weights, save

# The mandatory keys of MONAI's bundle specification (docs/source/mb_specification.rst), and those that its schema
# of 2024-07-25 and every bundle of the model zoo have besides.
KEYS = {
    "schema", "version", "changelog", "monai_version", "pytorch_version", "numpy_version",
    "required_packages_version", "name", "task", "description", "authors", "copyright", "network_data_format",
}  # fmt: skip
TENSOR_KEYS = {
    "type", "format", "modality", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data",
    "channel_def",
}  # fmt: skip


class TestRoundTrip:
    def test_description_and_weights(self, tmp_path: Path) -> None:
        saved = save(describe(), tmp_path)
        assert saved == load_model(tmp_path / "bands")
        back = torch.load(tmp_path / "bands" / WEIGHTS, weights_only=True)
        assert back.keys() == band_weights().keys()
        assert all(torch.equal(back[name], value) for name, value in band_weights().items())

    def test_half_precision_stays(self, tmp_path: Path) -> None:
        save(describe(), tmp_path, {name: value.half() for name, value in band_weights().items()})
        back = torch.load(tmp_path / "bands" / WEIGHTS, weights_only=True)
        assert all(value.dtype == torch.float16 for value in back.values())

    def test_a_view_saves_only_what_it_shows(self, tmp_path: Path) -> None:
        large = torch.zeros(1_000_000)
        save(describe(), tmp_path, {"x": large[:3]})
        assert (tmp_path / "bands" / WEIGHTS).stat().st_size < 10_000

    def test_nothing_else_is_left(self, tmp_path: Path) -> None:
        save(describe(), tmp_path)
        save(describe(), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["bands"]
        files = sorted(str(path.relative_to(tmp_path / "bands")) for path in (tmp_path / "bands").rglob("*.*"))
        assert files == ["configs/inference.json", "configs/metadata.json", "docs/README.md", "models/model.pt"]


class TestMetadata:
    def test_has_every_key_of_monais_schema(self, tmp_path: Path) -> None:
        save(describe(), tmp_path)
        metadata = json.loads((tmp_path / "bands" / METADATA).read_text())
        assert metadata.keys() >= KEYS
        assert all(metadata[key] for key in KEYS)
        image = metadata["network_data_format"]["inputs"]["image"]
        answer = metadata["network_data_format"]["outputs"]["pred"]
        for tensor in (image, answer):
            assert tensor.keys() >= TENSOR_KEYS
            assert tensor["num_channels"] == len(tensor["channel_def"])
        assert answer["channel_def"] == {"0": "background", "1": "dark", "2": "middle", "3": "bright"}

    def test_has_what_the_model_zoo_has(self, tmp_path: Path, shared_data: Path) -> None:
        save(describe(), tmp_path)
        ours = json.loads((tmp_path / "bands" / METADATA).read_text())
        zoo = [
            json.loads(path.read_text()) for path in sorted((shared_data / "bundles").glob("*/configs/metadata.json"))
        ]
        assert len(zoo) > 10
        assert set.intersection(*(set(metadata) for metadata in zoo)) <= ours.keys()

    def test_says_which_versions_made_it(self, tmp_path: Path) -> None:
        save(describe(), tmp_path)
        metadata = json.loads((tmp_path / "bands" / METADATA).read_text())
        assert metadata["pytorch_version"] == torch.__version__.split("+")[0]


class TestReplacing:
    def test_an_older_model_is_replaced(self, tmp_path: Path) -> None:
        save(describe(), tmp_path)
        (tmp_path / "bands" / "models" / "old.bin").write_text("x")
        save(describe(spacing_mm=(2, 2, 2)), tmp_path)
        assert load_model(tmp_path / "bands").preparation.spacing_mm == (2, 2, 2)
        assert not (tmp_path / "bands" / "models" / "old.bin").exists()

    def test_another_folder_is_never_touched(self, tmp_path: Path) -> None:
        (tmp_path / "bands").mkdir()
        (tmp_path / "bands" / "thesis.docx").write_text("years")
        with pytest.raises(InputError, match="is no model folder; choose another place"):
            save(describe(), tmp_path)
        assert [path.name for path in tmp_path.rglob("*")] == ["bands", "thesis.docx"]

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "bands").write_text("x")
        with pytest.raises(InputError, match="is no model folder"):
            save(describe(), tmp_path)

    def test_a_failure_keeps_the_old_one(self, tmp_path: Path) -> None:
        before = save(describe(), tmp_path)
        with pytest.raises(AttributeError):
            save(describe(spacing_mm=(2, 2, 2)), tmp_path, {"x": "no tensor"})  # type: ignore[dict-item]
        assert load_model(tmp_path / "bands") == before
        assert [path.name for path in tmp_path.iterdir()] == ["bands"]

    def test_a_full_disk_keeps_the_old_one(self, tiny_disk: Path) -> None:
        before = save(describe(), tiny_disk)
        arguments = {**describe().arguments, "channels": [32, 32]}
        with pytest.raises(WorkError, match=r"could not write .*bands: the disk is full"):
            save(describe(arguments=arguments), tiny_disk, random_weights(arguments))
        assert load_model(tiny_disk / "bands") == before
        assert [path.name for path in tiny_disk.iterdir()] == ["bands"]

    def test_a_place_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(InputError, match="cannot write .*nothing can be written in .*file"):
            save(describe(), tmp_path / "file")


class TestPlace:
    """What can be known before any work is done."""

    @pytest.mark.parametrize("place", ["new", "not/yet/there"])
    def test_one_where_nothing_is_yet(self, place: str, tmp_path: Path) -> None:
        check_model_place(tmp_path / place)
        assert list(tmp_path.iterdir()) == []

    def test_a_model_may_be_replaced(self, tmp_path: Path) -> None:
        save(describe(), tmp_path)
        check_model_place(tmp_path / "bands")

    def test_what_is_no_model_is_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / "thesis").mkdir()
        (tmp_path / "file").write_text("x")
        for name in ("thesis", "file"):
            with pytest.raises(InputError, match=f"{name} is there and is no model folder; choose another place"):
                check_model_place(tmp_path / name)

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(InputError, match="nothing can be written in .*file; choose another place"):
            check_model_place(tmp_path / "file/model")

    def test_where_writing_is_not_allowed(self, locked_disk: Path) -> None:
        with pytest.raises(InputError, match="nothing can be written in"):
            check_model_place(locked_disk / "models/mine")
