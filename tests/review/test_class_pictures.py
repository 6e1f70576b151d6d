from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from napari_resmed.case import Case, Dataset
from napari_resmed.review.class_pictures import case_picture
from napari_resmed.volume import Volume


def drawn(*images: Volume | Path, channels: tuple[str, ...] = ("image",)) -> np.ndarray | None:
    case = Case("a", images)
    png = case_picture(case, Dataset((case,), channels=channels))
    return None if png is None else imread(io.BytesIO(png))[..., 0]


def test_the_middle_slice_of_a_volume_lying_as_a_patient_does() -> None:
    # Stored from front to back: slices run from anterior to posterior, rows from head to feet.
    data = np.zeros((8, 10, 6), np.float32)
    data[:, 4:6, :3] = 1
    data[:4, 4:6, 3:] = 0.5
    affine = np.array([[0.0, 0, 2, 0], [2, 0, 0, 0], [0, -2, 0, 0], [0, 0, 0, 1]])
    shown = drawn(Volume(data, affine))
    assert shown is not None
    assert shown.shape == (240, 180)
    # The axial slice in the middle: all of it, anterior above.
    assert shown[:, 20].min() > 0.95
    assert 0.4 < shown[40, 160] < 0.6
    assert shown[200, 160] < 0.05


def test_modalities_side_by_side_and_wide_voxels_wide() -> None:
    wide = Volume(np.random.default_rng(0).random((1, 20, 20)), np.diag([1.0, 1, 2, 1]))
    shown = drawn(wide, wide, channels=("T1", "T2"))
    assert shown is not None
    assert shown.shape == (120, 480)


def test_what_is_gone_has_none(tmp_path: Path) -> None:
    assert drawn(tmp_path / "gone.nii.gz") is None
