"""Where a test's voxels lie: every axis order, oblique, sheared."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_resmed.geometry import Affine

# Every way three array axes can lie along three patient axes: 6 permutations, 8 flips.
AXIS_ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def axis_order_name(case: tuple[tuple[int, int, int], tuple[int, int, int]]) -> str:
    order, signs = case
    return "".join(f"{'+-'[sign < 0]}{'xyz'[axis]}" for axis, sign in zip(order, signs, strict=True))


def make_affine(
    order: tuple[int, int, int] = (2, 1, 0),
    signs: tuple[int, int, int] = (1, 1, 1),
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shear: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Affine:
    """Array axis k runs along patient axis ``order[k]``, then everything is sheared and turned."""
    columns = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        columns[world, axis] = sign
    slant = np.eye(3)
    slant[0, 1], slant[0, 2], slant[1, 2] = shear
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ columns @ slant * spacing_mm
    affine[:3, 3] = origin_mm
    return affine


def _between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


def affines(*, most_degrees: float = 180.0, most_shear: float = 0.5) -> st.SearchStrategy[Affine]:
    """Any grid a scanner or a converter may write, of either handedness."""
    turn = st.one_of(st.just(0.0), _between(-most_degrees, most_degrees))
    slant = st.one_of(st.just(0.0), _between(-most_shear, most_shear))
    return st.builds(
        lambda case, spacing_mm, origin_mm, degrees, shear: make_affine(
            *case, spacing_mm=spacing_mm, origin_mm=origin_mm, degrees=degrees, shear=shear
        ),
        st.sampled_from(AXIS_ORDERS),
        st.tuples(*[_between(0.2, 8.0)] * 3),
        st.tuples(*[_between(-500.0, 500.0)] * 3),
        st.tuples(turn, turn, turn),
        st.tuples(slant, slant, slant),
    )


def shapes(most: int = 6) -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(*[st.integers(1, most)] * 3)


def world(affine: Affine, index: np.ndarray) -> np.ndarray:
    """Patient positions ``(n, 3)`` of indices ``(n, 3)``, written out so that a test does not lean on the house."""
    return np.asarray(index) @ affine[:3, :3].T + affine[:3, 3]
