"""What Slicer's own process loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Refuses what must not be loaded, then loads every part of the module, opens the panel and makes values of nodes.
_SCRIPT = """
import sys
FORBIDDEN = {"torch", "monai", "napari", "qtpy", "magicgui", "superqt", "PyQt5", "PyQt6", "PySide6"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is loaded in Slicer's process")
sys.meta_path.insert(0, Refuse())
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from tests.slicer import shim
shim.start()
import importlib, pathlib
import ResMed
for path in sorted(pathlib.Path(sys.argv[2], "ResMedLib").glob("*.py")):
    importlib.import_module(f"ResMedLib.{path.stem}")
ResMed.ResMedLogic.warm_up = lambda self, model: None  # no worker is needed here
ResMed.install.is_installed = lambda: True  # it looks for torch's files, which is not loading it
ResMed.ResMedWidget().setup()
from tests.slicer import nodes
from ResMedLib.volumes import source_of
source_of(nodes.volume(nodes.bands()))
print("loaded", *sorted({name.split(".")[0] for name in sys.modules} & FORBIDDEN))
"""


def test_neither_torch_nor_monai_nor_napari() -> None:
    line = [sys.executable, "-c", _SCRIPT, str(ROOT), str(ROOT / "slicer_module" / "ResMed")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "loaded"
