"""Names of cases: from file names, fit for nnU-Net, each once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePath

__all__ = ["case_names", "channels_by_name", "unlike"]

# File systems take 255 bytes; a number, a channel, a session's conflict and the ending add less than the rest.
MOST_LETTERS = 200
# Devices, to Windows, whatever follows behind a dot (Naming Files, Paths, and Namespaces; Microsoft).
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# More would be a series of cases numbered with four digits rather than channels of one.
MOST_CHANNELS_OF_ONE_CASE = 4


def case_names(paths: Sequence[PurePath]) -> list[str]:
    """A name for every image.

    The file's own name where it is the only one, else with the folders it lies in, else with a number.

    Parameters
    ----------
    paths:
        Relative to the folder that holds them all, without ending.
    """
    plain = [_tidy(path.name) for path in paths]
    often = Counter(name.lower() for name in plain)
    names: list[str] = []
    taken: set[str] = set()
    for path, name in zip(paths, plain, strict=True):
        wish = name if often[name.lower()] == 1 else _tidy("_".join(path.parts))
        names.append(unlike(wish, taken))
        taken.add(names[-1].lower())
    return names


def unlike(name: str, used: Collection[str]) -> str:
    """A name unlike those that are used, which are in small letters: to Windows and macOS both are one name."""
    free, number = name, 2
    while free.lower() in used:
        free, number = f"{name}_{number}", number + 1
    return free


def _tidy(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_.-")[:MOST_LETTERS].rstrip("_.-") or "case"
    return f"case_{plain}" if _DEVICE.fullmatch(plain) else plain


def channels_by_name(stems: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
    """Which images are channels of one case, by nnU-Net's ``CASE_0000``, ``CASE_0001``.

    Parameters
    ----------
    stems:
        Paths without ending.

    Returns
    -------
    dict or None
        For every case the places of its channels in ``stems``, of a stem that is there twice the first; None where
        names do not say so throughout.
    """
    groups: dict[str, dict[int, int]] = {}
    for place, name in enumerate(stems):
        match = re.fullmatch(r"(.+)_(\d{4})", name)
        if match is None:
            return None
        groups.setdefault(match[1], {}).setdefault(int(match[2]), place)
    sizes = {tuple(sorted(group)) for group in groups.values()}
    if len(sizes) != 1 or (channels := next(iter(sizes))) != tuple(range(len(channels))):
        return None
    if len(groups) == 1 and len(channels) > MOST_CHANNELS_OF_ONE_CASE:
        return None
    return {name: tuple(group[channel] for channel in channels) for name, group in groups.items()}
