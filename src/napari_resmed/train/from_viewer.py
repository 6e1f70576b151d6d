"""Cases as a viewer sends them, made into a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.classes import dataset_of_classes
from napari_resmed.io.datasets.label_maps import split_of_lonely
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["join_cases", "join_classes"]

BACKGROUND = "background"


def join_cases(cases: Sequence[Mapping[str, Any]], *, lonely_labels: bool = False) -> Dataset:
    """Images and painted labels as a dataset; the label called "background" is what was painted as such.

    Parameters
    ----------
    cases:
        Each with ``name, images, labels`` and, as far as they apply, the other fields of
        :class:`napari_resmed.case.Case`.
    lonely_labels:
        Whether labels without an image are cases, too: training paints images for them. They are not held out where
        there are images enough to hold one out.

    Raises
    ------
    InputError
        If there is no case, one lacks its image or labels, two differ in the number of channels, or a value has two
        names.
    """
    if not cases:
        raise InputError("there is nothing to learn from: choose an image and the labels painted over it")
    made: list[Case] = []
    known: dict[int, Label] = {}
    background: int | None = None
    split_of_others = split_of_lonely(sum(bool(entry.get("images")) for entry in cases))
    for entry in cases:
        images, labels = tuple(entry.get("images") or ()), entry.get("labels")
        name = str(entry.get("name") or f"case {len(made) + 1}")
        if not isinstance(labels, LabelMap):
            raise InputError(f"{name} has no labels; paint some in a Labels layer over it")
        lonely = lonely_labels and not images
        if not lonely and not (images and all(isinstance(image, Volume) for image in images)):
            raise InputError(
                f"{name} has labels and no image; choose the image they were painted over, or let training paint images"
            )
        for label in labels.labels.completed(value for value, count in labels.counts().items() if count):
            if label.name.casefold().strip() == BACKGROUND:
                if background not in (None, label.value):
                    raise InputError(
                        f"background is label {background} in one case and {label.value} in {name}; give it one value"
                    )
                background = label.value
            elif known.setdefault(label.value, label).name != label.name:
                raise InputError(
                    f"label {label.value} is called {known[label.value].name!r} in one case and {label.name!r} in "
                    f"{name}; give it one name"
                )
        slices = tuple((int(axis), int(index)) for axis, index in entry.get("complete_slices") or ())
        annotated = entry.get("annotated")
        made.append(
            Case(
                name,
                (labels,) if lonely else images,
                labels,
                annotated=None if annotated is None else tuple(int(value) for value in annotated),
                only_painted=bool(entry.get("only_painted")),
                complete_slices=slices,
                split=str(entry.get("split") or (split_of_others if lonely else "")),
                group=str(entry.get("group") or ""),
            )
        )
    pictured = [case for case in made if case.has_image]
    channels = {_channels(case): case.name for case in pictured}
    if len(channels) > 1:
        (few, one), (many, other) = sorted(channels.items())[:2]
        raise InputError(f"{one} has {few} channels and {other} has {many}; every case needs the same images")
    if background in known:
        raise InputError(f"label {background} is background in one case and {known[background].name!r} in another")
    structures = [label for label in known.values() if label.value != background]
    named = _names(pictured[0]) if pictured else ("image",)
    return Dataset(tuple(made), LabelSet(tuple(structures)), named, background)


def join_classes(cases: Sequence[Mapping[str, Any]]) -> Dataset:
    """Images and the class that a person typed for each, as a dataset.

    Parameters
    ----------
    cases:
        Each with ``name, images, class_name`` and, where it is known, the ``group`` (patient) it belongs to; where
        there are several modalities, those of its images by name, ``modalities``.

    Raises
    ------
    InputError
        If one lacks its image, class or modality, or there are no two classes.
    """
    made: list[Case] = []
    # However it is written, one modality is one.
    written = [str(kind) for entry in cases for kind in entry.get("modalities") or ()]
    named = {kind.casefold(): kind for kind in reversed(written)}
    order = {kind: place for place, kind in enumerate(sorted(named))}
    for entry in cases:
        images, said = tuple(entry.get("images") or ()), str(entry.get("class_name") or "").strip()
        name = str(entry.get("name") or f"image {len(made) + 1}")
        if not images or not all(isinstance(image, Volume) for image in images):
            raise InputError(f"{name} has no image; choose the layer that is one")
        if not said:
            raise InputError(f"{name} has no class; type what it is, or leave it out")
        of_images = [str(kind).casefold() for kind in entry.get("modalities") or ()]
        channels: tuple[int, ...] = ()
        if order:
            if len(of_images) != len(images):
                raise InputError(f"{name} has {len(images)} images of {len(of_images)} modalities, expected one each")
            if twice := [kind for kind in of_images if of_images.count(kind) > 1]:
                raise InputError(f"{name} has two images {named[twice[0]]!r}, expected one of each modality")
            images = tuple(image for _, image in sorted(zip(of_images, images, strict=True), key=lambda one: one[0]))
            places = tuple(sorted(order[kind] for kind in of_images))
            # Where none is missing, nothing has to be said of it.
            channels = () if len(places) == len(order) else places
        made.append(Case(name, images, group=str(entry.get("group") or ""), class_name=said, channels=channels))
    return dataset_of_classes(tuple(made), "the window", tuple(named[kind] for kind in order))


def _channels(case: Case) -> int:
    return sum(image.channels for image in case.images if isinstance(image, Volume))


def _names(case: Case) -> tuple[str, ...]:
    """What each channel is: its modality where that tells them apart, else its place."""
    images = [image for image in case.images if isinstance(image, Volume)]
    if len(images) == 1 and images[0].channels == 1:
        return (images[0].modality or "image",)
    if len(images) == 1:
        return tuple(f"channel {number + 1}" for number in range(images[0].channels))
    named = [image.modality for image in images]
    if len(set(named)) == len(named) and all(named):
        return tuple(named)
    return tuple(f"image {number + 1}" for number in range(len(images)))
