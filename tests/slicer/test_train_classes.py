"""What a classifier is trained on; a training itself is clicked through in test_panel.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer

from napari_resmed.errors import InputError
from ResMedLib.class_cases import ClassCase, class_cases_of, remove_class_case, say_class, told, trouble_with
from ResMedLib.train_classes import collect_classes
from tests.slicer import nodes


def volumes(count: int) -> list[Any]:
    return [nodes.volume(nodes.bands() + number, name=f"Doe^Jane {number}") for number in range(count)]


class TestCollect:
    def test_numbers_classes_and_patients(self, scene: Any) -> None:
        a, b, c, d = volumes(4)
        nodes.patient("Doe^Jane", a, b)
        nodes.transform(nodes.TURN, c)
        cases = [ClassCase(a, "ill"), ClassCase(b, "normal"), ClassCase(c, "ill"), ClassCase(d, "normal")]
        made = collect_classes(cases)
        assert [(one["name"], one["class_name"], one["group"]) for one in made] == [
            ("case 1", "ill", "patient 1"), ("case 2", "normal", "patient 1"), ("case 3", "ill", ""), ("case 4", "normal", ""),
        ]  # fmt: skip
        assert "Doe" not in repr(made)
        corner = (made[2]["images"][0].affine @ [0, 0, 0, 1])[:3] * [-1, -1, 1]
        assert corner == pytest.approx(nodes.world_positions(c, nodes.np.zeros((1, 3), int))[0])

    def test_what_cannot_be_learnt_is_told(self, scene: Any) -> None:
        with pytest.raises(InputError, match="no volume has a class yet"):
            collect_classes([])
        a, b, c = volumes(3)
        assert 'everything is "ill"' in trouble_with([ClassCase(a, "ill"), ClassCase(b, "ill")])
        nodes.patient("Doe^Jane", a, b)
        said = trouble_with([ClassCase(a, "ill"), ClassCase(b, "ill"), ClassCase(c, "normal")])
        assert said.startswith('"ill" has volumes of one patient only')
        empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
        cases = [ClassCase(one, name) for one, name in ((b, "x"), (c, "x"), (a, "y"), (empty, "y"))]
        with pytest.raises(InputError, match="empty: the volume holds no voxels"):
            collect_classes(cases)


class TestInTheScene:
    def test_said_again_and_forgotten(self, scene: Any) -> None:
        node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
        a, b, c = volumes(3)
        say_class(node, [a, b], "Ill")
        say_class(node, [c], "ill ")
        assert class_cases_of(node) == [ClassCase(a, "Ill"), ClassCase(b, "Ill"), ClassCase(c, "Ill")]
        say_class(node, [b], "normal")
        assert told(class_cases_of(node)) == "2 Ill, 1 normal"
        remove_class_case(node, 0)
        assert class_cases_of(node) == [ClassCase(c, "Ill"), ClassCase(b, "normal")]
        scene.RemoveNode(c)
        assert class_cases_of(node) == [ClassCase(b, "normal")]

    def test_saved_with_the_scene(self, scene: Any, tmp_path: Path) -> None:
        node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
        (volume,) = volumes(1)
        volume.AddDefaultStorageNode()
        say_class(node, [volume], "kränklich, mäßig")
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        scene.Clear(True)
        scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "takes the first ID")
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
        (back,) = class_cases_of(slicer.util.getFirstNodeByClassByName("vtkMRMLScriptedModuleNode", "parameters"))
        assert (back.volume.GetName(), back.class_name) == ("Doe^Jane 0", "kränklich, mäßig")
