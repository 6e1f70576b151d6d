from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_resmed.io.datasets.image_columns import find_image_columns
from napari_resmed.io.datasets.rows import read_rows


def test_every_entry_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("p1/t1", "p2/t1", "p3/t1", "p1/flair"):
        (tmp_path / place).mkdir(parents=True)
    table = tmp_path / "list.csv"
    table.write_text("T1,FLAIR,notes,class\np1/t1,p1/flair,seen 1/2,a\np2/t1,,seen 2/2,b\np3/t1,n/a,,b\n")
    folders: list[object] = []
    asked: list[object] = []
    is_dir, scan = os.path.isdir, os.scandir
    monkeypatch.setattr(os.path, "isdir", lambda path: asked.append(path) or is_dir(path))
    monkeypatch.setattr(os, "scandir", lambda path: folders.append(path) or scan(path))
    found = find_image_columns(read_rows(table), table)
    assert (found.names, found.notes) == (("T1", "FLAIR"), ())
    assert len(asked) == len(set(asked)) == 6
    assert folders == [tmp_path]
