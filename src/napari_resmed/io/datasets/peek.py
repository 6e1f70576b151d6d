"""What a layout leaves open, looked up in a few of its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.load import open_labels, open_volume
from napari_resmed.io.datasets.meaning import Meaning, default_name, meaning_of
from napari_resmed.labels import Label, count_values, default_colour

__all__ = ["Labels", "peek_channels", "peek_labels"]

# Enough to find a table of names and most values; reading them all is the fingerprint's work.
_FILES = 3


@dataclass(frozen=True)
class Labels:
    """What the label files say: names where a file has a table, and the values that occur in a case."""

    meaning: Meaning
    seen: dict[str, frozenset[int]]


def peek_labels(cases: Sequence[Case]) -> Labels:
    """Read the first, a middle and the last label file that can be read."""
    having = [case for case in cases if case.labels is not None]
    # From both ends and the middle, then whatever comes: cases of one source lie side by side.
    order = dict.fromkeys([0, len(having) // 2, len(having) - 1, *range(min(len(having), 3 * _FILES))])
    named: dict[int, Label] = {}
    seen: dict[str, frozenset[int]] = {}
    for case in (having[place] for place in order if 0 <= place < len(having)):
        if len(seen) == _FILES:
            break
        try:
            labels = open_labels(case)
        except InputError:
            continue  # the fingerprint says what is wrong with it
        values = frozenset(int(value) for value in count_values(labels.data)[0] if value)
        seen[case.name] = values
        for label in labels.labels:
            if label.value not in named or named[label.value].name == default_name(label.value):
                named[label.value] = label
        for value in values - set(named):
            named[value] = Label(value, default_name(value), default_colour(value))
    return Labels(meaning_of(named.values()), seen)


def peek_channels(cases: Sequence[Case]) -> tuple[str, ...]:
    """What the images are, by the first case that can be read: its modality where the file knows it.

    Label maps say nothing of the images that are painted for them.
    """
    for case in [case for case in cases if case.has_image][: 3 * _FILES]:
        try:
            if len(case.images) > 1:
                names = [open_volume(image).modality for image in case.images]
            else:
                volume = open_volume(case.images[0])
                names = [volume.modality] * _channels(volume.axes, volume.shape)
        except InputError:
            continue
        if len(names) == 1:
            return (names[0] or "image",)
        return tuple(f"{name or 'image'} {number}" for number, name in enumerate(names, 1))
    return (
        ("image",)
        if not cases or len(cases[0].images) < 2
        else tuple(f"image {number + 1}" for number in range(len(cases[0].images)))
    )


def _channels(axes: str, shape: tuple[int, ...]) -> int:
    """Channels of a single file. A fourth axis beside labels of three is channels, whatever the format calls it."""
    return shape[0] if axes in ("czyx", "tzyx") else 1
