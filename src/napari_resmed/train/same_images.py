"""Cases that hold the same image, perhaps under two names: never on both sides of the split, nor beside a test's."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from napari_resmed.case import Case
from napari_resmed.train.split import one_side
from napari_resmed.volume import Volume

__all__ = ["Same", "find_same", "image_digest", "kept_for_test", "notes_of_same", "patients_of"]

# Names of cases that hold the same image, each time two or more.
Same = tuple[tuple[str, ...], ...]

# Notes that are told one by one, and cases that each of them names.
TOLD, NAMED = 10, 3
# Voxels converted at a time, so that it takes no multiple of a large volume's memory.
_SLAB_VOXELS = 4_000_000


def image_digest(image: Volume) -> int:
    """A number that is equal for images that are equal voxel for voxel, whatever type their files store."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    for channel in image.data.reshape(-1, *image.data.shape[-2:]):
        rows = max(1, _SLAB_VOXELS // max(1, channel.shape[1]))
        for start in range(0, len(channel), rows):
            digest.update(np.ascontiguousarray(channel[start : start + rows], np.float32).data)
    return int.from_bytes(digest.digest())


def find_same(digests: Iterable[tuple[str, Hashable]]) -> Same:
    """The cases whose images are equal.

    Parameters
    ----------
    digests:
        Name of each case, and what is equal for equal images.
    """
    names: dict[Hashable, list[str]] = defaultdict(list)
    for name, digest in digests:
        names[digest].append(name)
    return tuple(tuple(members) for members in names.values() if len(members) > 1)


def patients_of(cases: Sequence[Case], same: Same) -> dict[str, str]:
    """The patient of each case by name, cases of the same image counting as one's: :func:`one_side`."""
    names = [case.name for case in cases]
    return dict(
        zip(names, one_side(names, [case.group for case in cases], [case.split for case in cases], same), strict=True)
    )


def kept_for_test(cases: Sequence[Case], same: Same) -> dict[str, str]:
    """The undecided cases that belong to the test split: their image or their patient is in it.

    Parameters
    ----------
    cases:
        Those that can be used, and those of the split ``"test"``.
    same:
        As of :func:`find_same`; every name is one of the cases'.

    Returns
    -------
    dict
        By name, why it is left out, in words.
    """
    patients = patients_of(cases, same)
    tested = {patients[case.name] for case in cases if case.split == "test"}
    decided = {patients[case.name] for case in cases if case.split not in ("", "test")}
    tests = {case.name for case in cases if case.split == "test"}
    twin = {name: test for members in same for test in sorted(tests.intersection(members))[:1] for name in members}
    return {
        case.name: f"it holds the same image as {twin[case.name]}, which is in the test split"
        if case.name in twin
        else "its patient is in the test split"
        for case in cases
        if not case.split and patients[case.name] in tested - decided
    }


def notes_of_same(cases: Sequence[Case], same: Same) -> list[str]:
    """What becomes of cases that hold the same image, one sentence each; of many, how many more there are.

    Parameters
    ----------
    cases, same:
        As of :func:`kept_for_test`, without the cases that it names.
    """
    patients, given = patients_of(cases, same), {case.name: case.split for case in cases}
    pictured = {case.name for case in cases if case.has_image}
    told = [members for members in same if any(given[name] != "test" for name in members)]
    notes = [
        f"{_listed(members)} hold the same {'labels' if pictured.isdisjoint(members) else 'image'} "
        + _becomes({patients[name] for name in members}, {given[name] for name in members})
        for members in told[:TOLD]
    ]
    if len(told) > TOLD:
        more = told[TOLD:]
        apart = sum(len({patients[name] for name in members}) > 1 for members in more)
        split = f", {apart} of them on both sides of the split as it was given" if apart else ""
        notes.append(f"{len(more)} more images are there twice or more often{split}")
    return notes


def _becomes(patients: set[str], given: set[str]) -> str:
    if len(patients) == 1:
        return "and stay together, learnt from or held out"
    if "test" in given:
        return "though some of them were given to the test split and others were not, so a test on them flatters"
    return "and were given to both sides of the split, so its figures flatter"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return " and ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
