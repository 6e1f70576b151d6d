"""Which axis of a NRRD file is space, time or channels, and where the voxels lie."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.nrrd.header import Fields
from napari_resmed.io.text_header import floats, integers

__all__ = ["Axes", "find_axes"]

# To the house's LPS. Others name no side of a patient, and are taken as LPS, as ITK does.
_SIGNS = {
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
}
_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "micron": 0.001, "microns": 0.001}
_COMPLEX = "complex"
_COLOURS = {"rgb-color": "RGB", "rgba-color": "RGBA"}
# A fourth axis that leans into space by more than this is no time axis.
_TIME_LEAN = 1e-6


@dataclass(frozen=True)
class Axes:
    """A letter of ``tczyx`` for each axis in the file's order, fastest first; place; notes; colour."""

    letters: str
    affine: geometry.Affine
    notes: tuple[str, ...]
    colour: str = ""


def find_axes(header: Fields, sizes: tuple[int, ...], name: str) -> Axes:
    """Tell axes and place.

    Raises
    ------
    InputError
        If the header contradicts itself, or there is no volume in it.
    """
    fields = header.fields
    count = len(sizes)
    kinds = [kind.lower() for kind in fields.get("kinds", "").split()] or ["???"] * count
    if len(kinds) != count:
        raise InputError(f"{name} is damaged: it says {len(kinds)} kinds for {count} axes")
    if _COMPLEX in kinds:
        raise InputError(f"{name} holds complex numbers, expected real ones; save the magnitude")
    columns, spatial, notes = _directions(header, sizes, kinds, name)
    if "spaceorigin" not in fields and "spacedirections" in fields:
        notes.append("the header states no origin; 0 was taken")
    if not 1 <= len(spatial) <= 3:
        raise InputError(f"{name} has {len(spatial)} axes in space, expected 2 or 3")
    letters = [""] * count
    weighted = header.pairs.get("modality", "").strip() == "DWMRI"
    for axis, letter in zip(spatial, "xyz", strict=False):
        letters[axis] = letter
    for axis in range(count):
        if not letters[axis]:
            # A list of diffusion weightings is what NIfTI has as time; any other may be anything.
            time = kinds[axis] == "time" or (weighted and kinds[axis] in ("list", "vector"))
            time = time or (kinds[axis] in ("???", "none", "domain", "space") and axis > 2)
            letters[axis] = "t" if time else "c"
    if len(set(letters)) < count:
        # Two of one sort: the slower one is the other sort.
        other = [axis for axis in range(count) if letters[axis] in "tc"]
        letters[other[0]], letters[other[-1]] = "c", "t"
        if len(set(letters)) < count:
            raise InputError(f"{name} has {count} dimensions {sizes}, expected at most space, time and channels")
    origin = _origin(header, len(columns), name)
    affine = _affine(columns, origin, len(spatial), name)
    colour = next((_COLOURS[kind] for kind in kinds if kind in _COLOURS), "")
    return Axes("".join(letters), affine, tuple(notes), colour)


def _directions(
    header: Fields, sizes: tuple[int, ...], kinds: list[str], name: str
) -> tuple[np.ndarray, list[int], list[str]]:
    """Columns (LPS mm) of the axes in space, which axes those are, and notes."""
    fields, notes = header.fields, []
    space = fields.get("space", "").lower()
    timed = space.endswith("-time") or space in ("rast", "last", "lpst")
    signs = _SIGNS.get(space.removesuffix("-time").removesuffix("t") if timed else space)
    if signs is None:
        signs = (1, 1, 1)
        notes.append("the header does not say which side is left; the axes of its space were taken as LPS")
    stated = re.findall(r"none|\([^)]*\)", fields.get("spacedirections", ""))
    if stated:
        if len(stated) != len(sizes):
            raise InputError(f"{name} is damaged: it says {len(stated)} directions for {len(sizes)} axes")
        vectors = {axis: _vector(text, name) for axis, text in enumerate(stated) if text != "none"}
        vectors = {axis: vector for axis, vector in vectors.items() if not np.isnan(vector).all()}
        lengths = {len(vector) for vector in vectors.values()}
        if len(lengths) != 1 or not lengths <= {2, 3, 4}:
            raise InputError(f"{name} is damaged: its space directions have {sorted(lengths)} numbers, expected 3")
        if lengths == {4}:
            vectors = _without_time(vectors, name)
        spatial = sorted(vectors)
        columns = np.array([vectors[axis] for axis in spatial]).T
    else:
        known = ("domain", "space", "???", "none")
        spatial = [axis for axis in range(len(sizes)) if kinds[axis] in known][:3]
        steps = floats(fields.get("spacings", ""), "spacings", name) or (1.0,) * len(sizes)
        if len(steps) != len(sizes):
            raise InputError(f"{name} is damaged: it says {len(steps)} spacings for {len(sizes)} axes")
        if not stated and "spacings" not in fields:
            notes.append("the header states no voxel sizes; 1 mm was taken")
        columns = np.diag([1.0 if np.isnan(steps[axis]) else steps[axis] for axis in spatial])
    columns = columns * np.array(signs[: len(columns)])[:, None] * _unit(header)
    return columns, spatial, notes


def _vector(text: str, name: str) -> np.ndarray:
    return np.array(floats(text.strip("()").replace(",", " "), "a direction", name))


def _without_time(vectors: dict[int, np.ndarray], name: str) -> dict[int, np.ndarray]:
    """Of four axes in space and time, the three in space."""
    time = [axis for axis, vector in vectors.items() if np.abs(vector[:3]).max() <= _TIME_LEAN * np.abs(vector[3])]
    space = {axis: vector[:3] for axis, vector in vectors.items() if axis not in time}
    if len(time) != 1 or any(abs(vectors[axis][3]) > _TIME_LEAN for axis in space):
        raise InputError(f"{name} has four axes mixed in space, expected three of space and one of time")
    return space


def _unit(header: Fields) -> float:
    units = re.findall(r'"([^"]*)"', header.fields.get("spaceunits", header.fields.get("units", "")))
    known = [_MM_PER_UNIT[unit.strip()] for unit in units if unit.strip() in _MM_PER_UNIT]
    return known[0] if known and len(set(known)) == 1 else 1.0


def _origin(header: Fields, space: int, name: str) -> np.ndarray:
    """In the header's own space, where it states one."""
    text = header.fields.get("spaceorigin", "")
    if not text:
        return np.zeros(3)
    vector = _vector(text, name)
    if len(vector) < space or len(vector) > 4:
        raise InputError(f"{name} is damaged: its space origin has {len(vector)} numbers, expected {space}")
    stated = header.fields.get("space", "").lower()
    signs = _SIGNS.get(stated) or _SIGNS.get(stated.removesuffix("-time")) or _SIGNS.get(stated[:3]) or (1, 1, 1)
    origin = np.zeros(3)
    origin[: min(3, len(vector))] = vector[:3]
    return origin * signs * _unit(header)


@np.errstate(all="ignore")  # what is not finite is refused
def _affine(columns: np.ndarray, origin: np.ndarray, count: int, name: str) -> geometry.Affine:
    """Ours; what is missing of three axes is a millimetre along the normal."""
    full = np.zeros((3, 3))
    full[: columns.shape[0], :count] = columns
    if count == 2:
        normal = np.cross(full[:, 0], full[:, 1])
        full[:, 2] = normal / (np.linalg.norm(normal) or 1.0)
    elif count == 1:
        full = np.diag([np.linalg.norm(full[:, 0]), 1.0, 1.0])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = full[:, ::-1], origin
    try:
        return geometry.check_affine(affine)
    except InputError as problem:
        raise InputError(f"{name}: {problem}") from problem


def sizes_of(header: Fields, name: str) -> tuple[int, ...]:
    """Sizes in the file's order.

    Raises
    ------
    InputError
        If they contradict the number of dimensions.
    """
    sizes = integers(header.fields.get("sizes", ""), "sizes", name)
    dimension = integers(header.fields.get("dimension", ""), "dimension", name)
    if len(dimension) != 1 or len(sizes) != dimension[0]:
        raise InputError(f"{name} is damaged: it says {len(sizes)} sizes for {list(dimension)} dimensions")
    return sizes
