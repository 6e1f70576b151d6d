"""Cases that are not like the others.

A false alarm throws good data away, a miss costs little: training stands a few bad cases. So a case is left out only
where a figure is far outside of what the others show, by a factor that no patient reaches, and where it is nearly alone
with that; a whole group of unusual cases is another scanner or another disease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_resmed.labels import LabelSet
from napari_resmed.train.borders import MOVED_VOXELS
from napari_resmed.train.case_facts import CaseFacts, LeftOut

__all__ = ["unlike_the_others"]

# What is usual cannot be told from fewer.
LEAST_CASES = 8
# Robust standard deviations (1.4826 MAD) from the median.
FAR = 6.0
# The least standard deviation of a logarithm: alike as the others may be, nothing is an outlier under a factor of 11.
# (With a factor of 6, good cases go once in 300 draws of 8 to 12 from the head-and-neck CTs; with 11, none.)
LEAST_SPREAD = 0.4
# More than this share of cases beyond the limit are a group, not outliers.
LONERS = 0.1
# See train/borders.py: what a structure must show in the others, and how little of it is no chance.
LEAST_CONTRAST = 0.2
LEAST_CONTRAST_SPREADS = 3.0
LEAST_SPREAD_CONTRAST = 0.08
LOST_CONTRAST = 0.2
LOST_CONTRAST_SPREADS = 3.0

_AXES = ("from below to above", "from front to back", "from right to left")


def unlike_the_others(cases: Sequence[CaseFacts], labels: LabelSet) -> list[LeftOut]:
    """The cases whose voxels, size, structures or borders stand alone, each with the figure and the others'.

    Parameters
    ----------
    cases:
        All that are usable by themselves.
    labels:
        Names for the messages.

    Returns
    -------
    list of LeftOut
        At most one a case, in the order of the cases.
    """
    reasons: dict[str, str] = {}
    for axis, along in enumerate(_AXES):
        spacing = {case.name: case.spacing_mm[axis] for case in cases}
        _add(reasons, spacing, "its voxels measure", f"mm {along}")
        size = {case.name: case.size_mm[axis] for case in cases}
        _add(reasons, size, "its image measures", f"mm {along}")
    for label in labels:
        volumes = {
            case.name: case.voxels[label.value] * case.voxel_ml
            for case in cases
            # Of what is cut off or painted in part, the volume says nothing.
            if case.voxels.get(label.value) and label.value not in case.cut_off and not case.only_painted
        }
        _add(reasons, volumes, f"its {label.name} has", "ml")
    _add_borders(reasons, cases)
    return [
        LeftOut(case.name, "unlike", f"not like the others: {reasons[case.name]}")
        for case in cases
        if case.name in reasons
    ]


def _add(reasons: dict[str, str], figures: Mapping[str, float], what: str, unit: str) -> None:
    """Find who stands alone in one figure, on a logarithmic scale."""
    if len(figures) < LEAST_CASES:
        return
    logs = np.log(list(figures.values()))
    middle, spread = _robust(logs)
    far = np.abs(logs - middle) > FAR * max(spread, LEAST_SPREAD)
    if not _alone(int(far.sum()), len(figures)):
        return
    usual = np.exp(logs[~far])
    others = f"the others' {np.median(usual):.3g} ({usual.min():.3g} to {usual.max():.3g})"
    for name, is_far in zip(figures, far, strict=True):
        if is_far:
            reasons.setdefault(name, f"{what} {figures[name]:.3g} {unit}, {others}")


def _add_borders(reasons: dict[str, str], cases: Sequence[CaseFacts]) -> None:
    """Find whose labels follow nothing that is seen, in every structure that is seen in the others."""
    usual: dict[int, tuple[float, float]] = {}
    for value in sorted({value for case in cases for value in case.contrast}):
        figures = np.array([case.contrast[value] for case in cases if value in case.contrast])
        middle, spread = _robust(figures)
        spread = max(spread, LEAST_SPREAD_CONTRAST)
        if len(figures) >= LEAST_CASES and middle >= max(LEAST_CONTRAST, LEAST_CONTRAST_SPREADS * spread):
            usual[value] = middle, spread
    found: dict[str, str] = {}
    for case in cases:
        told = [value for value in case.contrast if value in usual]
        if told and all(_is_lost(case.contrast[value], *usual[value]) for value in told):
            best = max(told, key=lambda value: case.contrast[value] / usual[value][0])
            found[case.name] = (
                f"the borders of its labels follow the image hardly better than if they lay {MOVED_VOXELS} voxels "
                f"aside ({np.exp(case.contrast[best]):.2f} times, the others {np.exp(usual[best][0]):.2f} times); they "
                "may belong to another image, be mirrored or shifted"
            )
    if _alone(len(found), len(cases)):
        for name, reason in found.items():
            reasons.setdefault(name, reason)


def _is_lost(figure: float, middle: float, spread: float) -> bool:
    return figure < LOST_CONTRAST * middle and figure < middle - LOST_CONTRAST_SPREADS * spread


def _robust(figures: NDArray[np.float64]) -> tuple[float, float]:
    """Median, and the standard deviation that a normal distribution of the same MAD has."""
    middle = float(np.median(figures))
    return middle, 1.4826 * float(np.median(np.abs(figures - middle)))


def _alone(few: int, many: int) -> bool:
    return few <= max(1, LONERS * many)
