"""Intensities of brains as MR shows them: by the usual sequences, and as none does."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from napari_resmed.train.deformation import uniform
from napari_resmed.train.synthesis import Intensities
from recipes.brain_mr.anatomy import (
    CHIASM_ROW,
    FIRST_OUTSIDE_ROW,
    FLUIDS,
    KIND_OF,
    KINDS,
    LESION_ROWS,
    ROWS,
    STRUCTURES,
    VESSEL_ROW,
)

# How often a training image is of each, and in the last stage, for T1 is what most people have. A network that saw only
# "any" knows no contrast well enough; one that saw only the usual ones fails where a scanner's differs.
CONTRASTS: Mapping[str, float] = {
    "T1": 0.36,
    "T1 with contrast agent": 0.08,
    "T2": 0.13,
    "PD": 0.07,
    "FLAIR": 0.12,
    "any": 0.24,
}
MOSTLY_T1: Mapping[str, float] = {
    "T1": 0.55,
    "T1 with contrast agent": 0.07,
    "T2": 0.12,
    "PD": 0.05,
    "FLAIR": 0.11,
    "any": 0.10,
}

# Where a structure's intensity lies between grey (0) and white matter (1), with its spread.
_BETWEEN_GREY_AND_WHITE = {
    "cerebral cortex": (0.0, 0.0),
    "cerebral white matter": (1.0, 0.0),
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
# Every row differs from its kind by this share at most, so left from right by twice as much: they lie elsewhere in the
# coil.
_SIDES_DIFFER = 0.02


def draw_contrast(shares: Mapping[str, float], generator: torch.Generator) -> str:
    """One of the contrasts, as often as it says there."""
    drawn = torch.multinomial(torch.tensor(list(shares.values())), 1, generator=generator)
    return list(shares)[int(drawn)]


def draw_intensities(contrast: str, generator: torch.Generator) -> Intensities:
    """Intensities of one picture.

    The order of the tissues is the sequence's; how far they lie apart varies as widely as that order allows. Tissue
    outside the brain may be anything.

    Parameters
    ----------
    contrast:
        One of :data:`CONTRASTS`; with ``"any"`` every structure has an intensity of its own, whatever its neighbours'.
    generator:
        Source of every random choice.
    """

    def between(low: float, high: float) -> float:
        return uniform(low, high, generator)

    vessels, spread = between(0, 1.3), 0.06
    if contrast in ("T1", "T1 with contrast agent"):
        white = between(0.7, 1.0)
        grey = white * between(0.45, 0.82)
        fluid = grey * between(0.05, 0.65)
        lesion = between(fluid, white)
        if contrast != "T1":
            vessels = white * between(1.0, 1.6)
            lesion = between(fluid, 1.4 * white)
    elif contrast == "T2":
        white = between(0.2, 0.5)
        grey = white * between(1.15, 1.8)
        fluid = between(max(grey * 1.15, 0.7), 1.1)
        lesion = between(white, fluid)
    elif contrast == "PD":
        white = between(0.5, 0.8)
        grey = white * between(1.08, 1.4)
        fluid = white * between(0.7, 1.5)
        lesion = between(white, 1.3 * grey)
    elif contrast == "FLAIR":
        white = between(0.4, 0.75)
        grey = white * between(1.05, 1.45)
        fluid = white * between(0.03, 0.5)
        lesion = white * between(0.8, 2.0)
    elif contrast == "any":
        white, grey, fluid, lesion = (between(0, 1) for _ in range(4))
        spread = 0.1
    else:
        raise ValueError(f"contrast {contrast!r}, expected one of {', '.join(CONTRASTS)}")
    of_kind = {}
    for kind in KINDS:
        if contrast == "any":
            of_kind[kind] = between(0, 1)
        elif kind in FLUIDS:
            of_kind[kind] = fluid * between(0.85, 1.2)
        else:
            where, by = _BETWEEN_GREY_AND_WHITE[kind]
            of_kind[kind] = grey + (white - grey) * (where + by * torch.randn((), generator=generator).item())
    mean = torch.zeros(ROWS)
    mean[0] = 0.0 if between(0, 1) < 0.7 else between(0, 0.15)
    mean[1 : len(STRUCTURES) + 1] = torch.tensor([of_kind[KIND_OF[name]] for name in STRUCTURES])
    mean[list(LESION_ROWS)] = lesion
    mean[VESSEL_ROW] = vessels
    mean[CHIASM_ROW] = between(min(grey, white), max(grey, white))
    brightest = float(mean.max())
    outside = ROWS - FIRST_OUTSIDE_ROW
    mean[FIRST_OUTSIDE_ROW:] = torch.rand(outside, generator=generator) * brightest * between(0.3, 1.4)
    mean *= 1 + _SIDES_DIFFER * (2 * torch.rand(ROWS, generator=generator) - 1)
    std = torch.rand(ROWS, generator=generator) * spread * (1 if contrast == "any" else max(white, grey))
    std[0] *= 0.3 if between(0, 1) < 0.5 else 0.0
    std[FIRST_OUTSIDE_ROW:] *= 2
    return Intensities(mean.clamp_min(0), std)
