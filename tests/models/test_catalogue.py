from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import ModelError
from napari_resmed.models import catalogue
from napari_resmed.models.catalogue import (
    BUILT_IN,
    find_model,
    list_bases,
    list_models,
    own_models_folder,
    remove_model,
)
from napari_resmed.nets.encoders import ENCODERS
from tests.small_models import describe, save


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for a person's own models, and a shelf of built-in ones with ``bands`` on it."""
    shelf = tmp_path / "starter"
    save(describe("bands"), shelf)
    monkeypatch.setattr(catalogue, "BUILT_IN", shelf)
    monkeypatch.setenv("RESMED_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


class TestPlaces:
    def test_the_variable_chooses(self, own: Path) -> None:
        assert own_models_folder() == own

    def test_without_it_the_systems_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RESMED_MODELS", raising=False)
        assert own_models_folder().parts[-2:] == ("napari-resmed", "models")

    def test_built_in_models_lie_in_the_package(self) -> None:
        import napari_resmed

        assert BUILT_IN.parent == Path(napari_resmed.__file__).parent


class TestList:
    def test_without_own_models(self, own: Path) -> None:
        models, problems = list_models()
        assert [model.name for model in models] == ["bands"]
        assert problems == []

    def test_an_own_model_hides_a_built_in_one(self, own: Path) -> None:
        save(describe("bands", spacing_mm=(5, 5, 5)), own)
        save(describe("other"), own)
        models, _ = list_models()
        assert sorted(model.name for model in models) == ["bands", "other"]
        assert find_model("bands").preparation.spacing_mm == (5, 5, 5)

    def test_a_broken_folder_is_told_and_left_out(self, own: Path) -> None:
        save(describe("other"), own)
        (own / "other" / "LICENSE").unlink()
        (own / "notes").mkdir()
        (own / ".part-123").mkdir()
        (own / "file.txt").write_text("x")
        models, problems = list_models()
        assert [model.name for model in models] == ["bands"]
        assert len(problems) == 2
        assert "other is not a whole model folder: LICENSE missing" in problems

    def test_a_broken_own_model_does_not_hide(self, own: Path) -> None:
        save(describe("bands"), own)
        (own / "bands" / "models" / "model.pt").unlink()
        models, problems = list_models()
        assert [model.name for model in models] == ["bands"]
        assert len(problems) == 1


class TestBases:
    def test_by_task(self, own: Path) -> None:
        assert [model.name for model in list_bases("segment")] == ["bands"]
        assert [model.name for model in list_bases("classify")] == ["bands"]

    def test_networks_are_those_whose_encoder_can_be_taken(self) -> None:
        assert catalogue.WITH_ENCODER == ENCODERS


class TestFind:
    def test_by_name_or_folder(self, own: Path, tmp_path: Path) -> None:
        save(describe("elsewhere"), tmp_path / "far")
        assert find_model("bands").name == "bands"
        assert find_model(tmp_path / "far" / "elsewhere").name == "elsewhere"
        assert find_model(str(tmp_path / "far" / "elsewhere")).name == "elsewhere"

    @pytest.mark.parametrize("name", ["none", "Bands", "/no/such/folder"])
    def test_an_unknown_name(self, name: str, own: Path) -> None:
        with pytest.raises(ModelError, match=f"no model '{name}'; expected a model folder or one of: bands"):
            find_model(name)

    @pytest.mark.parametrize("name", ["", "."])
    def test_no_name_is_no_folder(self, name: str, own: Path) -> None:
        with pytest.raises(ModelError):
            find_model(name)


class TestRemove:
    def test_an_own_one(self, own: Path) -> None:
        save(describe("mine"), own)
        assert remove_model("mine") == (own / "mine").resolve()
        assert not list(own.iterdir())

    def test_only_own_ones(self, own: Path) -> None:
        with pytest.raises(ModelError, match="bands is built in and stays"):
            remove_model("bands")
        with pytest.raises(ModelError, match="nothing is none of your own models"):
            remove_model("nothing")
        assert find_model("bands")
