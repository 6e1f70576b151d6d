"""Label maps without images, alone or beside some that have one: training paints images for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.description import Description
from napari_resmed.io.datasets.folders import label_folder, said_of
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.pairing import by_stem
from napari_resmed.io.files import read
from napari_resmed.labels import LabelMap

__all__ = ["add_lonely", "find", "settle_lonely", "split_of_lonely"]

# With fewer images than this none of them could be held out and another be learnt from.
_FEW_IMAGES = 2
# Of a folder whose name says nothing, so many files are looked at: they may be images. So many are opened for it, as
# some cannot be read.
_PEEKED, _MOST_PEEKED = 3, 9


def find(folder: Path, description: Description) -> Found | None:
    """A folder of label maps, or one with such a folder ``labels`` in it; None where there is none.

    The label map stands in its image's place, too: see :attr:`napari_resmed.case.Case.has_image`.
    """
    place = label_folder(folder) or folder
    files, notes = by_stem(place)
    maps = {name: path for name, path in files.items() if path.is_file()}
    if not maps or (place == folder and not _are_label_maps([*maps.values()])):
        return None
    cases = tuple(Case(name, (path,), path) for name, path in sorted(maps.items()))
    notes.append(f"there are {len(cases)} label maps and no images: training paints images for them")
    return Found(cases, said_of(folder, description), description.channels, tuple(notes))


def add_lonely(found: Found, folder: Path) -> Found:
    """The cases of the folders ``images`` and ``labels``, and those of ``labels`` that have no image."""
    place = label_folder(folder)
    if place is None:
        return found
    files, _ = by_stem(place)
    paired = {case.labels for case in found.cases}
    names = {case.name for case in found.cases}
    lonely = [
        Case(f"{name} (labels)" if name in names else name, (path,), path)
        for name, path in sorted(files.items())
        if path.is_file() and path not in paired
    ]
    if not lonely:
        return found
    notes = [note for note in found.notes if not note.startswith("labels without an image")]
    notes.append(f"{len(lonely)} label maps have no image: training paints images for them")
    return replace(found, cases=(*found.cases, *lonely), notes=tuple(notes))


def settle_lonely(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Label maps without an image are learnt from where there are images enough to hold one out, if nobody decided."""
    split = split_of_lonely(sum(case.has_image and case.labels is not None for case in cases))
    return tuple(case if case.has_image or case.split else replace(case, split=split) for case in cases)


def split_of_lonely(pictured: int) -> str:
    """The split of label maps without an image beside so many cases that have one: those are what is held out."""
    return "train" if pictured >= _FEW_IMAGES else ""


def _are_label_maps(paths: Sequence[Path]) -> bool:
    """Whether the first few files that can be read are label maps; what is wrong with others is said of the case."""
    kinds = (kind for path in paths[:_MOST_PEEKED] if (kind := _may_be_label_map(path)) is not None)
    first = list(islice(kinds, _PEEKED))
    return bool(first) and all(first)


def _may_be_label_map(path: Path) -> bool | None:
    """Whether it is one, or holds a single value as an empty one does; None where it cannot be read."""
    try:
        volume = read(path)
    except InputError:
        return None
    return isinstance(volume, LabelMap) or bool(volume.data.min() == volume.data.max())
