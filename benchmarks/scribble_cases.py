"""What a simulated user paints on: real images with real labels, and a head synthesised from a real label map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared import shared_data
from napari_resmed.io import read
from napari_resmed.volume import Volume

__all__ = ["CASES", "Case"]

# Voxels around the structures that are shown: the peers take minutes for a whole volume.
AROUND = (12, 16, 16)
HEAD_NECK = {"brainstem": 1, "right parotid": 3, "left parotid": 4, "mandible": 7}
ORGANS_CT = {"liver": 5, "spleen": 1, "right kidney": 2, "left kidney": 3, "stomach": 6, "aorta": 52}
ORGANS_MR = {"liver": 5, "spleen": 1, "right kidney": 2, "left kidney": 3, "stomach": 6, "aorta": 23}
# Of brain-mr's, left and right together.
DEEP = ("lateral ventricle", "thalamus", "caudate", "putamen", "pallidum")


@dataclass(frozen=True, eq=False)
class Case:
    """An image, and what a user has in mind: 1.. the structures, the last value the background."""

    name: str
    image: Volume
    truth: NDArray[np.uint8]
    structures: tuple[str, ...]

    @property
    def background(self) -> int:
        return len(self.structures) + 1


def _case(name: str, image: Volume, labels: NDArray, structures: dict[str, int]) -> Case:
    truth = np.full(labels.shape, len(structures) + 1, np.uint8)
    for number, value in enumerate(structures.values(), 1):
        truth[labels == value] = number
    there = np.argwhere(truth <= len(structures))
    low = np.maximum(0, there.min(0) - AROUND)
    high = np.minimum(truth.shape, there.max(0) + 1 + AROUND)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    affine = image.affine.copy()
    affine[:, 3] = image.affine @ [*low, 1]
    cut = Volume(np.array(image.data[box]), affine, "zyx", image.modality, name)
    return Case(name, cut, truth[box].copy(), tuple(structures))


def _from_files(name: str, image: Path, labels: Path, structures: dict[str, int]) -> Case:
    return _case(name, read(image), np.asarray(read(labels).data), structures)


def _hippocampus(number: str) -> Case:
    folder, file = shared_data() / "hippocampus", f"hippocampus_{number}.nii.gz"
    parts = {"anterior": 1, "posterior": 2}
    return _from_files(f"hippocampus {number}", folder / "images" / file, folder / "labels" / file, parts)


def _head_neck(number: int) -> Case:
    folder, file = shared_data() / "headneck_ct", f"pt_{number}.nii.gz"
    return _from_files(f"head and neck {number}", folder / "images" / file, folder / "labels" / file, HEAD_NECK)


def _body(kind: str) -> Case:
    folder, mr = shared_data() / "body", kind == "mr"
    labels = folder / ("example_seg_mr.nii.gz" if mr else "example_seg.nii.gz")
    return _from_files(f"body {kind}", folder / f"example_{kind}_sm.nii.gz", labels, ORGANS_MR if mr else ORGANS_CT)


def _brain(seed: int) -> Case:
    from recipes.brain_mr.anatomy import kind_value, read_head
    from recipes.brain_mr.images import synthesised
    from recipes.brain_mr.measure import without_sides

    head = read_head(shared_data() / "brain_labelmaps" / "training_seg_15.nii.gz")
    image = synthesised(head, "T1", seed, skull=False)
    return _case(f"brain {seed}", image.volume, without_sides(image.truth), {kind: kind_value(kind) for kind in DEEP})


CASES: dict[str, Callable[[], Case]] = {
    "hippocampus-003": lambda: _hippocampus("003"),
    "hippocampus-007": lambda: _hippocampus("007"),
    "hippocampus-015": lambda: _hippocampus("015"),
    "head-neck-4": lambda: _head_neck(4),
    "head-neck-17": lambda: _head_neck(17),
    "body-ct": lambda: _body("ct"),
    "body-mr": lambda: _body("mr"),
    "brain": lambda: _brain(10_001),
    "brain-2": lambda: _brain(10_002),
}
