"""All files in a folder and below it, through links too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_below"]


def files_below(folder: Path) -> Iterator[Path]:
    """Give every file that is not hidden, each folder's in order of names.

    Folders behind symbolic links come after all others, under the link's name. A folder is looked into once, whatever
    leads to it: a link to a folder around it ends there.

    Parameters
    ----------
    folder:
        Where to begin; what cannot be opened is passed over.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            yield from _walk(start, seen, links)
        waiting = links


def _walk(start: Path, seen: set[tuple[int, int]], links: list[Path]) -> Iterator[Path]:
    """The files below; folders behind links are left for later, those that were seen are passed over."""
    for where, folders, files in os.walk(start):
        here = Path(where)
        try:
            stat = here.stat()
        except OSError:
            folders.clear()
            continue
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders.sort()
        links += [link for name in folders if (link := here / name).is_symlink()]
        yield from (file for name in sorted(files) if not name.startswith(".") and (file := here / name).is_file())
