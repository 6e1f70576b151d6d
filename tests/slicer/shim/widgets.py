"""Widgets as PythonQt shows them, made from a ``.ui`` file: properties are attributes, signals are connected by name.

Each class knows what the module may use of it, and nothing else: a misspelt property fails here.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

__all__ = ["child_widget_variables", "load_ui"]

_COMMON = {"visible": True, "enabled": True, "toolTip": ""}
_SIGNALS_OF = {
    "checked": "toggled(bool)",
    "currentIndex": "currentIndexChanged(int)",
    "text": "textChanged(QString)",
}
# Properties with their defaults, and signals.
CLASSES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "QWidget": ({}, ()),
    "qMRMLWidget": ({}, ()),
    "QTabWidget": ({"currentIndex": 0}, ()),
    "QLabel": ({"text": ""}, ()),
    "QPushButton": ({"text": ""}, ("clicked()",)),
    "ctkCollapsibleButton": ({"text": "", "collapsed": False}, ()),
    "QCheckBox": ({"text": "", "checked": False}, ("toggled(bool)",)),
    "QLineEdit": ({"text": "", "placeholderText": ""}, ("textChanged(QString)",)),
    "QSpinBox": ({"value": 0}, ("valueChanged(int)",)),
    "QDoubleSpinBox": ({"value": 0.0}, ("valueChanged(double)",)),
    "QProgressBar": ({"value": 0, "maximum": 100}, ()),
    "QComboBox": ({"currentIndex": -1}, ("currentIndexChanged(int)", "activated(int)")),
    "QListWidget": ({"currentRow": -1}, ("itemClicked(QListWidgetItem*)", "itemActivated(QListWidgetItem*)")),
    "qMRMLNodeComboBox": ({"nodeTypes": ()}, ("currentNodeChanged(vtkMRMLNode*)",)),
    "qMRMLSubjectHierarchyComboBox": ({}, ()),
}


class Widget:
    def __init__(self, class_name: str, name: str, properties: dict[str, str]) -> None:
        known, signals = CLASSES[class_name]
        values = {**_COMMON, **known}
        given = {key: value for key, value in properties.items() if isinstance(values.get(key), str)}
        self.__dict__.update(
            class_name=class_name,
            name=name,
            _values={**values, **given},
            _slots={signal: [] for signal in signals},
            _parameter=properties.get("SlicerParameterName"),
            texts=[],
            _node=None,
            item=0,
        )

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__["_values"]
        if name == "currentText" and self.class_name == "QComboBox":
            return self.texts[self.currentIndex]
        if name not in values:
            raise AttributeError(f"{self.class_name} {self.name} has no property {name}")
        return values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._values:
            raise AttributeError(f"{self.class_name} {self.name} has no property {name}")
        before, self._values[name] = self._values[name], value
        if before != value:
            signal = "valueChanged(int)" if self.class_name == "QSpinBox" else "valueChanged(double)"
            self.emit(signal if name == "value" else _SIGNALS_OF.get(name, ""), value)

    def property(self, name: str) -> Any:
        return self._parameter if name == "SlicerParameterName" else self._values.get(name)

    def connect(self, signal: str, slot: Callable[..., None]) -> None:
        if signal not in self._slots:
            raise ValueError(f"{self.class_name} {self.name} has no signal {signal}")
        self._slots[signal].append(slot)

    def emit(self, signal: str, *arguments: Any) -> None:
        for slot in self._slots.get(signal, ()):
            slot(*arguments)

    def click(self) -> None:
        """What a person does."""
        assert self.enabled, f"{self.name} cannot be clicked"
        self.emit("clicked()")

    def click_row(self, row: int) -> None:
        """What a person does to a list."""
        assert 0 <= row < len(self.texts)
        self.currentRow = row
        self.emit("itemClicked(QListWidgetItem*)", None)

    def setMRMLScene(self, scene: Any) -> None:
        assert self.class_name == "qMRMLWidget"

    # Combo boxes and lists ----------------------------------------------------------------------------------------

    def addItem(self, text: str) -> None:
        assert self.class_name in ("QComboBox", "QListWidget")
        self.texts.append(text)
        if self.class_name == "QComboBox" and len(self.texts) == 1:
            self.currentIndex = 0

    def clear(self) -> None:
        self.texts.clear()
        if self.class_name == "QComboBox":
            self.currentIndex = -1
        else:
            self.currentRow = -1

    def currentNode(self) -> Any:
        assert self.class_name == "qMRMLNodeComboBox"
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        assert self.class_name == "qMRMLNodeComboBox"
        if node is not self._node:
            self.__dict__["_node"] = node
            self.emit("currentNodeChanged(vtkMRMLNode*)", node)

    def currentItem(self) -> int:
        assert self.class_name == "qMRMLSubjectHierarchyComboBox"
        return int(self.item)

    def setCurrentItem(self, item: int) -> None:
        self.__dict__["item"] = item


def load_ui(path: str) -> Any:
    root = ElementTree.parse(path).getroot()
    made = [
        Widget(
            element.attrib["class"],
            element.attrib["name"],
            {p.attrib["name"]: (p[0].text or "") for p in element.findall("property")},
        )
        for element in root.iter("widget")
    ]
    top = made[0]
    top.__dict__["children"] = made
    return top


def child_widget_variables(widget: Any) -> SimpleNamespace:
    return SimpleNamespace(**{child.name: child for child in widget.children})
