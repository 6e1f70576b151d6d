"""What the brain recipe knows of anatomy: structures, label maps, left and right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from napari_resmed.train.synthesis import Anatomy

# FreeSurfer values of the label maps: of the left and the right one, or of the only one.
Values = tuple[int, ...]
KINDS: dict[str, tuple[Values, Values] | tuple[Values]] = {
    "cerebral cortex": ((3,), (42,)),
    "cerebral white matter": ((2,), (41,)),
    "lateral ventricle": ((4, 5, 136, 137), (43, 44, 163, 164)),
    "thalamus": ((10,), (49,)),
    "caudate": ((11,), (50,)),
    "putamen": ((12,), (51,)),
    "pallidum": ((13,), (52,)),
    "hippocampus": ((17,), (53,)),
    "amygdala": ((18,), (54,)),
    "brainstem": ((16,),),
    "cerebellar cortex": ((8,), (47,)),
    "cerebellar white matter": ((7,), (46,)),
    "third ventricle": ((14,),),
    "fourth ventricle": ((15,),),
    "extra-cerebral CSF": ((24,),),
    "accumbens": ((26,), (58,)),
    "ventral diencephalon": ((28,), (60,)),
}
FLUIDS = ("lateral ventricle", "third ventricle", "fourth ventricle", "extra-cerebral CSF")
# Label values of the maps that belong to no structure of the model but need an intensity of their own.
LESIONS: tuple[Values, Values] = ((25,), (57,))  # within white matter, and answered as such
VESSELS, CHIASM, FIFTH_VENTRICLE = (30, 62), (85,), (72,)
# Edges of a cube may differ by so much, as headers are rounded.
UNEQUAL_MM = 1e-3
OUTSIDE = (502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530)  # skull, skin, muscle, eyes, air, ...


def _structures() -> dict[str, tuple[str, Values]]:
    found: dict[str, tuple[str, Values]] = {}
    for kind, sides in KINDS.items():
        names = (kind,) if len(sides) == 1 else (f"left {kind}", f"right {kind}")
        found |= {name: (kind, values) for name, values in zip(names, sides, strict=True)}
    return found


_STRUCTURES = _structures()
# The structures of the model, in the order of their values from 1, and what each is without its side.
STRUCTURES: tuple[str, ...] = tuple(_STRUCTURES)
KIND_OF: dict[str, str] = {name: kind for name, (kind, _) in _STRUCTURES.items()}

# Rows of the intensity table: 0 background, 1.. the structures, then lesions and the rest.
LESION_ROWS = (len(STRUCTURES) + 1, len(STRUCTURES) + 2)
VESSEL_ROW, CHIASM_ROW = len(STRUCTURES) + 3, len(STRUCTURES) + 4
FIRST_OUTSIDE_ROW = len(STRUCTURES) + 5
ROWS = FIRST_OUTSIDE_ROW + len(OUTSIDE)


def value_of(structure: str) -> int:
    """A structure's value, which is its row of the table as well."""
    return 1 + STRUCTURES.index(structure)


def kind_value(kind: str) -> int:
    """A kind's value where left and right are one: see :func:`recipes.brain_mr.measure.without_sides`."""
    return 1 + list(KINDS).index(kind)


CSF = value_of("extra-cerebral CSF")
CORTEX = (value_of("left cerebral cortex"), value_of("right cerebral cortex"))


def row_of_value() -> dict[int, int]:
    """Row of the intensity table for every value in the label maps."""
    rows = {value: row for row, (_, values) in enumerate(_STRUCTURES.values(), 1) for value in values}
    for row, values in zip(LESION_ROWS, LESIONS, strict=True):
        rows |= dict.fromkeys(values, row)
    rows |= dict.fromkeys(VESSELS, VESSEL_ROW) | dict.fromkeys(CHIASM, CHIASM_ROW)
    rows |= dict.fromkeys(FIFTH_VENTRICLE, value_of("third ventricle"))
    return rows | {value: FIRST_OUTSIDE_ROW + k for k, value in enumerate(OUTSIDE)} | {0: 0}


def target_of_row() -> torch.Tensor:
    """uint8 ``(rows,)``: the structure the network must answer for each row."""
    target = torch.zeros(ROWS, dtype=torch.uint8)
    target[1 : len(STRUCTURES) + 1] = torch.arange(1, len(STRUCTURES) + 1)
    for row, side in zip(LESION_ROWS, ("left", "right"), strict=True):
        target[row] = value_of(f"{side} cerebral white matter")
    return target


def other_side() -> torch.Tensor:
    """uint8 ``(rows,)``: the row of the same thing on the other side, of the unpaired their own."""
    other = torch.arange(ROWS, dtype=torch.uint8)
    pairs = [(value_of(f"left {kind}"), value_of(f"right {kind}")) for kind, sides in KINDS.items() if len(sides) == 2]
    for left, right in (*pairs, LESION_ROWS):
        other[left], other[right] = right, left
    return other


@dataclass(frozen=True)
class Head:
    """One label map as rows of the table.

    Parameters
    ----------
    name:
        Of its file.
    anatomy:
        Array order ``(z, y, x)`` pointing to Superior, Posterior, Left.
    """

    name: str
    anatomy: Anatomy

    def to(self, device: torch.device) -> Head:
        """The same on a device."""
        return replace(self, anatomy=replace(self.anatomy, labels=self.anatomy.labels.to(device)))

    def mirrored(self) -> Head:
        """The head that it would be in a mirror, with left and right told as they are then."""
        labels = other_side()[self.anatomy.labels.flip(2).to(torch.int32)]
        z, y, x = self.anatomy.centre
        return Head(self.name, Anatomy(labels, self.anatomy.spacing_mm, (z, y, labels.shape[2] - 1 - x)))


def read_head(path: Path) -> Head:
    """Read a label map.

    Raises
    ------
    ValueError
        If it has values that the recipe does not know, or voxels that are no cubes.
    """
    image = nib.load(path)
    edges = nib.affines.voxel_sizes(image.affine)
    if np.ptp(edges) > UNEQUAL_MM:
        said = " x ".join(f"{mm:.4g}" for mm in edges)
        raise ValueError(f"{path.name} has voxels of {said} mm, expected cubes; resample it")
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
    spacing_mm = round(float(edges.mean()), 4)
    return Head(path.name, Anatomy(torch.from_numpy(np.ascontiguousarray(rows)), spacing_mm, tuple(centre.tolist())))
