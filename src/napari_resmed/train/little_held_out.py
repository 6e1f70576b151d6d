"""Whether so little is held out that the Dice on it is hardly a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from napari_resmed.train.store import Prepared

__all__ = ["Shown", "shown_in", "why_hardly"]

# Of fewer voxels a single one moves the Dice by half a hundredth or more.
LEAST_VOXELS = 100
# Structures that are named; the others are counted.
NAMED = 3

# By structure: voxels, and slices they lie on.
Shown = Mapping[int, tuple[int, int]]


def shown_in(case: Prepared) -> Shown:
    """How much of every structure that was looked for a case shows.

    Returns
    -------
    mapping
        By the structure's class: voxels on the network's grid, up to 2000, and the slices on which they lie, along the
        axis on which these are the fewest.
    """
    return {
        number: (len(places), min(len(np.unique(places[:, axis])) for axis in range(3)))
        for number, places in case.places.items()
        if number > 0 and case.annotated[number]
    }


def why_hardly(shown: Iterable[Shown], names: Sequence[str]) -> str:
    """Which structures are judged by a single slice or a few voxels, in a sentence; empty where none is.

    Parameters
    ----------
    shown:
        Of all that is held out, as :func:`shown_in` gives it.
    names:
        Of the structures, class 1 first.
    """
    voxels, slices = dict.fromkeys(range(1, len(names) + 1), 0), dict.fromkeys(range(1, len(names) + 1), 0)
    for one in shown:
        for number, (more, on) in one.items():
            voxels[number] += more
            slices[number] += on
    little = []
    for number, name in enumerate(names, 1):
        if 0 < voxels[number] < LEAST_VOXELS:
            little.append(f"{voxels[number]} voxel{'s' * (voxels[number] > 1)} of {name}")
        elif slices[number] == 1:
            little.append(f"a single slice of {name}")
    if not little:
        return ""
    rest = f" and {len(little) - NAMED} more" if len(little) > NAMED else ""
    return (
        f"held out is no more than {', '.join(little[:NAMED])}{rest}, so its Dice is hardly a figure; "
        "paint more slices or add cases"
    )
