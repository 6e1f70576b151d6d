from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.rows import read_rows


def put(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        ('image;label;"size (x,y)"', ";"),
        ('"size (x,y)";image;label', ";"),
        ('image;label;"called ""x,y"" there"', ";"),
        ('image;label;5" x', ";"),
        ('image\tlabel\t"x;y,z"', "\t"),
        ('"image","label","size;x"', ","),
        ("image,label,size x;y", ","),
    ],
)
def test_the_separator_stands_outside_quotes(head: str, separator: str, tmp_path: Path) -> None:
    (row,) = read_rows(put(tmp_path, f"{head}\n{separator.join('abc')}\n"))
    assert list(row.values()) == ["a", "b", "c"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_the_file(end: str, tmp_path: Path) -> None:
    text = end.join(["", "image,report", "a,", "", "  ", 'b,"of two', 'lines"', ",", "c,last"])
    rows = read_rows(put(tmp_path, text))
    assert [(row["image"], row.line) for row in rows] == [("a", 3), ("b", 7), ("c", 9)]


def test_a_head_over_empty_cells(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="list.csv has no rows"):
        read_rows(put(tmp_path, "image,label\n,\n"))
