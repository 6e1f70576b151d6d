"""Which structures of two sets are one, by their names alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from napari_resmed.labels import run_together, spelling

__all__ = ["match_names"]


def match_names(theirs: Collection[str], ours: Collection[str]) -> dict[str, str]:
    """The name among ours of each of theirs that has one.

    The same name first, letter for letter, then in another case of letters or with other blanks (``right_kidney`` is
    ``Right Kidney``); with no blank at all (``RightKidney``) only where no other name of either side is written so.
    Signs tell names apart: ``ER+`` is not ``ER-``.
    """
    found = {name: name for name in theirs if name in set(ours)}
    spelt: dict[str, str] = {}
    for name in ours:
        spelt.setdefault(spelling(name), name)
    found |= {name: spelt[spelling(name)] for name in theirs if name not in found and spelling(name) in spelt}
    joined = {run_together(name): name for name in ours}
    once = [Counter(map(run_together, {*names})) for names in (theirs, ours)]
    for name in theirs:
        word = run_together(name)
        if name not in found and once[0][word] == once[1][word] == 1:
            found[name] = joined[word]
    return found
