"""``slicer.ScriptedLoadableModule``: the base classes, as far as the module relies on them."""

from __future__ import annotations

import importlib.util
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]

MODULE = Path(__file__).parents[3] / "slicer_module" / "ResMed"


class ScriptedLoadableModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or SimpleNamespace(isEntered=True)
        self.layout = SimpleNamespace(addWidget=lambda widget: None)

    def resourcePath(self, filename: str) -> str:
        return str(MODULE / "Resources" / filename)

    def setup(self) -> None:
        pass

    def cleanup(self) -> None:
        pass

    def onReload(self) -> None:
        """As slicer.util.reloadScriptedModule: the file anew, then the end of the panel there was; no new one here."""
        spec = importlib.util.spec_from_file_location(self.moduleName, MODULE / f"{self.moduleName}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.moduleName] = module
        spec.loader.exec_module(module)
        self.cleanup()


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """The scene's one node of this module, made where it is not there."""
        found = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if found is not None:
            return found
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(self.moduleName)
        return slicer.mrmlScene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    def runTest(self) -> None:
        pass

    def delayDisplay(self, message: str, *_: Any) -> None:
        self.said = message
