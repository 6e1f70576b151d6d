"""What a model that was just trained is familiar with, from what training knows anyway.

Of the cases their figures; of those that were held out also the network's answers, which were needed for their Dice. A
structure's usual volume is that of the labels, of which there are many, moved and widened by the network's errors, of
which a few tell enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_resmed.labels import LabelSet
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.review.familiar import LEAST_ANSWERS, Familiar, UsualVolume, usual_certainty
from napari_resmed.review.quality import Look, Usual
from napari_resmed.train.case_facts import CaseFacts
from napari_resmed.train.store import Prepared

__all__ = ["Answered", "familiar_with"]


@dataclass(frozen=True)
class Answered:
    """A case that was held out and answered.

    Parameters
    ----------
    found, true:
        Voxels by class, structures counted from 1.
    certainty:
        See :class:`napari_resmed.predict.certainty.Certainty`.
    """

    found: tuple[int, ...]
    true: tuple[int, ...]
    certainty: float | None

    @classmethod
    def of(cls, answer: NDArray[np.int16], case: Prepared, certainty: float | None) -> Answered | None:
        """None where volumes cannot be compared, for parts of the case are unknown."""
        if case.annotated.all() and (case.target == UNKNOWN).any():
            return None
        count = len(case.annotated)
        found = np.bincount(answer.reshape(-1), minlength=count)[1:]
        true = np.bincount(np.maximum(case.target, 0).reshape(-1), minlength=count)[1:]
        return cls(tuple(found.tolist()), tuple(true.tolist()), certainty)


def familiar_with(
    cases: Sequence[CaseFacts], looks: Sequence[Look], answered: Sequence[Answered], labels: LabelSet
) -> Familiar:
    """What there is to say.

    Parameters
    ----------
    cases:
        Those that were learnt from or held out.
    looks:
        How their prepared images look.
    answered:
        Those held out whose volumes can be compared.
    labels:
        The structures.
    """
    if not cases:
        return Familiar()
    sizes = zip(*(case.size_mm for case in cases), strict=True)
    lowest = zip(*([channel.p00_5 for channel in case.image] for case in cases if case.has_image), strict=True)
    usual = ((value, _volume(value, place, cases, answered)) for place, value in enumerate(labels.values))
    return Familiar(
        images=len(cases),
        extent_mm=tuple((round(min(edges), 1), round(max(edges), 1)) for edges in sizes),
        voxel_mm=round(max(edge for case in cases for edge in case.spacing_mm), 3),
        lowest=tuple((round(min(values), 3), round(max(values), 3)) for values in lowest),
        looks=Usual.of(looks),
        volumes={value: of for value, of in usual if of is not None},
        certainty=usual_certainty([case.certainty for case in answered if case.certainty is not None]),
    )


def _volume(value: int, place: int, cases: Sequence[CaseFacts], answered: Sequence[Answered]) -> UsualVolume | None:
    """None for a structure that is not in every case, that the network misses, or of which too little is known."""
    known = [case for case in cases if value in case.voxels and not case.only_painted]
    true = [case.voxels[value] * case.voxel_ml for case in known]
    pairs = [(case.found[place], case.true[place]) for case in answered if case.true[place]]
    if len(true) < LEAST_ANSWERS or not pairs or not all(true) or not all(found for found, _ in pairs):
        return None
    errors = [math.log(found / there) for found, there in pairs]
    spread = float(np.var(errors, ddof=1)) if len(errors) > 1 else float(errors[0] ** 2)
    return UsualVolume.of([math.log(ml) for ml in true], spread, float(np.mean(errors)))
