from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.io.overlap import Piece, crop, pack


def pieces_of(masks: dict[int, np.ndarray]) -> dict[int, dict[int, Piece]]:
    found = {value: {plane: crop(part) for plane, part in enumerate(mask)} for value, mask in masks.items()}
    return {value: {plane: piece for plane, piece in parts.items() if piece} for value, parts in found.items()}


def bars(spans: dict[int, tuple[int, int]]) -> dict[int, np.ndarray]:
    """One row of voxels; each structure covers a span of it."""
    masks = {}
    for value, (start, end) in spans.items():
        masks[value] = np.zeros((1, 1, 20), bool)
        masks[value][..., start:end] = True
    return masks


class TestCrop:
    def test_nothing(self) -> None:
        assert crop(np.zeros((3, 4), bool)) is None

    def test_the_smallest_box(self) -> None:
        mask = np.zeros((5, 6), bool)
        mask[1, 2] = mask[3, 4] = True
        piece = crop(mask, 10, 20)
        assert piece is not None
        assert (piece.row, piece.column, piece.mask.shape) == (11, 22, (3, 3))


class TestPack:
    def test_apart_is_one_map(self) -> None:
        layers = pack(pieces_of(bars({1: (0, 5), 2: (5, 9), 7: (9, 20)})), (1, 1, 20))
        assert [values for _, values in layers] == [(1, 2, 7)]

    def test_as_few_maps_as_possible(self) -> None:
        # 1-2-3-4 overlap in a chain: taken in the order 1, 4, 2, 3 a careless packing needs three maps.
        masks = bars({1: (0, 5), 3: (4, 9), 4: (8, 13), 2: (12, 17)})
        assert len(pack(pieces_of(masks), (1, 1, 20))) == 2

    def test_a_structure_without_voxels_keeps_its_value(self) -> None:
        assert [values for _, values in pack({3: {}, 4: {}}, (1, 2, 2))] == [(3, 4)]

    @given(st.integers(0, 2**32 - 1), st.integers(1, 6))
    def test_nothing_is_lost(self, seed: int, count: int) -> None:
        rng = np.random.default_rng(seed)
        masks = {value * 50: rng.random((3, 5, 4)) < rng.random() for value in range(1, count + 1)}
        layers = pack(pieces_of(masks), (3, 5, 4))
        assert sorted(value for _, values in layers for value in values) == sorted(masks)
        for array, values in layers:
            for value in values:
                assert np.array_equal(array == value, masks[value])
