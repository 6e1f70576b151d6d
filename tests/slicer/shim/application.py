"""``slicer.app``, ``slicer.modules`` and a scene, with the logics joined as the application joins them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import slicer

from tests.slicer.shim import qt

__all__ = ["App", "start"]

# Name in slicer.modules, and the class of its logic.
LOGICS = {
    "volumes": ("Volumes", "vtkSlicerVolumesLogic"),
    "terminologies": ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    "segmentations": ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    "subjecthierarchy": ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    "sequences": ("Sequences", "vtkSlicerSequencesLogic"),
    "markups": ("Markups", "vtkSlicerMarkupsLogic"),
    "tables": ("Tables", "vtkSlicerTablesLogic"),
    "plots": ("Plots", "vtkSlicerPlotsLogic"),
    "transforms": ("Transforms", "vtkSlicerTransformLogic"),
    "colors": ("Colors", "vtkSlicerColorLogic"),
}


class App:
    """``slicer.app``: no window, no event loop, in testing mode, where Slicer's dialogs answer themselves."""

    applicationName = "Slicer"

    def __init__(self) -> None:
        self.connected: dict[str, list[Callable[..., Any]]] = {}

    def processEvents(self) -> None:
        qt.fire_timers()

    def testingEnabled(self) -> bool:
        return True

    def layoutManager(self) -> None:
        return None

    def connect(self, signal: str, slot: Callable[..., Any]) -> None:
        self.connected.setdefault(signal, []).append(slot)


def start() -> None:
    slicer.app = App()
    slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.selfTests = {}
    # Where bundled scenes are unpacked to; the application has such a folder in its settings.
    folder = tempfile.mkdtemp(prefix="resmed-slicer-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cache, data = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(folder)
    cache.SetMRMLScene(slicer.mrmlScene)
    data.SetCacheManager(cache)
    slicer.mrmlScene.SetCacheManager(cache)
    slicer.mrmlScene.SetDataIOManager(data)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(slicer.mrmlScene)
    slicer.modules = SimpleNamespace(application=application)
    for name, (module, kind) in LOGICS.items():
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(slicer.mrmlScene)
        application.SetModuleLogic(module, logic)
        setattr(slicer.modules, name, SimpleNamespace(logic=lambda logic=logic: logic))
