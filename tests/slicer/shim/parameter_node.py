"""``slicer.parameterNodeWrapper``: typed attributes kept in a node of the scene, and bound to widgets.

Kept under the attribute's name as text or as a node reference; the application's own keys for kinds of nodes that are
joined by ``Union`` differ, so a scene saved by one is not read by the other.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

__all__ = ["Choice", "WithinRange", "parameterNodeWrapper"]


@dataclass
class Choice:
    choices: list[Any]

    def check(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


@dataclass
class WithinRange:
    minimum: float
    maximum: float

    def check(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


def parameterNodeWrapper(kind: type) -> type:
    hints = typing.get_type_hints(kind, include_extras=True)
    kind.allParameters = {}
    for name, hint in hints.items():
        base, *rules = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        parameter = _Parameter(name, base, rules, vars(kind).get(name))
        kind.allParameters[name] = parameter
        setattr(kind, name, property(parameter.read, parameter.write))
    kind.__init__ = _init
    kind.connectGui = _connect_gui
    kind.connectParametersToGui = _connect_parameters
    kind.disconnectGui = _disconnect_gui
    return kind


class _Parameter:
    def __init__(self, name: str, kind: Any, rules: list[Any], default: Any) -> None:
        joined = typing.get_origin(kind) in (typing.Union, types.UnionType)
        kinds = [one for one in typing.get_args(kind) if one is not type(None)] if joined else [kind]
        assert not joined or type(None) in typing.get_args(kind), f"{name}: a Union of nodes needs None in it"
        self.nodes = tuple(one for one in kinds if issubclass(one, slicer.vtkMRMLNode))
        self.name, self.kind, self.rules = name, kinds[0], rules
        self.default = default if default is not None or self.nodes else kinds[0]()

    def read(self, owner: Any) -> Any:
        node = owner.parameterNode
        if self.nodes:
            return node.GetNodeReference(self.name)
        if not node.HasParameter(self.name):
            return self.default
        text = node.GetParameter(self.name)
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, owner: Any, value: Any) -> None:
        if self.nodes:
            assert value is None or isinstance(value, self.nodes), f"{self.name}: {value!r}"
            owner.parameterNode.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        # As strict as the application: an int is no float's place to be text, a bool no number.
        assert type(value) is self.kind or (self.kind is float and type(value) is int), f"{self.name}: {value!r}"
        for rule in self.rules:
            rule.check(value)
        owner.parameterNode.SetParameter(self.name, str(value))


# Property and signal by which a widget's value is read, written and heard of.
_BOUND = {
    "QCheckBox": ("checked", "toggled(bool)"),
    "QComboBox": ("currentText", "currentIndexChanged(int)"),
    "QSpinBox": ("value", "valueChanged(int)"),
    "QDoubleSpinBox": ("value", "valueChanged(double)"),
    "QLineEdit": ("text", "textChanged(QString)"),
}


def _init(self: Any, node: Any) -> None:
    self.parameterNode = node
    self._bound = {}  # of every connection by its tag: widget of each parameter
    self._showing = False


def _connect_gui(self: Any, ui: Any) -> None:
    """Hands no tag back, as in the application (Slicer issue 7547)."""
    widgets = {w.property("SlicerParameterName"): w for w in vars(ui).values() if w.property("SlicerParameterName")}
    _connect_parameters(self, widgets)


def _connect_parameters(self: Any, widgets: dict[str, Any]) -> int:
    tag = len(self._bound)
    for name, widget in widgets.items():
        parameter = self.allParameters[name]  # KeyError, as in the application
        if parameter.nodes:
            assert widget.class_name == "qMRMLNodeComboBox", name
            widget.nodeTypes = tuple(one().GetClassName() for one in parameter.nodes)
            widget.connect("currentNodeChanged(vtkMRMLNode*)", _writer(self, tag, name, widget))
            continue
        _, signal = _BOUND[widget.class_name]
        if widget.class_name == "QComboBox":
            widget.clear()
            for one in _choices(parameter):
                widget.addItem(one)
        widget.connect(signal, _writer(self, tag, name, widget))
    self._bound[tag] = widgets
    _show(self)
    self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _show(self))
    return tag


def _disconnect_gui(self: Any, tag: int | None) -> None:
    self._bound.pop(tag, None)


def _choices(parameter: _Parameter) -> list[str]:
    (choice,) = (rule for rule in parameter.rules if isinstance(rule, Choice))
    return choice.choices


def _writer(self: Any, tag: int, name: str, widget: Any) -> Any:
    parameter = self.allParameters[name]

    def write(*_: Any) -> None:
        if tag not in self._bound or self._showing:
            return
        if parameter.nodes:
            value = widget.currentNode()
        elif widget.class_name == "QComboBox":
            value = _choices(parameter)[widget.currentIndex]
        else:
            value = getattr(widget, _BOUND[widget.class_name][0])
        setattr(self, name, value)

    return write


def _show(self: Any) -> None:
    if self._showing:
        return
    self._showing = True
    try:
        for widgets in self._bound.values():
            for name, widget in widgets.items():
                _show_one(self, name, widget)
    finally:
        self._showing = False


def _show_one(self: Any, name: str, widget: Any) -> None:
    value = getattr(self, name)
    if self.allParameters[name].nodes:
        widget.setCurrentNode(value)
    elif widget.class_name == "QComboBox":
        widget.currentIndex = _choices(self.allParameters[name]).index(value)
    else:
        setattr(widget, _BOUND[widget.class_name][0], value)
