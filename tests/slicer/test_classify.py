from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
from ResMedLib.hierarchy import is_image, volumes_in
from ResMedLib.undo import undo
from tests.slicer import nodes
from tests.train.classify.small import network


@pytest.fixture(scope="module")
def bright(models: Path) -> Iterator[Path]:
    with classifier(models, "bright", ("image",)) as folder:
        yield folder


@pytest.fixture(scope="module")
def two(models: Path) -> Iterator[Path]:
    """Of two channels."""
    with classifier(models, "two", ("T1", "FLAIR")) as folder:
        yield folder


@contextmanager
def classifier(models: Path, name: str, channels: tuple[str, ...]) -> Iterator[Path]:
    """A 3D network of random weights: what it says is as good as any."""
    plan = ClassPlan(
        name=name, classes=("dark", "bright"), channels=channels, network="ImageClassifier",
        arguments=network(spatial_dims=3, dropout=0.0, in_channels=len(channels)),
        preparation=Preparation((1.0, 1.0, 1.0), percentiles=(0, 100)),
        patch=(16, 16, 16), fit="whole", batch=2, training=("a",), held_out=("b",), steps=1, mirror_axes=(2,),
    )  # fmt: skip
    torch.manual_seed(0)
    made = build_network(plan.network, plan.arguments).eval()
    model = plan.model(temperature=2.0, training={})
    save_model(model, made.state_dict(), models / name, card="", licence="")
    yield models / name
    shutil.rmtree(models / name)  # the panel lists what is there


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
    assert cells(made.table)[0][2:4] == ["nan", "nan"]  # nothing is known of it, and not that it is neither


def test_what_a_model_answered_is_no_image(worker: Path, bright: Path) -> None:
    node = nodes.volume(nodes.bands(), name="one")
    item = nodes.folder("study", node)
    (heat,) = done([node], bright).overlays
    assert volumes_in(item) == [node]
    assert not is_image(heat)


def test_no_volume_is_refused(scene: Any) -> None:
    for nothing in ([], [[None, None]]):
        with pytest.raises(InputError, match="no volume is chosen"):
            classify(nothing, "bright", lambda event: None)


def test_a_frame_of_a_sequence(worker: Path, bright: Path) -> None:
    frames = [nodes.bands(), (3 * nodes.bands()[::-1]).astype(np.int16)]
    proxy, _ = nodes.sequence(frames)
    alone = done([nodes.volume(frames[1])], bright, explain=False)
    chosen, shown = (done([proxy], bright, explain=False, **more) for more in ({"frame": 1}, {}))
    assert cells(chosen.table)[0][2:4] == cells(alone.table)[0][2:4] != cells(shown.table)[0][2:4]
    assert cells(chosen.table)[0][0] == f"{proxy.GetName()} frame 1"


class TestChannels:
    def test_volumes_together_and_one_that_is_not_there(self, worker: Path, two: Path) -> None:
        first, second = (
            nodes.volume(nodes.bands(), name="one"),
            nodes.volume(nodes.bands((9, 9, 9)), np.eye(4), "other"),
        )
        made = done([[first, second], [None, second], second], two, explain=False)
        rows = cells(made.table)
        assert [row[0] for row in rows] == ["one + other", "other", "other"]
        assert rows[0][2:4] != rows[1][2:4]
        assert all(made.predicted[:2])
        assert rows[2][-1].startswith("not usable")  # which of the two it is nobody said

    def test_more_than_can_be_chosen_are_not_taken_for_missing(self, worker: Path, two: Path) -> None:
        some = nodes.volume(nodes.bands())
        with pytest.raises(InputError, match=r"3 volumes can be chosen and .* takes 2 \("):
            classify([[some, None, some]], str(two), lambda event: None)

    def test_the_heat_lies_in_the_volume_that_is_there(self, worker: Path, two: Path) -> None:
        composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
        second = nodes.volume(nodes.bands((9, 9, 9)), np.eye(4), "other")
        (heat,) = done([[None, second]], two).overlays
        assert slicer.util.arrayFromVolume(heat).shape == (9, 9, 9)
        assert composite.GetBackgroundVolumeID() == second.GetID()

    def test_a_vector_volume_is_all_of_them(self, worker: Path, two: Path) -> None:
        vector = nodes.volume(np.stack([nodes.bands(), nodes.bands() // 2], axis=-1))
        made = done([[vector, None]], two, explain=False)
        apart = [nodes.volume(nodes.bands()), nodes.volume(nodes.bands() // 2)]
        assert cells(made.table)[0][2:4] == cells(done([apart], two, explain=False).table)[0][2:4]
