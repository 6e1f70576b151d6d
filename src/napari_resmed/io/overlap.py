"""Structures that may overlap, packed into as few label maps as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.labels import smallest_integer_type

__all__ = ["Piece", "crop", "pack"]


@dataclass(frozen=True)
class Piece:
    """What one structure covers of one plane: a mask ``(row, column)`` whose corner lies at ``row, column``."""

    row: int
    column: int
    mask: NDArray[np.bool_]

    @property
    def where(self) -> tuple[slice, slice]:
        """The rows and columns that the mask stands for."""
        rows, columns = self.mask.shape
        return slice(self.row, self.row + rows), slice(self.column, self.column + columns)


# By structure, then by plane.
Pieces = Mapping[int, Mapping[int, Piece]]


def crop(mask: NDArray[np.bool_], row: int = 0, column: int = 0) -> Piece | None:
    """The smallest piece that holds all of a mask whose corner lies at ``row, column``; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    # A copy: a view would keep the whole plane in memory.
    return Piece(row + top, column + left, mask[top : rows[-1] + 1, left : columns[-1] + 1].copy())


def pack(pieces: Pieces, shape: tuple[int, int, int]) -> list[tuple[NDArray[Any], tuple[int, ...]]]:
    """Put structures into label arrays so that none covers another.

    Structures are vertices of a graph, overlaps its edges, and arrays its colours: found by DSATUR, which is
    exact where two colours are enough.

    Parameters
    ----------
    pieces:
        What each structure covers, by its value (1 or more) and plane.
    shape:
        Of the arrays, ``(plane, row, column)``.

    Returns
    -------
    list of (array, values)
        At least one. The values are those of the structures in the array, ascending, also of those that
        cover nothing.
    """
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(sorted(pieces))
    graph.add_edges_from(_overlaps(pieces, shape[1:]))
    # Isolated vertices all get the first colour, so that no structure without overlap leaves the first map.
    colours = networkx.greedy_color(graph, strategy="DSATUR")
    layers = []
    for colour in range(max(colours.values(), default=0) + 1):
        values = tuple(value for value in sorted(pieces) if colours[value] == colour)
        array = np.zeros(shape, smallest_integer_type(max(values, default=0)))
        for value in values:
            for plane, piece in pieces[value].items():
                array[plane][piece.where][piece.mask] = value
        layers.append((array, values))
    return sorted(layers, key=lambda layer: layer[1])


def _overlaps(pieces: Pieces, shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of structures that share a voxel."""
    planes: defaultdict[int, list[int]] = defaultdict(list)
    for value, by_plane in pieces.items():
        for plane in by_plane:
            planes[plane].append(value)
    for plane, values in planes.items():
        if len(values) < 2:
            continue
        covered = np.zeros(shape, np.uint8)
        shared = np.zeros(shape, bool)
        for value in values:
            piece = pieces[value][plane]
            shared[piece.where] |= (covered[piece.where] > 0) & piece.mask
            covered[piece.where] |= piece.mask
        rows, columns = np.nonzero(shared)
        if not len(rows):
            continue
        there = np.stack([_at(pieces[value][plane], rows, columns) for value in values]).astype(np.float32)
        for a, b in np.argwhere(np.triu(there @ there.T, 1)):
            yield values[a], values[b]


def _at(piece: Piece, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the piece covers each of the points."""
    height, width = piece.mask.shape
    rows, columns = rows - piece.row, columns - piece.column
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    result = np.zeros(len(rows), bool)
    result[inside] = piece.mask[rows[inside], columns[inside]]
    return result
