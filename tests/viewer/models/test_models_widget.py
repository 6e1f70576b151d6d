"""The Models dock, in a real window with a real worker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import napari
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from napari_resmed.models.catalogue import list_models
from napari_resmed.viewer.models.models_widget import ModelsWidget
from napari_resmed.viewer.models.names import proposed_name
from napari_resmed.viewer.segment.segment_widget import SegmentWidget
from tests.models.monai_bundle.folders import inference, write


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESMED_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def models(own: Path, viewer: napari.Viewer) -> Iterator[ModelsWidget]:
    """The dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Models")
    assert isinstance(widget, ModelsWidget)
    yield widget
    widget.cancel()


def rows(models: ModelsWidget) -> dict[str, str]:
    texts = [models.list.item(row).text().split("\n") for row in range(models.list.count())]
    return dict(texts)


class TestList:
    def test_the_built_in_ones(self, models: ModelsWidget) -> None:
        assert "built in" in rows(models)["brain-mr"]
        models.list.choose("brain-mr")
        assert not models.remove_button.isEnabled()
        assert models.export_button.isEnabled()
        assert "brain-mr" in models.card.toPlainText()


class TestImportExportRemove:
    def test_the_whole_way(
        self,
        models: ModelsWidget,
        segment: SegmentWidget,
        own: Path,
        tmp_path: Path,
        qtbot: QtBot,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bundle = write(tmp_path / "bands bundle")
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(bundle))
        models.ask_for_folder()
        assert models.is_running
        assert not models.import_button.isEnabled()
        qtbot.waitUntil(lambda: not models.is_running)
        assert rows(models)["bands-bundle"].startswith("3 labels · MR · ")
        assert rows(models)["bands-bundle"].endswith("from MONAI bundle")
        assert models.list.chosen.name == "bands-bundle"
        assert "Imported bands-bundle" in models.status.text()
        assert "The bundle's own words." in models.card.toPlainText()
        names = [segment.model_choice.itemText(row) for row in range(segment.model_choice.count())]
        assert any("bands-bundle" in name for name in names)

        out = tmp_path / "bands.ts"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
        models.ask_and_export("torchscript", ".ts")
        qtbot.waitUntil(lambda: not models.is_running)
        assert out.is_file(), models.status.text()

        models.remove_button.click()
        assert models.question.isVisible()
        models.no_button.click()
        assert (own / "bands-bundle").is_dir()
        models.remove_button.click()
        models.yes_button.click()
        assert not (own / "bands-bundle").exists()
        assert "bands-bundle" not in rows(models)
        assert "bands-bundle" not in [model.name for model in list_models()[0]]

    def test_a_refusal_is_told_in_one_sentence(
        self, models: ModelsWidget, own: Path, tmp_path: Path, qtbot: QtBot, messages: list[tuple[str, str]]
    ) -> None:
        bundle = write(tmp_path / "odd", inference(network_def={"_target_": "scripts.net.Net"}))
        packed = shutil.make_archive(str(tmp_path / "odd"), "zip", bundle)
        models.import_from(Path(packed))
        qtbot.waitUntil(lambda: not models.is_running)
        assert "scripts.net.Net is no part of MONAI" in models.status.text()
        assert ("error", models.status.text()) in messages
        assert not list(own.glob("*"))
        assert models.import_button.isEnabled()


class TestProposedName:
    @pytest.mark.parametrize(
        ("source", "taken", "expected"),
        [
            ("x/spleen_ct.zip", (), "spleen_ct"),
            ("x/Dataset007_Abdomen/nnUNetTrainer__nnUNetPlans__3d_fullres", (), "Dataset007_Abdomen"),
            ("x/My model (2)", (), "My-model-2"),
            ("x/spleen", ("spleen", "spleen-2"), "spleen-3"),
            ("x/v0.5.9", (), "v0.5.9"),
            ("x/...", (), "model"),
        ],
    )
    def test_names(self, source: str, taken: tuple[str, ...], expected: str) -> None:
        assert proposed_name(Path(source), taken) == expected
