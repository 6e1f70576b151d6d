"""How images are prepared: from the figures of a data set, or as the trained network does that is started from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from napari_resmed.models.model import Model
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.fingerprint import Fingerprint
from napari_resmed.train.transfer import channel_rows

__all__ = ["preparation_for", "preparation_of_base"]

# An image of more patches than this is looked at coarser: the network would never see most of it.
MOST_PATCHES = {"cpu": 20, "gpu": 200}
# A structure is not made thinner than this by looking coarser.
LEAST_VOXELS_ACROSS = 4
# Hounsfield units: air is -1000, and nothing but CT is so far below zero in every image.
CT_MINIMUM = -500.0


def preparation_for(facts: Fingerprint, kind: str, most: int, reasons: dict[str, str]) -> Preparation:
    """Spacing near the cases', as coarse as a fair part of an image in a step takes; windows where the images are CT.

    Parameters
    ----------
    facts:
        What is known of the cases.
    kind:
        ``"cpu"`` or ``"gpu"``.
    most:
        Voxels of both patches of a step together.
    reasons:
        The plan's, to which these are added.
    """
    spacing = [float(mm) for mm in facts.spacing_mm]
    limit = MOST_PATCHES[kind] * most / 2
    extents = [edge for case in facts.cases for edges in case.extent_mm.values() for edge in (min(edges),)]
    coarsest = sorted(extents)[len(extents) // 10] / LEAST_VOXELS_ACROSS if extents else math.inf
    why = "the median of the cases"
    while math.prod(max(1.0, size / mm) for size, mm in zip(facts.median_size_mm, spacing, strict=True)) > limit:
        target = min(spacing) * 1.1
        if target > coarsest:
            why = "coarser than the cases, as far as the thinnest structures allow"
            break
        spacing = [max(mm, target) for mm in spacing]
        why = "coarser than the cases, so that a step sees a fair part of an image"
    reasons["spacing"] = why
    windows = tuple(_ct_window(facts, number) for number in range(len(facts.channels)))
    if any(windows):
        reasons["intensities"] = "CT: a fixed window of Hounsfield units around what the structures have"
    z, y, x = (round(mm, 3) for mm in spacing)
    return Preparation((z, y, x), windows=windows if any(windows) else ())


def _ct_window(facts: Fingerprint, number: int) -> tuple[float, float] | None:
    names = [channel.name.upper() for channel in facts.channels]
    modalities = {case.modality for case in facts.cases if case.modality}
    pictured = [case for case in facts.cases if case.has_image]
    if not pictured:
        return None  # what is known of intensities is labels'
    looks = all(case.image[number].minimum <= CT_MINIMUM for case in pictured)
    # Where channels are told apart by name, as CT and PET are, a case's modality speaks of one of them.
    is_ct = names[number] == "CT" if "CT" in names else modalities == {"CT"} or (not modalities and looks)
    if not is_ct:
        return None
    inside = facts.channels[number].foreground or facts.channels[number].image
    # Air in a larynx and teeth beside a filling would stretch the window over all there is, and leave soft tissue a
    # thirtieth of it: less than the noise that is added, and than half precision tells apart.
    margin = max(50.0, 0.1 * (inside.p95 - inside.p05))
    return round(inside.p05 - margin), round(inside.p95 + margin)


def preparation_of_base(base: Model, channels: Sequence[str]) -> Preparation:
    """That of the base, each channel as the one whose weights it takes over; a new one as the last."""
    known = base.preparation
    rows = [len(base.channels) - 1 if row is None else row for row in channel_rows(base, channels)]
    windows = tuple(known.window(row) for row in rows) if known.windows else ()
    normalization = tuple(known.normalization[row] for row in rows) if known.normalization else ()
    return replace(known, windows=windows, normalization=normalization)
