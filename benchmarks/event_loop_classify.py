"""How long is the window's event loop held while an image is classified, and classes are typed? (at most 100 ms)

As ``event_loop``: from the click to the answer and its heat map being there, and from then until they are drawn, on the
MNI152 template, by a network of random weights; then a class is typed for each of fifty pictures in the Train dock.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import napari
import numpy as np
import torch

from benchmarks.event_loop import Pulse, click, report, spin
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.classify.plan import ClassPlan

PICTURES = 50


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.environ["RESMED_MODELS"] = place
        save(Path(place) / "any")
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1500, 940)
        classifying(viewer)
        viewer.layers.clear()
        typing(viewer)
        viewer.close()


def classifying(viewer: napari.Viewer) -> None:
    dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Classify")
    viewer.open_sample("napari-resmed", "mni152")
    spin(lambda: False, 3)
    pulse = Pulse()
    spin(lambda: False, 5)
    report("idle window", pulse)
    for run in ("first click", "second click"):
        during = click(widget, pulse)
        report(f"{run}, classifying", pulse, stop=during)
        report(f"{run}, heat drawn", pulse, start=during)
    pulse.restart()
    widget.answer.slice_button.click()
    spin(lambda: False, 1)
    report("go to the slice", pulse)
    viewer.window.remove_dock_widget(dock)


def typing(viewer: napari.Viewer) -> None:
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        viewer.add_image(rng.integers(0, 255, (64, 64), np.uint8), name=f"picture {number}", visible=False)
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
    spin(lambda: False, 2)
    pulse = Pulse()
    widget.task_choice.setCurrentIndex(1)
    spin(lambda: False, 1)
    report("other kind of training", pulse)
    pulse.restart()
    for row in range(PICTURES):
        widget.source.rows.item(row, 1).setText(("well", "ill")[row % 2])
        spin(lambda: False, 0.05)
    report(f"typing {PICTURES} classes", pulse)


def save(folder: Path) -> None:
    arguments = {
        "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "backbone": "resnet10",
        "backbone_arguments": {"features": [16, 32, 64, 128], "halvings": 1},
    }  # fmt: skip
    plan = ClassPlan(
        name="any", classes=("well", "ill"), channels=("MR",), network="ImageClassifier", arguments=arguments,
        preparation=Preparation((4.5, 4.5, 4.5)), patch=(44, 52, 42), fit="whole", batch=2, training=("x",),
        held_out=("y",), steps=1,
    )  # fmt: skip
    torch.manual_seed(0)
    weights = build_network(plan.network, arguments).state_dict()
    weights["head.weight"].abs_()  # so that some place speaks for every class
    save_model(plan.model(), weights, folder, card="", licence="")


if __name__ == "__main__":
    main()
