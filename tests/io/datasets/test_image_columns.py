from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import read_dataset
from napari_resmed.io.datasets.classes.recognise import read_classes
from napari_resmed.io.datasets.image_columns import find_image_columns, images_in_row
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


class TestOneFileForEachColumn:
    @pytest.mark.parametrize("rows", ["T1,FLAIR,{}\na.nii.gz;b.nii.gz,,x\n", "T1,{}\na.nii.gz;b.nii.gz,x\n"])
    def test_several_under_a_modality_are_refused(self, rows: str, tmp_path: Path) -> None:
        """The second would be taken for the next column's."""
        table = tmp_path / "list.csv"
        for read, column in ((read_dataset, "label"), (read_classes, "class")):
            table.write_text(rows.format(column).replace(",x", ",x.nii.gz" if column == "label" else ",x"))
            with pytest.raises(
                InputError, match="list.csv has several files under T1 in line 2, expected one; give each"
            ):
                read(table)

    def test_a_word_for_none_beside_the_file(self, tmp_path: Path) -> None:
        table = tmp_path / "list.csv"
        table.write_text("T1,FLAIR\nn/a;a.nii.gz,b.nii.gz\n,b.nii.gz\n")
        rows = read_rows(table)
        found = [images_in_row(row, find_image_columns(rows, table), table) for row in rows]
        both = [(0, tmp_path / "a.nii.gz"), (1, tmp_path / "b.nii.gz")]
        assert found == [both, both[1:]]
