from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.rows import is_yes, read_rows


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


@pytest.mark.parametrize(("said", "separator"), [("sep=;", ";"), ('"sep=,"', ","), ("SEP=|", "|")])
def test_the_separator_may_be_told(said: str, separator: str, tmp_path: Path) -> None:
    head, values = separator.join(["image", "label"]), separator.join(["a", "b"])
    (row,) = read_rows(put(tmp_path, f"{said}\r\n{head}\r\n{values}\r\n"))
    assert (dict(row), row.line) == ({"image": "a", "label": "b"}, 3)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_the_file(end: str, tmp_path: Path) -> None:
    text = end.join(["", "image,report", "a,", "", "  ", 'b,"of two', 'lines"', ",", "c,last"])
    rows = read_rows(put(tmp_path, text))
    assert [(row["image"], row.line) for row in rows] == [("a", 3), ("b", 7), ("c", 9)]


def test_a_head_over_empty_cells(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="list.csv has no rows"):
        read_rows(put(tmp_path, "image,label\n,\n"))


class TestEntriesStandUnderTheirColumns:
    @pytest.mark.parametrize(
        "text",
        [
            "image;label\na.nii.gz;b.nii.gz\nt1.nii.gz;flair.nii.gz;seg.nii.gz\n",
            "image,label\na.nii.gz,b.nii.gz\nSmith, J/t1.nii.gz,seg.nii.gz\n",
        ],
    )
    def test_more_entries_than_columns(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"list.csv has 3 entries in line 3 and 2 columns; put what holds"):
            read_rows(put(tmp_path, text))

    def test_empty_entries_behind_the_last_column(self, tmp_path: Path) -> None:
        (row,) = read_rows(put(tmp_path, "image,label\na,b,, \n"))
        assert list(row.values()) == ["a", "b"]

    @pytest.mark.parametrize("rest", ["f", "f\n\n", 'f\ng,"h"\ni,j\n'])
    def test_a_quotation_mark_that_is_not_closed(self, rest: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="list.csv has a quotation mark from line 3 on that is not closed"):
            read_rows(put(tmp_path, f'image,label\na,b\nc,"d\ne,{rest}'))


def test_unicode_text_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("image\tlabel\nMüller.nii.gz\tb\n".encode("utf-16"))
    assert [list(row.values()) for row in read_rows(path)] == [["Müller.nii.gz", "b"]]


@pytest.mark.parametrize("word", ["NaN", "nan"])
def test_no_number_is_no_yes(word: str) -> None:
    with pytest.raises(InputError, match=f"list.csv has the entry '{word}', expected yes or no"):
        is_yes(word, "list.csv")
