from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed.events import Failed, Finished
from ResMedLib import segment as segmenting
from ResMedLib.undo import add_node, can_undo, show_node, step, undo, worked_on
from tests.slicer import nodes
from tests.slicer.test_painted import ONE


def made(name: str) -> Any:
    with step():
        node = add_node("vtkMRMLSegmentationNode", name)
        show_node(node)
        key = node.GetSegmentation().AddEmptySegment(name, name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(ONE.astype(np.uint8), node, key, nodes.volume(nodes.bands()))
    return node


def no_such_method_of(node: Any) -> None:
    show_node(node)
    node.NoSuchMethod()


class TestStep:
    def test_the_last_one_goes_and_the_others_stay(self, scene: Any) -> None:
        first, second = made("first"), made("second")
        undo()
        assert scene.IsNodePresent(first)
        assert not scene.IsNodePresent(second)
        assert not can_undo()

    def test_what_goes_wrong_half_way_leaves_nothing(self, scene: Any) -> None:
        before = scene.GetNumberOfNodes()
        with pytest.raises(AttributeError), step():
            no_such_method_of(add_node("vtkMRMLSegmentationNode", "half"))
        assert scene.GetNumberOfNodes() == before
        assert not can_undo()

    def test_a_result_that_cannot_be_shown_whole_is_not_shown(
        self, worker: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = nodes.volume(nodes.bands(), np.eye(4))

        def fail(*_: Any) -> None:
            raise MemoryError

        monkeypatch.setattr(segmenting, "add_volume_table", fail)
        before = slicer.mrmlScene.GetNumberOfNodes()
        last = segmenting.segment([node], "bands", lambda event: None, device="cpu", precision="fp32").wait()
        assert isinstance(last, Failed)
        assert "MemoryError" in last.message
        assert slicer.mrmlScene.GetNumberOfNodes() == before
        monkeypatch.undo()
        again = segmenting.segment([node], "bands", lambda event: None, device="cpu", precision="fp32").wait()
        assert isinstance(again, Finished)

    def test_closing_the_scene_leaves_nothing_to_undo(self, scene: Any) -> None:
        made("result")
        scene.Clear(True)
        assert not can_undo()


class TestWorkedOn:
    def test_painting_counts_and_surfaces_do_not(self, scene: Any) -> None:
        node = made("result")
        node.CreateClosedSurfaceRepresentation()
        assert worked_on() == []
        volume = nodes.volume(nodes.bands())
        slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros(ONE.shape, np.uint8), node, "result", volume)
        assert worked_on() == ["result"]
        undo()
        assert worked_on() == []
