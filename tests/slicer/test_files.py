"""What can be checked of the module without Slicer: that its files agree with each other."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import re
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SLICER_MODULE = ROOT / "slicer_module"
MODULE = SLICER_MODULE / "ResMed"
SOURCES = sorted([MODULE / "ResMed.py", *(MODULE / "ResMedLib").glob("*.py")])
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "ResMed.ui").getroot()
WIDGETS = {element.attrib["name"]: element for element in UI.iter("widget")}


def parameters() -> dict[str, str]:
    """Name and type of every parameter, as written."""
    tree = ast.parse((MODULE / "ResMedLib" / "parameters.py").read_text(encoding="utf-8"))
    (kind,) = (one for one in tree.body if isinstance(one, ast.ClassDef))
    return {one.target.id: ast.unparse(one.annotation) for one in kind.body if isinstance(one, ast.AnnAssign)}


def written(path: Path, name: str) -> Any:
    """What a file gives a name at its top, without running it."""
    (value,) = (
        one.value
        for one in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name
    )
    return ast.literal_eval(value)


def bound() -> dict[str, ElementTree.Element]:
    """Widget of every parameter."""
    found = {}
    for widget in WIDGETS.values():
        for one in widget.findall("property"):
            if one.attrib["name"] == "SlicerParameterName":
                assert one[0].text not in found, f"two widgets are bound to {one[0].text}"
                found[one[0].text or ""] = widget
    return found


def qt_stand_ins() -> dict[str, ModuleType]:
    """Modules that hold the classes of the ``.ui`` file which Qt does not know."""
    from PyQt6.QtWidgets import QComboBox, QGroupBox, QWidget

    class Selector(QComboBox):
        def setNodeTypes(self, kinds: list[str]) -> None:
            assert kinds

        def _switch(self, on: bool) -> None:
            assert isinstance(on, bool)

        setShowChildNodeTypes = setNoneEnabled = setAddEnabled = setRemoveEnabled = setRenameEnabled = _switch

    class Fold(QGroupBox):
        def setText(self, text: str) -> None:
            self.setTitle(text)

        def setCollapsed(self, collapsed: bool) -> None:
            assert isinstance(collapsed, bool)

    kinds = {
        "qMRMLNodeComboBox": Selector,
        "qMRMLSubjectHierarchyComboBox": Selector,
        "ctkComboBox": QComboBox,
        "ctkCollapsibleButton": Fold,
        "qMRMLWidget": QWidget,
    }
    modules = {}
    for name, kind in kinds.items():
        modules[name] = ModuleType(name)
        setattr(modules[name], name, kind)
    return modules


class TestPanel:
    def test_every_widget_the_code_uses_is_there(self) -> None:
        used = set()
        for path in SOURCES:
            used |= set(re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8")))
        assert used
        assert used <= set(WIDGETS)

    def test_every_widget_that_does_something_is_used(self) -> None:
        text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
        does = {"QPushButton", "QComboBox", "QListWidget", "QProgressBar", "qMRMLSubjectHierarchyComboBox"}
        for name, widget in WIDGETS.items():
            if widget.attrib["class"] in does and name not in {w.attrib["name"] for w in bound().values()}:
                assert f"ui.{name}" in text, f"nothing uses {name}"

    def test_every_bound_name_is_a_parameter_and_its_widget_can_hold_it(self) -> None:
        fitting = {
            "qMRMLNodeComboBox": r"Image|vtkMRML\w+Node",
            "QCheckBox": "bool",
            "QSpinBox": r"Annotated\[int, WithinRange.*",
            "QDoubleSpinBox": r"Annotated\[float, WithinRange.*",
            "QLineEdit": "str",
            # Slicer fills such a box itself, and needs to know with what.
            "QComboBox": r"Annotated\[str, Choice.*",
        }
        known = parameters()
        for name, widget in bound().items():
            assert name in known
            assert re.fullmatch(fitting[widget.attrib["class"]], known[name]), f"{name}: {known[name]}"

    def test_every_parameter_is_bound_or_written_by_the_code(self) -> None:
        text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
        for name in parameters():
            kept = re.search(rf"\.{name} = ", text) or re.search(rf'ModelList\([^()]*"{name}"', text)
            assert name in bound() or kept, f"nothing keeps {name}"

    def test_painted_images_are_offered_in_napari_s_words(self) -> None:
        napari = written(ROOT / "src" / "napari_resmed" / "viewer" / "train" / "train_options.py", "_IMAGES")
        assert written(MODULE / "ResMedLib" / "parameters.py", "IMAGES") == {
            said: share for share, said in napari.items()
        }
        assert "imagesComboBox" in {one.attrib["name"] for one in WIDGETS["paintedSource"].iter("widget")}

    def test_every_node_selector_gets_the_scene(self) -> None:
        selectors = {
            name for name, widget in WIDGETS.items() if widget.attrib["class"].startswith("qMRML") and name != "ResMed"
        }
        connected = {one.findtext("receiver") for one in UI.iter("connection")}
        assert connected == selectors

    def test_every_input_says_what_it_is(self) -> None:
        for name, widget in WIDGETS.items():
            if widget.attrib["class"] in ("QLabel", "QWidget", "QTabWidget", "qMRMLWidget", "QProgressBar"):
                continue
            if widget.attrib["class"] == "ctkCollapsibleButton":
                continue
            tips = [one[0].text for one in widget.findall("property") if one.attrib["name"] == "toolTip"]
            assert tips, f"{name} has no tooltip"

    def test_keyboard_letters_lead_somewhere(self) -> None:
        for widget in WIDGETS.values():
            texts = {one.attrib["name"]: one[0].text for one in widget.findall("property") if len(one)}
            if widget.attrib["class"] == "QLabel" and "&" in (texts.get("text") or ""):
                assert texts["buddy"] in WIDGETS


@pytest.mark.skipif(importlib.util.find_spec("PyQt6") is None, reason="looked at where Qt is: by make test")
class TestQt:
    """The file as Qt reads it; Slicer's own widgets are stood for by Qt's next of kin."""

    @pytest.fixture
    def panel(self, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        from PyQt6 import uic

        for name, module in qt_stand_ins().items():
            monkeypatch.setitem(sys.modules, name, module)
        # Without its connections, which speak of a type of Slicer's.
        text = (MODULE / "Resources" / "UI" / "ResMed.ui").read_text(encoding="utf-8")
        widget = uic.loadUi(io.StringIO(re.sub(r"(?s)<connections>.*</connections>", "", text)))
        qtbot.addWidget(widget)
        return widget

    def test_it_fits_a_narrow_panel(self, panel: Any) -> None:
        for name in ("progressBar", "trainProgressBar", "cancelButton", "stopButton"):
            assert getattr(panel, name) is not None
        from PyQt6.QtWidgets import QComboBox

        for combo in panel.findChildren(QComboBox):
            if type(combo) is QComboBox:
                combo.addItem("a model with the long name of a data set, its configuration and its folds")
        assert panel.minimumSizeHint().width() <= 320

    def test_three_tabs(self, panel: Any) -> None:
        assert [panel.tabs.tabText(n) for n in range(panel.tabs.count())] == ["Segment", "Train", "Classify"]


class TestCMake:
    def listed(self) -> set[str]:
        text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8").replace("${MODULE_NAME}", "ResMed")
        return set(re.findall(r"^\s+((?:ResMed|Resources)[\w./]*\.\w+)\s*$", text, re.MULTILINE))

    def test_every_file_is_listed_and_every_listed_file_is_there(self) -> None:
        there = {
            path.relative_to(MODULE).as_posix()
            for path in MODULE.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and "Testing" not in path.parts
        } - {"CMakeLists.txt"}
        assert self.listed() == there

    def test_the_root_describes_the_extension(self) -> None:
        text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        assert "project(ResMed)" in text
        for name in ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
            assert re.search(rf'set\(EXTENSION_{name} "[^"]+"\)', text), name
        assert "add_subdirectory(slicer_module)" in text

    def test_the_index_entry_is_named_as_the_project(self) -> None:
        entry = json.loads((SLICER_MODULE / "ResMed.json").read_text(encoding="utf-8"))
        assert entry["category"] == "Segmentation"
        assert {"scm_url", "scm_revision", "build_dependencies", "build_subdirectory", "tier"} <= set(entry)
        text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        assert f'set(EXTENSION_CATEGORY "{entry["category"]}")' in text

    def test_pictures_named_there_are_in_the_tree(self) -> None:
        text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        named = re.findall(r"/main/((?:slicer_module|docs)/[\w./-]+\.png)", text)
        assert len(named) >= 2
        for path in named:
            assert (ROOT / path).is_file(), path


class TestRequirements:
    def test_they_are_the_cores_less_what_slicer_has(self) -> None:
        lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
        ours = {line.split("#")[0].strip() for line in lines} - {""}
        with (ROOT / "pyproject.toml").open("rb") as file:
            cores = tomllib.load(file)["project"]["dependencies"]
        kept = ("numpy", "SimpleITK", "torch")
        assert ours == {line for line in cores if not re.match(rf"({'|'.join(kept)})\b", line)}

    def test_nothing_heavy_or_of_napari_is_named_in_an_import(self) -> None:
        for path in SOURCES:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                heavy = {name.split(".")[0] for name in names} & {"torch", "monai", "napari", "qtpy", "magicgui"}
                assert not heavy, f"{path.name} imports {heavy}"

    def test_what_is_loaded_before_the_installation_needs_no_core(self) -> None:
        """Followed from ResMed.py along imports at the top of files."""
        todo, seen = [MODULE / "ResMed.py", MODULE / "ResMedLib" / "parameters.py"], set()
        # The panels are imported when the panel is opened, before the first click.
        todo += sorted((MODULE / "ResMedLib").glob("*_panel.py"))
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "napari_resmed":
                    pytest.fail(f"{path.name} imports {node.module}, which is not there yet")
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ResMedLib"):
                    names = [node.module] if node.module != "ResMedLib" else [f"ResMedLib.{n.name}" for n in node.names]
                    todo += [MODULE / f"{name.replace('.', '/')}.py" for name in names]
        assert len(seen) > 6


class TestTerminology:
    def test_every_code_of_a_model_that_ships_is_offered(self) -> None:
        path = MODULE / "Resources" / "ResMed.term.json"
        types = json.loads(path.read_text(encoding="utf-8"))["SegmentationCodes"]["Category"][0]["Type"]
        offered = {
            (kind["CodeValue"], side["CodeValue"] if side else "")
            for kind in types
            for side in [None, *kind.get("Modifier", [])]
        }
        for metadata in (ROOT / "src" / "napari_resmed" / "starter").glob("*/configs/metadata.json"):
            for label in json.loads(metadata.read_text(encoding="utf-8"))["resmed"].get("labels", []):
                if "code" in label:
                    pair = (label["code"]["value"], label.get("modifier", {}).get("value", ""))
                    assert pair in offered, f"{label['name']}: run python -m scripts.slicer_terminology"
