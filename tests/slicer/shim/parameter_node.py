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
    self._bound = {}


def _connect_gui(self: Any, ui: Any) -> int:
    widgets = {w.property("SlicerParameterName"): w for w in vars(ui).values() if w.property("SlicerParameterName")}
    for name, widget in widgets.items():
        parameter = self.allParameters[name]  # KeyError, as in the application
        if parameter.nodes:
            assert widget.class_name == "qMRMLNodeComboBox", name
            widget.nodeTypes = tuple(one().GetClassName() for one in parameter.nodes)
            widget.connect("currentNodeChanged(vtkMRMLNode*)", _writer(self, name, widget, None))
            continue
        _, signal = _BOUND[widget.class_name]
        if widget.class_name == "QComboBox":
            (choice,) = (rule for rule in parameter.rules if isinstance(rule, Choice))
            widget.clear()
            for one in choice.choices:
                widget.addItem(one)
        widget.connect(signal, _writer(self, name, widget, widget.class_name))
    self._bound = widgets
    _show(self)
    self._tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _show(self))
    return 0


def _disconnect_gui(self: Any, tag: int) -> None:
    self._bound = {}
    self.parameterNode.RemoveObserver(self._tag)


def _writer(self: Any, name: str, widget: Any, class_name: str | None) -> Any:
    def write(*_: Any) -> None:
        if widget in self._bound.values():
            setattr(self, name, widget.currentNode() if class_name is None else getattr(widget, _BOUND[class_name][0]))

    return write


def _show(self: Any) -> None:
    for name, widget in self._bound.items():
        value = getattr(self, name)
        if self.allParameters[name].nodes:
            widget.setCurrentNode(value)
        elif widget.class_name == "QComboBox":
            widget.currentIndex = widget.texts.index(value)
        else:
            setattr(widget, _BOUND[widget.class_name][0], value)
