from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import torch

from napari_resmed.errors import InputError
from napari_resmed.events import Finished
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.classify.plan import ClassPlan
from ResMedLib.classify import classify
from ResMedLib.undo import undo
from tests.slicer import nodes
from tests.train.classify.small import network


@pytest.fixture(scope="module")
def bright(models: Path) -> Iterator[Path]:
    """A 3D network of random weights: what it says is as good as any."""
    plan = ClassPlan(
        name="bright", classes=("dark", "bright"), channels=("image",), network="ImageClassifier",
        arguments=network(spatial_dims=3, dropout=0.0), preparation=Preparation((1.0, 1.0, 1.0), percentiles=(0, 100)),
        patch=(16, 16, 16), fit="whole", batch=2, training=("a",), held_out=("b",), steps=1, mirror_axes=(2,),
    )  # fmt: skip
    torch.manual_seed(0)
    made = build_network(plan.network, plan.arguments).eval()
    model = plan.model(temperature=2.0, training={})
    save_model(model, made.state_dict(), models / "bright", card="", licence="")
    yield models / "bright"
    shutil.rmtree(models / "bright")  # the panel lists what is there


def done(chosen: list[Any], model: Path, **options: Any) -> Any:
    last = classify(chosen, str(model), lambda event: None, device="cpu", precision="fp32", **options).wait()
    assert isinstance(last, Finished), last
    return last.result


def cells(table: Any) -> list[list[str]]:
    data = table.GetTable()
    return [
        [data.GetValue(row, column).ToString() for column in range(data.GetNumberOfColumns())]
        for row in range(data.GetNumberOfRows())
    ]


def test_a_table_with_names_classes_and_probabilities(worker: Path, bright: Path) -> None:
    chosen = [nodes.volume(nodes.bands() + k, nodes.ASKEW, name) for k, name in ((0, "one"), (30, "two"))]
    made = done(chosen, bright, explain=False)
    data = made.table.GetTable()
    titles = [data.GetColumnName(n) for n in range(data.GetNumberOfColumns())]
    assert titles == ["Volume", "Predicted", "p dark", "p bright", "Quality"]
    rows = cells(made.table)
    assert [row[0] for row in rows] == ["one", "two"]
    for row, predicted in zip(rows, made.predicted, strict=True):
        assert row[1] == predicted
        shares = {"dark": float(row[2]), "bright": float(row[3])}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert max(shares, key=lambda name: shares[name]) == predicted
    assert made.overlays == (None, None)


def test_the_heat_map_lies_over_the_volume_and_is_shown(worker: Path, bright: Path) -> None:
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
    node = nodes.volume(nodes.bands(), nodes.ASKEW)
    nodes.transform(nodes.TURN, node)
    item = nodes.folder("study", node)
    (heat,) = done([node], bright).overlays
    index = np.array([[0, 0, 0], [13, 14, 15], [5, 0, 2]])
    assert np.allclose(nodes.world_positions(heat, index), nodes.world_positions(node, index))
    array = slicer.util.arrayFromVolume(heat)
    assert array.shape == nodes.bands().shape
    assert 0 <= array.min() <= array.max() <= 1
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(heat)) == item
    assert composite.GetBackgroundVolumeID() == node.GetID()
    assert composite.GetForegroundVolumeID() == heat.GetID()
    assert 0 < composite.GetForegroundOpacity() < 1
    undo()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_one_that_cannot_be_used_is_told_in_its_row(worker: Path, bright: Path) -> None:
    two = nodes.volume(np.stack([nodes.bands()] * 2, axis=-1), name="two channels")
    made = done([two, nodes.volume(nodes.bands(), name="grey")], bright)
    assert made.predicted[0] == ""
    assert made.predicted[1] in ("dark", "bright")
    assert cells(made.table)[0][-1].startswith("not usable")


def test_no_volume_is_refused(scene: Any) -> None:
    with pytest.raises(InputError, match="no volume is chosen"):
        classify([], "bright", lambda event: None)
