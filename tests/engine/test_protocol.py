"""What faces may ask of the core, by the number that stands for it."""

from __future__ import annotations

import ast
import inspect
import json
import zlib
from dataclasses import fields
from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.engine import PROTOCOL
from napari_resmed.jobs import find_job

SLICER_MODULE = Path(__file__).parents[2] / "slicer_module"

# The number, and what can be asked since. Where this test fails, something else can: count PROTOCOL up in
# napari_resmed.engine and in slicer_module's ResMedLib/install.py, and note it here with its digest.
ASKED = {4: 3963933876}


def test_the_number_counts_what_can_be_asked() -> None:
    asked = {name: sorted(inspect.signature(find_job(name)).parameters) for name in ("segment", "train", "classify")}
    asked |= {"case": sorted(field.name for field in fields(Case)), "in Slicer": _imported(SLICER_MODULE)}
    assert {PROTOCOL: zlib.crc32(json.dumps(asked, sort_keys=True).encode())} == ASKED


def _imported(folder: Path) -> list[str]:
    """What the code in a folder takes from the core, by full name."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in folder.rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    core = (node for node in nodes if (node.module or "").split(".")[0] == "napari_resmed")
    return sorted({f"{node.module}.{name.name}" for node in core for name in node.names})
