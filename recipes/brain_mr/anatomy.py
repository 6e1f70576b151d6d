"""What the brain recipe knows of anatomy: structures, label maps, intensities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from napari_resmed.train.synthesis import Anatomy, Intensities

# FreeSurfer values of the label maps, by structure of the model (left and right merged).
STRUCTURES: dict[str, tuple[int, ...]] = {
    "cerebral cortex": (3, 42),
    "cerebral white matter": (2, 41, 25, 57),  # 25 and 57 are lesions within white matter
    "lateral ventricle": (4, 5, 43, 44, 136, 137, 163, 164),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "brainstem": (16,),
    "cerebellar cortex": (8, 47),
    "cerebellar white matter": (7, 46),
    "third ventricle": (14,),
    "fourth ventricle": (15,),
    "extra-cerebral CSF": (24,),
    "accumbens": (26, 58),
    "ventral diencephalon": (28, 60),
}
CSF = 1 + list(STRUCTURES).index("extra-cerebral CSF")
# Label values of the maps that belong to no structure of the model but need an intensity of their own.
VESSELS, CHIASM, FIFTH_VENTRICLE = (30, 62), (85,), (72,)
OUTSIDE = (502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530)  # skull, skin, muscle, eyes, air, ...

# Rows of the intensity table: 0 background, 1.. the structures, then lesions and the rest.
LESION_ROW = len(STRUCTURES) + 1
VESSEL_ROW, CHIASM_ROW = LESION_ROW + 1, LESION_ROW + 2
FIRST_OUTSIDE_ROW = LESION_ROW + 3
ROWS = FIRST_OUTSIDE_ROW + len(OUTSIDE)

# Where a structure's T1 intensity lies between grey (0) and white matter (1), with its spread.
BETWEEN_GREY_AND_WHITE = {
    "thalamus": (0.55, 0.15),
    "caudate": (0.12, 0.12),
    "putamen": (0.32, 0.15),
    "pallidum": (0.78, 0.15),
    "hippocampus": (0.08, 0.10),
    "amygdala": (0.03, 0.10),
    "brainstem": (0.75, 0.15),
    "cerebellar cortex": (0.00, 0.12),
    "cerebellar white matter": (0.90, 0.12),
    "accumbens": (0.10, 0.12),
    "ventral diencephalon": (0.70, 0.15),
}


def row_of_value() -> dict[int, int]:
    """Row of the intensity table for every value in the label maps."""
    rows = {value: row for row, values in enumerate(STRUCTURES.values(), 1) for value in values}
    rows |= {25: LESION_ROW, 57: LESION_ROW}
    rows |= dict.fromkeys(VESSELS, VESSEL_ROW) | dict.fromkeys(CHIASM, CHIASM_ROW)
    rows |= dict.fromkeys(FIFTH_VENTRICLE, rows[14])
    return rows | {value: FIRST_OUTSIDE_ROW + k for k, value in enumerate(OUTSIDE)} | {0: 0}


def target_of_row() -> torch.Tensor:
    """uint8 ``(rows,)``: the structure the network must answer for each row."""
    target = torch.zeros(ROWS, dtype=torch.uint8)
    target[1 : len(STRUCTURES) + 1] = torch.arange(1, len(STRUCTURES) + 1)
    target[LESION_ROW] = 1 + list(STRUCTURES).index("cerebral white matter")
    return target


@dataclass(frozen=True)
class Head:
    """One label map as rows of the table, and the same as structures."""

    name: str
    anatomy: Anatomy


def read_head(path: Path) -> Head:
    """Read a label map into array order ``(z, y, x)`` pointing to Superior, Posterior, Left."""
    image = nib.load(path)
    start = nib.io_orientation(image.affine)
    turn = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt("SPL"))
    values = nib.orientations.apply_orientation(np.asarray(image.dataobj), turn).astype(np.int64)
    table = np.zeros(1024, np.uint8)
    for value, row in row_of_value().items():
        table[value] = row
    unknown = set(np.unique(values).tolist()) - set(row_of_value())
    if unknown:
        raise ValueError(f"{path.name} has the values {sorted(unknown)}, which the recipe does not know")
    rows = table[values]
    brain = (rows > 0) & (rows < FIRST_OUTSIDE_ROW)
    spots = np.argwhere(brain[::4, ::4, ::4]) * 4
    centre = (spots.min(0) + spots.max(0)) / 2
    return Head(path.name, Anatomy(torch.from_numpy(np.ascontiguousarray(rows)), 1.0, tuple(centre.tolist())))


def draw_t1(generator: torch.Generator) -> Intensities:
    """Intensities of one T1-like picture: bright white matter, grey between it and dark fluid.

    The order of the tissues is T1's; how far they lie apart varies as widely as that order allows.
    Tissue outside the brain may be anything.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    white = uniform(0.7, 1.0)
    grey = white * uniform(0.45, 0.82)
    fluid = grey * uniform(0.05, 0.65)
    names = list(STRUCTURES)
    mean = torch.zeros(ROWS)
    mean[0] = 0.0 if uniform(0, 1) < 0.7 else uniform(0, 0.15)
    mean[1 + names.index("cerebral cortex")] = grey
    mean[1 + names.index("cerebral white matter")] = white
    for name in ("lateral ventricle", "third ventricle", "fourth ventricle", "extra-cerebral CSF"):
        mean[1 + names.index(name)] = fluid * uniform(0.8, 1.25)
    for name, (where, spread) in BETWEEN_GREY_AND_WHITE.items():
        place = where + spread * torch.randn((), generator=generator).item()
        mean[1 + names.index(name)] = grey + (white - grey) * place
    mean[LESION_ROW] = uniform(fluid, white)
    mean[VESSEL_ROW] = uniform(0, 1.3)
    mean[CHIASM_ROW] = uniform(grey, white)
    mean[FIRST_OUTSIDE_ROW:] = torch.rand(ROWS - FIRST_OUTSIDE_ROW, generator=generator) * uniform(0.3, 1.4)
    std = torch.rand(ROWS, generator=generator) * 0.06 * white
    std[0] *= 0.3 if uniform(0, 1) < 0.5 else 0.0
    std[FIRST_OUTSIDE_ROW:] *= 2
    return Intensities(mean.clamp_min(0), std)
