"""What napari is told of the plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import napari
import pytest
from npe2 import PluginManifest

from napari_resmed.viewer.segment.segment_widget import SegmentWidget

MENUS = """
import json, napari
from napari._app_model import get_app_model
viewer = napari.Viewer(show=True)
menus = get_app_model().menus
def titles(name):
    return [getattr(item, "submenu", None) or item.command.title for item in menus.get_menu(name)]
found = {"layers": titles("napari/layers/segment"), "submenu": titles("resmed"),
         "plugins": titles("napari/plugins/napari-resmed"), "palette": titles(menus.COMMAND_PALETTE_ID)}
viewer.close()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-resmed")


class TestManifest:
    def test_is_valid(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "npe2", "validate", "napari_resmed"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_name_is_the_distributions(self, manifest: PluginManifest) -> None:
        assert manifest.name == "napari-resmed"

    def test_every_command_leads_to_something_callable(self, manifest: PluginManifest) -> None:
        commands = manifest.contributions.commands
        assert commands
        for command in commands:
            assert callable(command.python_name and _load(command.python_name)), command.id

    def test_link_at_the_root_is_the_manifest(self) -> None:
        root = Path(__file__).parents[2]
        assert (root / "napari.yaml").resolve() == (root / "src/napari_resmed/napari.yaml").resolve()

    def test_never_claims_every_file(self, manifest: PluginManifest) -> None:
        for reader in manifest.contributions.readers:
            assert not {"*", "*.gz"} & set(reader.filename_patterns)


class TestInTheWindow:
    def test_dock_opens_from_the_plugin(self, viewer: napari.Viewer) -> None:
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
        assert isinstance(widget, SegmentWidget)

    def test_layers_menu_and_command_palette_have_it(self) -> None:
        # In a napari of its own: the test fixture keeps plugins out of the menus.
        done = subprocess.run([sys.executable, "-c", MENUS], capture_output=True, text=True, check=True, timeout=800)
        found = json.loads(done.stdout.splitlines()[-1])
        assert "resmed" in found["layers"]
        for menu in ("submenu", "plugins", "palette"):
            assert "Segment (ResMed)" in found[menu], menu
            assert "Train (ResMed)" in found[menu], menu
            assert "Scribble (ResMed)" in found[menu], menu
            assert "Cases (ResMed)" in found[menu], menu

    def test_sample_opens_in_its_true_place(self, viewer: napari.Viewer) -> None:
        (layer,) = viewer.open_sample("napari-resmed", "mni152")
        assert layer.data.shape == (189, 233, 197)
        # The anterior commissure is the origin of MNI space: it must lie inside the image at world (0, 0, 0).
        index = [round(value) for value in layer.world_to_data((0, 0, 0))]
        assert index == [72, 98, 98]


def _load(python_name: str) -> object:
    from importlib import import_module

    module, attribute = python_name.split(":")
    return getattr(import_module(module), attribute)
