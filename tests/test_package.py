from __future__ import annotations

import subprocess
import sys

import pytest

import napari_resmed


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has after running ``code``."""
    code = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


class TestImport:
    def test_the_package_alone_loads_nothing_heavy(self) -> None:
        loaded = loaded_after("import napari_resmed")
        assert "napari_resmed" in loaded
        assert not loaded & {"numpy", "torch", "monai", "napari", "nibabel", "scipy", "SimpleITK", "pydicom"}

    def test_it_adds_itself_alone_to_the_standard_library(self) -> None:
        # How long that takes, `python -m benchmarks.start` measures.
        added = loaded_after("import napari_resmed") - loaded_after("pass") - sys.stdlib_module_names
        assert added == {"napari_resmed"}

    def test_what_a_viewer_uses_loads_no_network(self) -> None:
        loaded = loaded_after(
            "import napari_resmed.models.catalogue, napari_resmed.engine.client, napari_resmed.io\n"
            "import napari_resmed.cli.main\n"
            "napari_resmed.models.catalogue.list_models()"
        )
        assert "numpy" in loaded
        assert not loaded & {"torch", "monai", "napari", "qtpy"}


class TestPublicNames:
    @pytest.mark.parametrize("name", napari_resmed.__all__)
    def test_all_are_there(self, name: str) -> None:
        assert getattr(napari_resmed, name) is not None

    def test_an_unknown_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
            _ = napari_resmed.segment_everything
