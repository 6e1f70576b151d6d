"""The first thing anyone runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from qtpy.QtGui import QImage

from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template
from napari_resmed.labels import LabelMap


def test_demo_leaves_labels_volumes_and_a_picture(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "napari_resmed.cli", "demo", "-o", str(tmp_path), "--no-show"],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    labels, image = read(tmp_path / "mni152_brain-mr.nii.gz"), read(mni152_template())
    assert isinstance(labels, LabelMap)
    assert labels.same_grid(image)
    assert labels.labels[1].name == "left cerebral cortex"
    rows = (tmp_path / "mni152_volumes.csv").read_text().splitlines()
    assert rows[0] == "value,name,voxels,volume_ml"
    assert len(rows) == 31
    picture = QImage(str(tmp_path / "mni152_window.png")).convertToFormat(QImage.Format.Format_RGB888)
    assert picture.width() >= 1000
    bits = picture.constBits()
    bits.setsize(picture.sizeInBytes())
    pixels = np.frombuffer(bits, np.uint8).reshape(picture.height(), picture.bytesPerLine())
    pixels = pixels[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    # Structures are drawn in colour over a grey image: a window without them has next to no saturated pixels.
    saturated = (pixels.max(2).astype(int) - pixels.min(2)) > 60
    assert saturated.mean() > 0.05
