"""A look at an image before what a network says of it is trusted.

A few figures of every image, compared with the range they had over the training images; none is good or bad by itself.
A model keeps these ranges and a coarse statistic of how its images look (:mod:`napari_resmed.review.appearance`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.review.appearance import LEAST_IMAGES, Appearance, appearance_of, inverted
from napari_resmed.review.slices import slice_figures
from napari_resmed.volume import Volume

__all__ = ["GOOD", "Look", "Usual", "image_figures", "judge_each", "look_at_image"]

GOOD = "good"
# What lies outside of these percentiles of the training images, by more than the distance between them times the
# margin, is unusual.
PERCENTILES = (1.0, 99.0)
MARGIN = 0.5
# A range is never taken for narrower than this: images of one source can be alike to a hair.
LEAST_WIDTH = 0.02
# Voxels within this of the upper end of the range count as overexposed.
NEAR_THE_END = 1e-3
# A ghost lies at least this share of the image's edge beside what it is of: half of it, a third, a quarter. What is
# alike nearer by is anatomy.
GHOST_SHARE = 0.23
# Shorter edges show no ghost that could be told from chance.
LEAST_EDGE = 16
# Images are judged by those of the other parts, so that a strange one does not vouch for itself.
PARTS = 5

_DISTANCE = "distance"
_WORDS = {
    "brightness": ("darker than the training images", "brighter than the training images"),
    "contrast": ("less contrast than the training images", "more contrast than the training images"),
    "overexposed": ("", "overexposed or clipped"),
    "empty": ("", "largely empty"),
    "sharpness": ("blurred", "noisy"),
    "ghosting": ("", "ghosting"),
    "gaps": ("", "slices blank or doubled"),
    "jump": ("", "slices missing between others"),
    "frame_gaps": ("", "frames blank or doubled"),
    "frame_jump": ("", "frames missing between others"),
    _DISTANCE: ("", "far from the training images"),
}
_INVERTED = "wrong polarity (bright and dark exchanged)"
# What is said of these figures follows from a wrong polarity.
_OF_POLARITY = ("brightness", "contrast", "overexposed", "empty", _DISTANCE)


@dataclass(frozen=True)
class Look:
    """What was seen of one image: figures by name, and values of :func:`appearance_of` for every channel."""

    figures: Mapping[str, float]
    channels: tuple[list[float] | None, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"figures": dict(self.figures), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Look:
        """Read what :meth:`to_json` wrote."""
        return cls(dict(values["figures"]), tuple(values["channels"]))


@dataclass(frozen=True)
class Usual:
    """How the images look that a model was trained on.

    Parameters
    ----------
    ranges:
        Of every figure.
    appearance:
        Of every channel, None where too few images have it; empty where there are too few images.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    appearance: tuple[Appearance | None, ...] = ()

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Usual:
        """Of the training images."""
        known = _appearances(looks)
        figures = [dict(look.figures) for look in looks]
        # Each image's distance from those of the other parts: from itself it would seem nearer than a new one does.
        for part in range(PARTS):
            others = _appearances([look for number, look in enumerate(looks) if number % PARTS != part])
            for number in range(part, len(looks), PARTS):
                figures[number] |= _distance(looks[number], others)
        ranges = _usual_ranges(figures)
        # Without a range nothing could be said of a distance, and nothing need be kept.
        return cls(ranges, known if _DISTANCE in ranges else ())

    def judge(self, look: Look) -> str:
        """What is unusual about an image, in words; :data:`GOOD` where nothing is."""
        figures = {**look.figures, **_distance(look, self.appearance)}
        strange = {name: words for name in figures if (words := self._words(name, figures[name]))}
        if _DISTANCE in strange and self._is_inverted(look):
            return "; ".join([_INVERTED, *(words for name, words in strange.items() if name not in _OF_POLARITY)])
        return "; ".join(strange[name] for name in _WORDS if name in strange) or GOOD

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a model carries them."""
        return {
            "ranges": {name: list(pair) for name, pair in self.ranges.items()},
            "appearance": [None if of is None else of.to_json() for of in self.appearance],
        }

    @classmethod
    def from_json(cls, values: Any) -> Usual:
        """Read what :meth:`to_json` wrote; of a model that says nothing, everything is usual."""
        if not isinstance(values, Mapping):
            return cls()
        # Models from before there was more than ranges have them here.
        pairs = values.get("ranges", values)
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in pairs.items() if name in _WORDS}
        known = tuple(None if of is None else Appearance.from_json(of) for of in values.get("appearance", ()))
        return cls(ranges, known)

    def _words(self, name: str, value: float) -> str:
        if name not in self.ranges:
            return ""
        low, high = self.ranges[name]
        return _WORDS[name][0] if value < low else _WORDS[name][1] if value > high else ""

    def _is_inverted(self, look: Look) -> bool:
        """Whether it is bright where others are dark, and would look as usual with the two exchanged."""
        most = self.ranges[_DISTANCE][1]
        strange = [(values, of) for values, of in _compared(look, self.appearance) if of.distance(values) > most]
        return bool(strange) and all(
            of.agreement(values) < 0 and of.distance(inverted(values)) <= most for values, of in strange
        )


def look_at_image(image: NDArray[np.floating[Any]], volumes: Sequence[Volume | None] = ()) -> Look:
    """Look at one image.

    Parameters
    ----------
    image:
        Prepared, ``(c, [t,] z, y, x)`` in 0..1; a channel that is zero everywhere is not there.
    volumes:
        What it was made from, ``zyx`` or ``tzyx``; slices and frames of each are looked at.
    """
    figures = image_figures(image)
    for volume in volumes:
        for name, value in slice_figures(volume).items() if volume is not None else ():
            figures[name] = max(figures.get(name, 0.0), value)
    return Look(figures, tuple(appearance_of(channel) for channel in image))


def image_figures(image: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Figures of a prepared image ``(c, [t,] z, y, x)`` in 0..1."""
    values = np.asarray(image, np.float32)
    axes = [axis for axis in (-1, -2) if values.shape[axis] > 2]
    once = [np.diff(values, axis=axis).std() for axis in axes]
    twice = [np.diff(values, 2, axis).std() for axis in axes]
    figures = {
        "brightness": values.mean(),
        "contrast": values.std(),
        # How much of what changes from voxel to voxel changes back at the next: little in a blurred image, nearly all
        # in noise; whatever the contrast.
        "sharpness": sum(twice) / sum(once) if sum(once) > 0 else 0.0,
        "overexposed": (values > 1 - NEAR_THE_END).mean(),
        "empty": (values == 0).mean(),
        "ghosting": _ghosting(values),
    }
    return {name: round(float(value), 5) for name, value in figures.items()}


def judge_each(looks: Sequence[Look]) -> list[str]:
    """What is unusual about each of some images compared with the others; see :meth:`Usual.judge`."""
    said = [GOOD] * len(looks)
    for part in range(PARTS if len(looks) >= LEAST_IMAGES else 0):
        usual = Usual.of([look for number, look in enumerate(looks) if number % PARTS != part])
        for number in range(part, len(looks), PARTS):
            said[number] = usual.judge(looks[number])
    return said


def _ghosting(image: NDArray[np.float32]) -> float:
    """How much of an image's edges comes again far beside them along one axis: 0 for nothing, 1 for all.

    The largest value of the edges' autocorrelation at the distances where motion and echo trains put ghosts
    (Heiland, Der Radiologe 2008, on N/2 ghosts); every axis of a slice, as any may be the one that was phase encoded.
    """
    most = 0.0
    for axis in (-1, -2, -3):
        size = image.shape[axis]
        if size < LEAST_EDGE:
            continue
        edges = np.diff(image, axis=axis)
        power = np.abs(np.fft.rfft(edges, 2 * size, axis=axis)) ** 2
        again = np.fft.irfft(np.moveaxis(power, axis, 0).reshape(power.shape[axis], -1).sum(1), 2 * size)
        if again[0] > 0:
            far = again[int(GHOST_SHARE * size) : size - size // 4]
            most = max(most, float(far.max() / again[0]))
    return most


def _appearances(looks: Sequence[Look]) -> tuple[Appearance | None, ...]:
    count = max((len(look.channels) for look in looks), default=0)
    seen = ([values for look in looks if (values := look.channels[number]) is not None] for number in range(count))
    known = (_alike(vectors) for vectors in seen)
    return tuple(Appearance.of(vectors) if len(vectors) >= LEAST_IMAGES else None for vectors in known)


def _alike(vectors: Sequence[list[float]]) -> list[list[float]]:
    """Those of the most usual length: a single slice has another than a volume."""
    lengths = Counter(map(len, vectors))
    return [vector for vector in vectors if len(vector) == lengths.most_common(1)[0][0]]


def _compared(look: Look, appearances: Sequence[Appearance | None]) -> list[tuple[list[float], Appearance]]:
    """The channels that can be compared, and with what: none of a slice with those of volumes."""
    return [
        (values, of)
        for values, of in zip(look.channels, appearances, strict=False)
        if values is not None and of is not None and len(values) == len(of.mean)
    ]


def _distance(look: Look, appearances: Sequence[Appearance | None]) -> dict[str, float]:
    """That of the channel that is farthest; nothing where none can be compared."""
    found = [of.distance(values) for values, of in _compared(look, appearances)]
    return {_DISTANCE: round(max(found), 5)} if found else {}


def _usual_ranges(figures: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The range of every figure over the training images, widened by a margin."""
    ranges = {}
    for name in dict.fromkeys(name for of in figures for name in of):
        low, high = np.percentile([of[name] for of in figures if name in of], PERCENTILES)
        wide = MARGIN * max(float(high - low), LEAST_WIDTH)
        ranges[name] = (round(float(low) - wide, 5), round(float(high) + wide, 5))
    return ranges
