"""Random spatial transforms: rotation, scale, shear, shift, mirroring, bending."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.errors import InputError

__all__ = ["Deformation", "check_three", "normal", "normals", "random_coordinates", "uniform"]

Three = tuple[float, float, float]

# Places per control point of the finest field at which the fields are added.
NODES_PER_CONTROL = 2


@dataclass(frozen=True)
class Deformation:
    """Ranges of the random spatial transform.

    Parameters
    ----------
    rotation_deg:
        Twice the standard deviation of the angle about each axis.
    scale:
        By which share each axis is stretched or shortened at most; below 1.
    shear:
        Twice the standard deviation of the shear of each axis along each other, without unit.
    shift_mm:
        How far along each axis at most.
    elastic:
        Fields that bend, as ``(distance of the control points, standard deviation of their displacement at most)`` in
        mm: a coarse field changes the shape of the head, a fine one the shape of a structure.
    mirror:
        Whether every second image, by chance, is mirrored along x.

    Raises
    ------
    InputError
        If a range is below 0 or no number, ``scale`` is 1 or more, or control points have no distance.
    """

    rotation_deg: float = 20.0
    scale: float = 0.15
    shear: float = 0.08
    shift_mm: float = 20.0
    elastic: tuple[tuple[float, float], ...] = ((60.0, 4.0), (20.0, 1.2))
    mirror: bool = True

    def __post_init__(self) -> None:
        for name in ("rotation_deg", "scale", "shear", "shift_mm"):
            if not 0 <= (found := getattr(self, name)) < (1 if name == "scale" else math.inf):
                raise InputError(f"found {name} {found:g}, expected 0 or more{', below 1' * (name == 'scale')}")
        for distance_mm, std_mm in self.elastic:
            if not (0 < distance_mm < math.inf and 0 <= std_mm < math.inf):
                raise InputError(
                    f"found an elastic field of ({distance_mm:g}, {std_mm:g}), expected control points more than 0 mm "
                    "apart, displaced by 0 mm or more"
                )


def check_three(what: str, values: Sequence[float]) -> None:
    """Refuse what is not one number above 0 for each of the axes z, y, x.

    Raises
    ------
    InputError
        If it is not.
    """
    if len(values) != 3 or not all(0 < value < math.inf for value in values):
        said = ", ".join(f"{value:g}" for value in values)
        raise InputError(f"found {what} ({said}), expected three numbers above 0, along z, y, x")


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number between two."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def normal(std: float, generator: torch.Generator) -> float:
    """One number of a normal distribution around 0."""
    return std * torch.randn((), generator=generator).item()


def normals(shape: Sequence[int], generator: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
    """Numbers of a normal distribution on a device; on a GPU they are made there, from a seed that is drawn.

    Parameters
    ----------
    shape:
        Of what is returned.
    generator:
        Source of them, on the CPU.
    device:
        Where they are needed.
    """
    if torch.device(device).type == "cpu":
        return torch.randn(shape, generator=generator)
    there = torch.Generator(device).manual_seed(int(torch.randint(2**31, (), generator=generator)))
    return torch.randn(shape, generator=there, device=device)


def random_coordinates(
    shape: tuple[int, int, int],
    spacing_mm: Three,
    source_spacing_mm: Three,
    centre: Three,
    ranges: Deformation,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> tuple[list[Tensor], bool]:
    """Where a randomly deformed patch takes its voxels from.

    Parameters
    ----------
    shape, spacing_mm:
        The patch's grid ``(z, y, x)``.
    source_spacing_mm:
        Voxel edges of what it is cut from.
    centre:
        Index ``(z, y, x)`` in the source that comes to lie in the patch's middle, but for the shift.
    ranges:
        How far to rotate, scale, shear, shift and bend; mirroring is along x.
    generator:
        Source of every random choice.
    device:
        Where the indices are computed; the choices are the same on all.

    Returns
    -------
    list of Tensor
        Three float32 tensors of the given shape: index in the source along z, y, x; it may lie outside.
    bool
        Whether left and right are exchanged.

    Raises
    ------
    InputError
        If an edge of the grid or of a voxel is not above 0.
    """
    check_three("a patch of", shape)
    check_three("a spacing of", spacing_mm)
    check_three("a source spacing of", source_spacing_mm)
    matrix, mirrored = _random_matrix(ranges, generator)
    shift_mm = [uniform(-ranges.shift_mm, ranges.shift_mm, generator) for _ in range(3)]
    # Rotating is done in mm: on a grid of unequal edges it would shear otherwise.
    matrix = matrix * torch.tensor(spacing_mm)[None, :] / torch.tensor(source_spacing_mm)[:, None]
    axes = [torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2 for n in shape]
    bend = _elastic(shape, spacing_mm, ranges, generator, device)
    source = []
    for row in range(3):
        z, y, x = (matrix[row, k] * axes[k] for k in range(3))
        start = centre[row] + shift_mm[row] / source_spacing_mm[row]
        coordinate = z[:, None, None] + y[None, :, None] + (x + start)[None, None, :]
        if bend is not None:
            coordinate.add_(bend[row], alpha=1 / source_spacing_mm[row])
        source.append(coordinate)
    return source, mirrored


def _random_matrix(ranges: Deformation, generator: torch.Generator) -> tuple[Tensor, bool]:
    matrix = _rotation([math.radians(normal(ranges.rotation_deg / 2, generator)) for _ in range(3)])
    scale = torch.tensor([1 + uniform(-ranges.scale, ranges.scale, generator) for _ in range(3)])
    shear = torch.eye(3)
    for i in range(3):
        for j in range(3):
            if i != j:
                shear[i, j] = normal(ranges.shear / 2, generator)
    matrix = matrix @ shear @ torch.diag(scale)
    mirrored = ranges.mirror and uniform(0, 1, generator) < 0.5
    if mirrored:
        matrix = matrix @ torch.diag(torch.tensor([1.0, 1.0, -1.0]))
    return matrix, mirrored


def _rotation(angles_rad: list[float]) -> Tensor:
    matrix = torch.eye(3)
    for axis, angle in enumerate(angles_rad):
        turn = torch.eye(3)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        matrix = turn @ matrix
    return matrix


def _elastic(
    shape: tuple[int, int, int],
    spacing_mm: Three,
    ranges: Deformation,
    generator: torch.Generator,
    device: torch.device | str,
) -> Tensor | None:
    """A smooth displacement in mm, ``(3, z, y, x)``; None where nothing bends."""
    if not ranges.elastic:
        return None
    # The fields are added on a coarse grid and made fine once: that costs half of making each fine.
    finest_mm = min(distance for distance, _ in ranges.elastic) / NODES_PER_CONTROL
    nodes = [min(n, max(4, round(n * mm / finest_mm) + 1)) for n, mm in zip(shape, spacing_mm, strict=True)]
    total = torch.zeros((1, 3, *nodes))
    for distance_mm, std_mm in ranges.elastic:
        points = [max(4, round(n * mm / distance_mm) + 3) for n, mm in zip(shape, spacing_mm, strict=True)]
        control = torch.randn((1, 3, *points), generator=generator) * uniform(0, std_mm, generator)
        total += F.interpolate(control, size=nodes, mode="trilinear", align_corners=True)
    return F.interpolate(total.to(device), size=shape, mode="trilinear", align_corners=True)[0]
