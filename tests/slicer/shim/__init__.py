"""Stands for what exists only in the application, so that the module runs against real MRML from PyPI.

``slicer-core`` brings the scene, every node and every module's logic, and ``slicer.util``; what is missing there is
written here from the documented interface: the base classes of scripted modules, ``parameterNodeWrapper``, ``slicer.app``,
``slicer.modules``, a ``qt.QTimer``, and widgets of a ``.ui`` file that know the few properties and signals the module
uses, and refuse any other.

Not covered: how anything looks; layout, focus and keyboard; that PythonQt converts values as these widgets take them;
module discovery and the order in which the application loads modules; ``slicer.packaging``; Slicer's own Python and
launcher; the slice and 3D views of the application.
"""

from __future__ import annotations

import sys

from tests.slicer.shim import application, parameter_node, qt, scripted_module, widgets

__all__ = ["start"]


def start() -> None:
    """Make the modules that the application has importable, and a scene."""
    import slicer
    import slicer.util

    sys.modules["qt"] = qt
    sys.modules["slicer.ScriptedLoadableModule"] = scripted_module
    sys.modules["slicer.parameterNodeWrapper"] = parameter_node
    slicer.util.loadUI = widgets.load_ui
    slicer.util.childWidgetVariables = widgets.child_widget_variables
    application.start()
