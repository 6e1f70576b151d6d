"""``python -m scripts.viewer_pictures [PICTURE...]``: napari's window in the docs.

A real window (Xvfb is enough: ``xvfb-run -a -s "-screen 0 1600x1000x24" python -m scripts.viewer_pictures``). The
MNI152 template is segmented, and a painted ball is learnt in it; classes are typed for a few made-up scans, and a model
that learnt from others like them says what one is and why.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtTest import QTest
from scipy.ndimage import gaussian_filter

from benchmarks.shared import finish
from napari_resmed.io import read, write
from napari_resmed.io.samples import mni152_template
from napari_resmed.jobs.train import train
from napari_resmed.viewer.layers import volume_to_layer
from napari_resmed.volume import Volume

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE, WIDE = (1240, 780), (1500, 940)
LEARNT, STEPS = 120, 400
# Less sure of what is there, the answer is no example of anything.
SURE = 0.9
KINDS = ("clear", "nodule")
# Of a scan, in voxels of 2 mm, and as the network sees it.
SHAPE, SEEN = (32, 64, 64), [16, 32, 32]
# Of the template, in voxels, and when the picture of its training is taken, as a share of the time.
BALL, BALL_RADIUS = (85, 128, 98), 12.5
TRAINING_MINUTES, SHOWN_AT = 2.0, 0.8
# Until napari has drawn what is new.
SETTLE_MS = 1500


def main(names: list[str]) -> None:
    """Draw the named pictures, or all."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["RESMED_MODELS"] = place
        for name in names or list(PICTURES):
            viewer = napari.Viewer(show=True)
            viewer.window.resize(*(WIDE if name in OF_TEMPLATE else SIZE))
            PICTURES[name](viewer, Path(place))
            QTest.qWait(SETTLE_MS)
            viewer.window.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False, flash=False)
            viewer.close()


def segment(viewer: napari.Viewer, _: Path) -> None:
    """The template's structures and their volumes."""
    _show_template(viewer)
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
    widget.start_button.click()
    _wait(lambda: not widget.is_running)


def train_painted(viewer: napari.Viewer, _: Path) -> None:
    """A ball that was painted on the template, while brain-mr learns it."""
    _show_template(viewer)
    image = viewer.layers[0]
    away = np.indices(image.data.shape) - np.array(BALL).reshape(3, 1, 1, 1)
    ball = ((away**2).sum(0) < BALL_RADIUS**2).astype(np.uint8)
    features = {"index": [0, 1], "structure": ["background", "lesion"]}
    place = {"scale": image.scale, "translate": image.translate, "units": image.units}
    viewer.add_labels(ball, name=f"{image.name} labels", features=features, **place)
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
    widget.options.base_choice.setCurrentIndex(widget.options.base_choice.findText("brain-mr"))
    widget.options.minutes.setValue(TRAINING_MINUTES)
    widget.train_button.click()
    QTest.qWait(round(SHOWN_AT * TRAINING_MINUTES * 60_000))


def classify(viewer: napari.Viewer, folder: Path) -> None:
    """A scan, what it is, and where that shows."""
    data = folder / "scans"
    data.mkdir()
    lines = ["path,class"]
    for number in range(LEARNT):
        write(scan(number), data / f"{number}.nii.gz")
        lines.append(f"{number}.nii.gz,{KINDS[number % 2]}")
    (data / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
    # A small network, as for a few seconds, and as many steps as it needs on any machine.
    changes = {"minutes": None, "steps": STEPS, "learning_rate": 0.004, "patch": SEEN}
    done = finish(train(data / "cases.csv", folder / "made-up", task="classify", minutes=0.3, plan=changes))
    _show(viewer, scan(1001))
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Classify")
    widget.start_button.click()
    _wait(lambda: not widget.is_running)
    said = widget.result or {"probabilities": {}}
    if said["probabilities"].get("nodule", 0) < SURE:
        raise SystemExit(f"too little was learnt for a picture: AUC {done.best_metric}, {said['probabilities']}")
    widget.answer.slice_button.click()


def train_classes(viewer: napari.Viewer, folder: Path) -> None:
    """Classes typed for the scans of a window."""
    for number in range(6):
        _show(viewer, scan(2000 + number))
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
    widget.task_choice.setCurrentIndex(1)
    rows = widget.source.rows
    for row, entry in enumerate(rows.rows):
        rows.item(row, 1).setText(KINDS[int(entry.image.name.split()[-1]) % 2])


OF_TEMPLATE: dict[str, Callable[[napari.Viewer, Path], None]] = {"segment": segment, "train": train_painted}
PICTURES = {**OF_TEMPLATE, "classify": classify, "train_classes": train_classes}


def scan(number: int) -> Volume:
    """A made-up trunk with two dark halves; in every second one a nodule lies in one of them."""
    rng = np.random.default_rng(number)
    z, y, x = (np.linspace(-1, 1, edge) for edge in SHAPE)
    z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
    wide = rng.uniform(0.8, 0.9)
    trunk = (x / wide) ** 2 + (y / 0.7) ** 2 < 1
    image = 0.15 + 0.55 * trunk + 0 * z
    for side in (-1, 1):
        middle = 0.4 * side + rng.normal(0, 0.02)
        image[((x - middle) / 0.3) ** 2 + (y / 0.5) ** 2 + (z / 0.9) ** 4 < 1] = 0.25
    image = image + 0.3 * gaussian_filter(rng.standard_normal(SHAPE), 2)
    if number % 2:
        place = rng.uniform(-0.5, 0.5), rng.uniform(-0.2, 0.2), rng.choice((-1, 1)) * rng.uniform(0.35, 0.45)
        away = ((z - place[0]) / 2) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2
        image = image + 0.6 * (away < rng.uniform(0.18, 0.24) ** 2)
    image = image + rng.normal(0, 0.03, SHAPE)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]]  # slices from the feet up
    return Volume((1000 * image).clip(0, None).astype(np.uint16), affine, "zyx", "", f"made-up scan {number % 1000}")


def _show_template(viewer: napari.Viewer) -> None:
    _show(viewer, read(mni152_template()))
    viewer.dims.set_current_step(0, BALL[0])


def _show(viewer: napari.Viewer, volume: Volume) -> None:
    data, attributes, _ = volume_to_layer(volume)
    viewer.add_image(data, **attributes)
    viewer.reset_view()


def _wait(done: Callable[[], bool]) -> None:
    while not done():
        QTest.qWait(50)


if __name__ == "__main__":
    main(sys.argv[1:])
