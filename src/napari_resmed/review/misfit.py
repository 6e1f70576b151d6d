"""What speaks against a model for an image, in sentences: before the network sees it, and after it answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.geometry import canonical_order
from napari_resmed.models.model import Model
from napari_resmed.review.appearance import appearance_of
from napari_resmed.review.familiar import Familiar, log_odds
from napari_resmed.review.quality import GOOD, Look
from napari_resmed.volume import Volume

__all__ = [
    "AXES_BEYOND",
    "LIMIT",
    "Misfit",
    "axes_beyond",
    "extent_of",
    "familiar_to",
    "first_for",
    "judge_answer",
    "judge_image",
]

# DICOM's words for what an image shows. A model whose channels have other names says nothing of what it was trained on.
MODALITIES = frozenset({"CR", "CT", "DX", "MG", "MR", "NM", "PT", "US", "XA"})
# A field of view under this share of the model's window shows too little of the anatomy around a voxel.
SMALL_FIELD = 0.25
# Under this share of the smallest that it was trained on, part of what it expects is not there.
SMALL_EXTENT = 0.6
# Beyond this multiple of the largest, windows see what it never saw, if it always saw whole images.
LARGE_EXTENT = 1.5
# An image that is larger along so many axes is looked through for the model's part: a crop is larger along none or one,
# a slab along two.
AXES_BEYOND = 2
# Voxels that much coarser than the coarsest it was trained on.
COARSE = 2.0
# Hounsfield units: air is -1000, and nothing but CT is so far below zero. Where there is air, CT has it.
AIR, NO_AIR = -500.0, -200.0
# Voxels along an axis from which low values are read.
SAMPLED = 64
# From so many standard deviations on, an answer is unusual; and more than so many count as so many.
LIMIT, MOST = 3.0, 10.0
# Of a structure that is not found, this share of its usual volume is taken to be there: its logarithm is needed.
NOTHING = 0.02
# Structures that are named in a sentence.
NAMED = 3

_ACROSS = ("from head to foot", "from front to back", "from left to right")
_POOR = "expect a poor result"


@dataclass(frozen=True)
class Misfit:
    """How unusual an answer is.

    Parameters
    ----------
    score:
        In standard deviations over the images the model is familiar with; None where it does not say.
    reason:
        A sentence; empty up to :data:`LIMIT`.
    """

    score: float | None = None
    reason: str = ""


def familiar_to(model: Model) -> Familiar:
    """What the model says of the images it was trained on; nothing, of a model made before it said so."""
    return Familiar.from_json(model.training.get("familiar"))


def extent_of(image: Volume) -> list[float]:
    """Edges towards Superior, Posterior, Left, in mm."""
    order = canonical_order(image.affine)
    return [image.grid_shape[axis] * image.spacing_mm[axis] for axis in order.axes]


def axes_beyond(extent_mm: Sequence[float], model: Model) -> int:
    """Along how many axes an image is much larger than any that the model was trained on.

    Parameters
    ----------
    extent_mm:
        Its edges towards Superior, Posterior, Left: see :func:`extent_of`.
    model:
        What it is compared with. Where the model does not say what it was trained on, its window stands for that.
    """
    window = [(0.0, size * mm) for size, mm in zip(model.patch, model.preparation.spacing_mm, strict=True)]
    known = familiar_to(model).extent_mm or window
    return sum(mm > LARGE_EXTENT * most for mm, (_, most) in zip(extent_mm, known, strict=True))


def judge_image(image: Volume, ready: NDArray[np.floating[Any]], model: Model, *, whole: bool = True) -> Iterator[str]:
    """What speaks against the model before its network is asked.

    Parameters
    ----------
    image:
        As it came.
    ready:
        The same prepared for the model, ``(c, z, y, x)``.
    model:
        What it is compared with.
    whole:
        Whether all that the model knows should be there; else no more than the kind of image is judged.

    Yields
    ------
    str
        One sentence for each reason: modality or intensities, field of view, voxel size, the look as a whole.
    """
    known = familiar_to(model)
    yield from _wrong_kind(image, model, partial(_lowest, image))
    if not whole:
        return
    if not (model.preparation.own_spacing or model.preparation.size):  # such a model sees voxels, however far apart
        yield from _wrong_size(image, model, known)
    if known.looks.appearance:
        said = known.looks.judge(Look({}, tuple(appearance_of(channel) for channel in ready)))
        if said != GOOD:
            yield f"the image is {said} of {model.name}; {_POOR}"


def first_for(image: Volume, models: Sequence[Model]) -> Model | None:
    """The first model for images of this modality, as the file says it or the values do; where none is, the first.

    Parameters
    ----------
    image:
        As it came; hardly any of it is read.
    models:
        To choose from; None where there are none.
    """
    lowest = cache(partial(_lowest, image))
    fitting = (model for model in models if not any(_wrong_kind(image, model, lowest)))
    return next(fitting, models[0] if models else None)


def judge_answer(
    volumes_ml: Mapping[int, float], certainty: float | None, model: Model, sought: Sequence[str] = ()
) -> Misfit:
    """How unusual it is what the model found.

    The score is the root mean square, over the structures that are always there, of the distance of the logarithm of
    their volumes from the usual one in standard deviations; or how far the network is less sure than usual, where that
    is more.

    Parameters
    ----------
    volumes_ml:
        What was found, by label value.
    certainty:
        See :class:`napari_resmed.predict.certainty.Certainty`.
    model:
        Whose answer it is.
    sought:
        Names of the structures that matter; all where empty.
    """
    known = familiar_to(model)
    names = {label.value: label.name for label in model.labels if not sought or label.name in sought}
    off = {
        value: min(
            MOST, abs(math.log((volumes_ml.get(value, 0.0) + NOTHING * usual.ml) / usual.ml)) / math.log(usual.factor)
        )
        for value, usual in known.volumes.items()
        if value in names
    }
    sizes = math.sqrt(sum(far**2 for far in off.values()) / len(off)) if off else None
    unsure = None
    if known.certainty is not None and certainty is not None and not sought:  # it is of all that was found
        mean, spread = known.certainty
        unsure = min(MOST, max(0.0, (mean - log_odds(certainty)) / spread))
    scores = [score for score in (sizes, unsure) if score is not None]
    if not scores:
        return Misfit()
    score = round(max(scores), 2)
    if score <= LIMIT:
        return Misfit(score)
    reasons = []
    if sizes is not None and sizes > LIMIT:
        strange = sorted((value for value in off if off[value] > LIMIT), key=lambda value: -off[value])
        said = [
            f"{names[value]} {_ml(volumes_ml.get(value, 0.0))} instead of about {_ml(known.volumes[value].ml)}"
            for value in strange[:NAMED]
        ]
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        reasons.append(f"{', '.join(said)}{more} of {len(off)} structures")
    if unsure is not None and unsure > LIMIT and certainty is not None and known.certainty is not None:
        usually = 1 / (1 + math.exp(-known.certainty[0]))
        reasons.append(f"it is sure of what it found by {certainty:.0%}, usually by {usually:.0%}")
    return Misfit(
        score,
        f"what {model.name} found is unlike what it finds in images it was made for (score {score:g}, usual up to "
        f"{LIMIT:g}): {'; '.join(reasons)}: look at it before relying on it",
    )


def _wrong_kind(image: Volume, model: Model, lowest: Callable[[int], float]) -> Iterator[str]:
    """Another modality, as the file says it, or as the values do."""
    said = MODALITIES.issuperset(model.channels)
    if image.modality and said:
        if image.modality not in model.channels:
            wanted = " or ".join(model.channels)
            yield f"the image is {image.modality}, {model.name} was trained on {wanted}: {_POOR}"
        return
    known = familiar_to(model)
    for number in range(image.channels if image.axes == "czyx" else 1):
        window = model.preparation.window(number)
        usual = known.lowest[number] if number < len(known.lowest) else None
        if usual is None:  # an older model: what its window or its name says
            has_air = window is not None and window[0] < 0
            has_none = not has_air and said and "CT" not in model.channels
        else:
            has_air, has_none = usual[1] < AIR, usual[0] > AIR
        least = lowest(number)
        which = f"channel {number} of the image" if len(model.channels) > 1 else "the image"
        if has_none and least < AIR:
            yield (
                f"the values of {which} go down to {least:.0f}, as Hounsfield units of CT do; {model.name} was trained "
                f"on others: {_POOR}"
            )
        elif has_air and least > NO_AIR:
            yield (
                f"the values of {which} begin at {least:.0f}; {model.name} was trained on CT in Hounsfield units, "
                f"where air is -1000: {_POOR}"
            )


def _lowest(image: Volume, number: int) -> float:
    """The 0.5th percentile of a channel, of voxels spread over the image."""
    channel = (image.data if image.axes == "czyx" else image.data[None])[number]
    steps = tuple(slice(None, None, max(1, size // SAMPLED)) for size in channel.shape)
    return float(np.percentile(channel[steps].astype(np.float32), 0.5))


def _wrong_size(image: Volume, model: Model, known: Familiar) -> Iterator[str]:
    """A field of view or voxels that the model does not know."""
    extent = extent_of(image)
    window = [size * mm for size, mm in zip(model.patch, model.preparation.spacing_mm, strict=True)]
    if not known.extent_mm:
        if min(extent) < SMALL_FIELD * min(window):
            yield (
                f"the image covers only {min(extent):.0f} mm along one axis, {model.name} was trained on "
                f"{min(window):.0f} mm: {_POOR}"
            )
        return
    for across, mm, (low, high), seen in zip(_ACROSS, extent, known.extent_mm, window, strict=True):
        usual = f"{low:.0f} mm" if round(low) == round(high) else f"{low:.0f} to {high:.0f} mm"
        if mm < SMALL_EXTENT * low:
            yield f"the image covers only {mm:.0f} mm {across}, {model.name} was trained on {usual}: {_POOR}"
        elif mm > LARGE_EXTENT * high and seen >= low:
            yield (f"the image covers {mm:.0f} mm {across}, {model.name} was trained on {usual}: cut out its part")
    coarsest = max(image.spacing_mm)
    if coarsest > COARSE * known.voxel_mm:
        yield (
            f"the image's voxels are {coarsest:.3g} mm long, those {model.name} was trained on at most "
            f"{known.voxel_mm:.3g} mm: {_POOR}"
        )


def _ml(volume: float) -> str:
    return "none" if volume == 0 else f"{volume:.2g} ml" if volume < 10 else f"{volume:.0f} ml"
