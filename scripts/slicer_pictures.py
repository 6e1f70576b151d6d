"""``python -m scripts.slicer_pictures segment IMAGE MODEL``, ``... train``, ``... classify``: those of docs/slicer.md.

Run in the environment of ``make test-slicer``. A scene is filled by the module, then drawn by Slicer's own views
without a window. The first picture is of any image and model; for the others volumes are made up, which the module
learns from: to segment what was painted in them, or to tell them apart.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "slicer_module" / "ResMed"))

from tests.slicer import shim

shim.start()

import numpy as np
import slicer

from ResMedLib.cases import TrainCase
from ResMedLib.class_cases import ClassCase
from ResMedLib.classify import classify
from ResMedLib.engines import close_engines
from ResMedLib.segment import segment
from ResMedLib.train import train
from ResMedLib.train_classes import train_classes
from scripts.slicer_views import VIEWS, draw_3d, draw_chart, draw_slice, joined
from tests.train import small
from tests.train.classify.small import QUICK, network

IMAGES = ROOT / "docs" / "images"
HALF = 0.5
AROUND = {f"{side} cerebral {part}" for side in ("left", "right") for part in ("cortex", "white matter")}
AROUND.add("extra-cerebral CSF")
# Made-up volumes: voxels along an edge, their edge in mm, how many of each kind.
SIZE, SPACING, OF_EACH = 24, 6.0, 12
# A tiny network and few steps are enough for them.
PLAN = {**QUICK, "steps": 80, "arguments": network(spatial_dims=3)}
# Kinds of a spot, and how far it reaches along z, y and x in voxels. It is of one brightness and size in all that are
# told apart: the difference lies there and nowhere else.
ROUND, LYING, UPRIGHT = "round", "lying", "upright"
REACH = {ROUND: (2.2, 2.2, 2.2), LYING: (1.6, 1.6, 3.6), UPRIGHT: (3.6, 1.6, 1.6)}
CASES = 6
UNET = {**small.LITTLE_NETWORK, "channels": [8, 16, 32], "strides": [2, 2]}
SEGMENT_PLAN = {**small.QUICK, "steps": 240, "check_every": 20, "patch": [SIZE] * 3, "arguments": UNET}
COLOURS = {"body": (0.34, 0.71, 0.91), "spot": (0.9, 0.62, 0.0)}


def segment_picture(image: str, model: str) -> None:
    """Segment, and draw slices and surfaces."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(image)
    storage.ReadData(node)
    node.CreateDefaultDisplayNodes()
    made = segment([node], model, _nobody, device="cpu").wait().result
    made.segmentation.CreateClosedSurfaceRepresentation()
    display = made.segmentation.GetDisplayNode()
    for number in range(made.segmentation.GetSegmentation().GetNumberOfSegments()):
        key = made.segmentation.GetSegmentation().GetNthSegmentID(number)
        # What lies around everything else hides it; on the slices it is seen.
        if made.segmentation.GetSegmentation().GetSegment(key).GetName() in AROUND:
            display.SetSegmentVisibility3D(key, False)
    slices = [draw_slice(name, node) for name in VIEWS]
    joined([slices[0], draw_3d(made.segmentation), *slices[1:]]).save(IMAGES / "slicer_segment.png", optimize=True)


def classify_picture() -> None:
    """Learn to tell made-up volumes by the shape of a bright spot, and draw where the model looks."""
    cases = [ClassCase(made_up(kind, seed).node, kind) for seed in range(OF_EACH) for kind in (LYING, UPRIGHT)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RESMED_MODELS"] = folder
        trained = train_classes(cases, "spots", _tell, minutes=None, device="cpu", plan=PLAN).wait()
        print(trained)
        new = made_up(UPRIGHT, 1000)
        result = classify([new.node], "spots", _nobody, device="cpu", explain=True).wait().result
        print("it is", *result.predicted)
    (heat,) = result.overlays
    views = [draw_slice(name, new.node, heat, new.spot) for name in VIEWS]
    joined(views).save(IMAGES / "slicer_classify.png", optimize=True)


def train_picture() -> None:
    """Learn from what is painted in made-up volumes: one of them, the curves, and what the model makes of another."""
    known = [made_up(ROUND, seed) for seed in range(CASES)]
    cases = [TrainCase(painted(one), (one.node,)) for one in known]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RESMED_MODELS"] = folder
        print(train(cases, "spots", _tell, minutes=None, device="cpu", plan=SEGMENT_PLAN).wait())
        views = [draw_slice("Red", known[0].node, at=known[0].spot, segmentation=cases[0].segmentation)]
        views.append(draw_chart(slicer.util.getFirstNodeByClassByName("vtkMRMLPlotChartNode", "spots training")))
        new = made_up(ROUND, 1000)
        made = segment([new.node], "spots", _nobody, device="cpu").wait().result
        views.append(draw_slice("Red", new.node, at=new.spot, segmentation=made.segmentation))
    joined(views).save(IMAGES / "slicer_train.png", optimize=True)


@dataclass(frozen=True)
class MadeUp:
    """A volume node, the middle of its spot in RAS, and what is what in it, ``(z, y, x)``."""

    node: Any
    spot: np.ndarray
    masks: dict[str, np.ndarray]


def painted(one: MadeUp) -> Any:
    """Its segmentation, as the Segment Editor leaves it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{one.node.GetName()} painted")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(one.node)
    for name, mask in one.masks.items():
        key = node.GetSegmentation().AddEmptySegment(name, name, COLOURS[name])
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, key, one.node)
    return node


def made_up(kind: str, seed: int) -> MadeUp:
    """A grey egg with blurred texture in noise, and a bright spot in it of some kind."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"), -1).astype(float)
    middle = SIZE / 2 + rng.uniform(-1, 1, 3)
    egg = (((index - middle) / (SIZE * np.array([0.42, 0.4, 0.33]))) ** 2).sum(-1) < 1
    texture = rng.normal(0, 1, (SIZE // 4,) * 3).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    voxels = rng.normal(10, 3, egg.shape) + egg * (60 + 8 * texture)
    way = rng.normal(size=3)
    spot = middle + way / np.linalg.norm(way) * SIZE * 0.18
    brightness = np.exp(-(((index - spot) / REACH[kind]) ** 2).sum(-1) / 2)
    voxels += 90 * brightness
    matrix = np.diag([SPACING, SPACING, SPACING, 1.0])
    node = slicer.util.addVolumeFromArray(voxels.astype(np.float32), ijkToRAS=matrix, name=f"{kind} {seed}")
    node.CreateDefaultDisplayNodes()
    bright = brightness > HALF
    return MadeUp(node, spot[::-1] * SPACING, {"body": egg & ~bright, "spot": bright})


def _nobody(_: Any) -> None:
    """Listen to nothing."""


def _tell(event: Any) -> None:
    if hasattr(event, "value"):
        print(event)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"segment": segment_picture, "train": train_picture, "classify": classify_picture}[what](*arguments)
    close_engines()
