from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed.errors import InputError
from napari_resmed.events import Finished, Warning
from ResMedLib.batch import Batch
from ResMedLib.segment import segment
from ResMedLib.undo import undo
from tests.slicer import nodes


def test_every_volume_below_a_folder_and_why_one_was_left_out(worker: Path) -> None:
    one, two = (nodes.volume(nodes.bands(), np.eye(4), name) for name in ("one", "two"))
    flat = nodes.volume(nodes.bands((1, 8, 8)), np.eye(4), "flat")
    inner = nodes.folder("inner", two, flat)
    outer = nodes.folder("outer", one)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    hierarchy.SetItemParent(inner, outer)
    said: list[Any] = []
    batch = Batch(
        outer, lambda node, hear, new: segment([node], "bands", hear, new_step=new, device="cpu"), said.append
    )
    assert batch.wait() is said[-1]
    assert isinstance(said[-1], Finished)
    result = said[-1].result
    assert {made.segmentation.GetName() for made in result.done} == {"one bands", "two bands"}
    assert [name for name, _ in result.failed] == ["flat"]
    assert "2D" in result.failed[0][1]
    placed = {
        made.segmentation.GetName(): hierarchy.GetItemParent(hierarchy.GetItemByDataNode(made.segmentation))
        for made in result.done
    }
    assert placed == {"one bands": outer, "two bands": inner}
    shares = [event.done for event in said if hasattr(event, "done")]
    assert shares == sorted(shares)
    undo()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_warning_says_of_which_volume(scene: Any) -> None:
    item = nodes.folder("study", *(nodes.volume(nodes.bands(), name=name) for name in ("one", "two")))
    said: list[Any] = []

    def start(node: Any, hear: Any, new: bool) -> Any:
        hear(Warning("it is unlike the images of the model"))
        hear(Finished(node, 1.0))

    Batch(item, start, said.append)
    assert [event.message for event in said[:-1]] == [
        "one: it is unlike the images of the model",
        "two: it is unlike the images of the model",
    ]


def test_a_folder_without_volumes_is_refused(scene: Any) -> None:
    with pytest.raises(InputError, match="no volume in this folder"):
        Batch(nodes.folder("empty"), lambda node, hear, new: None, lambda event: None)
