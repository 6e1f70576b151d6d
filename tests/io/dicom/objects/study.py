"""A study to segment: an image series on disk, as a scanner may write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from napari_resmed.geometry import Affine
from napari_resmed.io.dicom import Series, find_series, read_series, write_series
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume

PATIENT = "Zweifel^Xaver"


def write_image(folder: Path, affine: Affine, shape: tuple[int, int, int] = (6, 8, 9), **tags: Any) -> Series:
    """A CT series whose files have further tags; None removes one."""
    z, y, x = np.indices(shape)
    write_series(Volume((100 * z + 10 * y + x).astype(np.int16), affine, modality="CT", name="CT"), folder)
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        for tag, value in tags.items():
            if value is None:
                del header[tag]
            else:
                setattr(header, tag, value)
        header.save_as(path)
    return image_in(folder)


def image_in(folder: Path) -> Series:
    (series,) = [series for series in find_series(folder) if series.kind == "image"]
    return series


def object_in(folder: Path) -> Series:
    (series,) = [series for series in find_series(folder) if series.kind == "labels"]
    return series


LIVER = Label(
    3,
    "Léber, links",
    (221, 84, 84),
    Code("SCT", "10200004", "Liver"),
    modifier=Code("SCT", "7771000", "Left"),
)
MASS = Label(
    17,
    "Tumour",
    (1, 2, 254),
    Code("SCT", "4147007", "Mass"),
    Code("SCT", "49755003", "Morphologically Abnormal Structure"),
    None,
    Code("SCT", "23451007", "Adrenal gland"),
    Code("SCT", "24028007", "Right"),
)
NAMED = Label(1000, "no code", (255, 255, 255))
ABSENT = Label(1001, "nowhere", (0, 0, 0))


def draw_labels(image: Volume, seed: int = 0) -> LabelMap:
    """Labels on an image's grid, as a person draws them: nothing in the first slice, nor in one between."""
    rng = np.random.default_rng(seed)
    data = rng.choice([0, 0, 0, 3, 17, 1000], image.grid_shape).astype(np.uint16)
    data[0] = 0
    data[len(data) // 2] = 0
    data[-1, -1, -1] = 3
    return LabelMap(data, image.affine, name="drawn", labels=LabelSet((LIVER, MASS, NAMED, ABSENT)))


def drawn_over(series: Series, seed: int = 0) -> LabelMap:
    return draw_labels(read_series(series), seed)


def voxel_places(labels: Volume, value: int) -> np.ndarray:
    """Patient positions of a label's voxels, sorted."""
    places = np.argwhere(labels.data == value) @ labels.affine[:3, :3].T + labels.affine[:3, 3]
    return places[np.lexsort(places.round(2).T)]
