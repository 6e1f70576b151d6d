"""``python -m scripts.slicer_pictures segment IMAGE MODEL``, ``... classify``: the pictures of docs/slicer.md.

Run in the environment of ``make test-slicer``. A scene is filled by the module, then drawn by Slicer's own views
without a window. The first picture is of any image and model; for the second, volumes are made up, and a classifier
that the module trains on them shows where it looks.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "slicer_module" / "ResMed"))

from tests.slicer import shim

shim.start()

import numpy as np
import slicer

from ResMedLib.class_cases import ClassCase
from ResMedLib.classify import classify
from ResMedLib.engines import close_engines
from ResMedLib.segment import segment
from ResMedLib.train_classes import train_classes
from scripts.slicer_views import VIEWS, draw_3d, draw_slice, joined
from tests.train.classify.small import QUICK, network

IMAGES = ROOT / "docs" / "images"
AROUND = {"cerebral cortex", "cerebral white matter", "extra-cerebral CSF"}
# Made-up volumes: voxels along an edge, their edge in mm, how many of each kind.
SIZE, SPACING, OF_EACH = 24, 6.0, 12
# A tiny network and few steps are enough for them.
PLAN = {**QUICK, "steps": 60, "arguments": network(spatial_dims=3)}
WITH, WITHOUT = "with a spot", "without"


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
    """Learn to tell made-up volumes with a bright spot from those without, and draw where the model looks."""
    cases = [ClassCase(made_up(kind, seed)[0], kind) for seed in range(OF_EACH) for kind in (WITH, WITHOUT)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RESMED_MODELS"] = folder
        trained = train_classes(cases, "spots", _tell, minutes=None, device="cpu", plan=PLAN).wait()
        print(trained)
        node, spot = made_up(WITH, 1000)
        result = classify([node], "spots", _nobody, device="cpu", explain=True, layer="layer3").wait().result
        print("it is", *result.predicted)
    (heat,) = result.overlays
    joined([draw_slice(name, node, heat, spot) for name in VIEWS]).save(IMAGES / "slicer_classify.png", optimize=True)


def made_up(kind: str, seed: int) -> tuple[Any, np.ndarray]:
    """A volume node: a grey egg with blurred texture in noise, with or without a bright spot; and the spot in RAS."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"), -1).astype(float)
    middle = SIZE / 2 + rng.uniform(-1, 1, 3)
    egg = (((index - middle) / (SIZE * np.array([0.42, 0.4, 0.33]))) ** 2).sum(-1) < 1
    texture = rng.normal(0, 1, (SIZE // 4,) * 3).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    voxels = rng.normal(10, 3, egg.shape) + egg * (60 + 8 * texture)
    way = rng.normal(size=3)
    spot = middle + way / np.linalg.norm(way) * SIZE * 0.18
    if kind == WITH:
        voxels += 90 * np.exp(-((index - spot) ** 2).sum(-1) / (2 * 2.2**2))
    matrix = np.diag([SPACING, SPACING, SPACING, 1.0])
    node = slicer.util.addVolumeFromArray(voxels.astype(np.float32), ijkToRAS=matrix, name=f"{kind} {seed}")
    node.CreateDefaultDisplayNodes()
    return node, spot[::-1] * SPACING


def _nobody(_: Any) -> None:
    """Listen to nothing."""


def _tell(event: Any) -> None:
    if hasattr(event, "value"):
        print(event)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"segment": segment_picture, "classify": classify_picture}[what](*arguments)
    close_engines()
