"""What a case is called: after its file, or where that says nothing, after its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from napari_resmed.io.formats import stem

__all__ = ["case_names"]


def case_names(images: Sequence[Path], root: Path) -> list[str]:
    """A name of its own for each of the images.

    The file's, where no two share one; else the folder's (``patient1/t1.nii.gz`` is ``patient1``); else the whole way
    from ``root``.
    """
    short = [_stem(path) for path in images]
    folders = [path.parent.name for path in images]
    whole = [_way(path, root) for path in images]
    return next((names for names in (short, folders) if max(Counter(names).values(), default=1) == 1), whole)


def _way(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts if path.is_relative_to(root) else path.parts[1:]
    return "_".join((*parts[:-1], _stem(path)))


def _stem(path: Path) -> str:
    return stem(path.name) or path.name
