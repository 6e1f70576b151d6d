"""Asking a person where a table or a picture goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_resmed.errors import ResMedError

__all__ = ["ask_and_save"]


def ask_and_save(
    parent: QWidget, title: str, proposed: str, save: Callable[[Path], object], kinds: str = "Table (*.csv)"
) -> None:
    """Ask for the name of a file, save it there, and tell how it went.

    Parameters
    ----------
    parent:
        Over which the question is asked.
    title, proposed:
        Of the question; the file's name that stands there.
    save:
        Writes the file, or raises a ``ResMedError``.
    kinds:
        As Qt wants them; a name that ends like none of them gets the ending of what was proposed.
    """
    name, _ = QFileDialog.getSaveFileName(parent, title, proposed, kinds)
    if not name:
        return
    endings = tuple(re.findall(r"\*(\.\w+)", kinds))
    path = Path(name if name.lower().endswith(endings) else name + Path(proposed).suffix)
    try:
        save(path)
    except ResMedError as problem:
        show_error(str(problem))
    else:
        show_info(f"Saved {path.name}")
