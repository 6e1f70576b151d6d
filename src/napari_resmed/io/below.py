"""All files in a folder and below it, through links too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["files_below"]


def files_below(folder: Path, leave: Callable[[Path], bool] | None = None, dead: bool = False) -> Iterator[Path]:
    """Give every file that is not hidden, each folder's in order of names.

    Folders behind symbolic links come after all others, under the link's name. A folder is looked into once, whatever
    leads to it: a link to a folder around it ends there.

    Parameters
    ----------
    folder:
        Where to begin; what cannot be opened is passed over.
    leave:
        Folders below it for which this is true are not looked into.
    dead:
        Whether links to files that are not there are given, too.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    leave = leave or (lambda _: False)
    while waiting:
        links: list[Path] = []
        for start in waiting:
            yield from _walk(start, seen, links, leave, dead)
        waiting = links


def _walk(
    start: Path, seen: set[tuple[int, int]], links: list[Path], leave: Callable[[Path], bool], dead: bool
) -> Iterator[Path]:
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
        folders[:] = sorted(name for name in folders if not leave(here / name))
        links += [link for name in folders if (link := here / name).is_symlink()]
        for name in sorted(files):
            file = here / name
            if not name.startswith(".") and (file.is_file() or (dead and file.is_symlink())):
                yield file
