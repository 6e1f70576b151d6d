"""Real MRML. ``make test-slicer`` runs these in an environment of their own; elsewhere they are left out."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "slicer_module" / "ResMed"
HAS_SLICER = importlib.util.find_spec("slicer_core") is not None

# These look at files alone and run everywhere.
collect_ignore_glob = [] if HAS_SLICER else ["test_[!f]*.py"]

if HAS_SLICER:
    sys.path.insert(0, str(MODULE))
    from tests.slicer import shim

    shim.start()


@pytest.fixture
def scene() -> Iterator[Any]:
    """The scene, empty."""
    import slicer

    slicer.mrmlScene.Clear(True)
    assert slicer.mrmlScene.GetSubjectHierarchyNode() is not None
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(True)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A person's own models, in use here and in every worker that is started."""
    import os

    from tests import small_models

    folder = tmp_path_factory.mktemp("models")
    small_models.save(small_models.describe(), folder)
    small_models.save_heavy(folder)
    before = os.environ.get("RESMED_MODELS")
    os.environ["RESMED_MODELS"] = str(folder)
    yield folder
    os.environ.pop("RESMED_MODELS") if before is None else os.environ.update(RESMED_MODELS=before)


@pytest.fixture(scope="session")
def _workers() -> Iterator[None]:
    """One worker for all tests, as in the application; none is left behind."""
    yield
    from ResMedLib.engines import close_engines

    close_engines()


@pytest.fixture
def worker(models: Path, _workers: None, scene: Any) -> Path:
    """An empty scene, the small models, and a worker that knows them."""
    return models
