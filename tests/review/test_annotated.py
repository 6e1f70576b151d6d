from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.review.annotated import read_annotated


def table(place: Path, text: str) -> Path:
    path = place / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return path


class TestRead:
    def test_headings_are_names_or_values(self, tmp_path: Path) -> None:
        found = read_annotated(table(tmp_path, "split,case,Right Parotid,2,label 3\ntrain,a,12,0,yes\ntest,b,,5,no\n"))
        columns = found.known_columns({1: "right_parotid", 2: "Mandible", 3: "Larynx", 4: "Eye"})
        assert columns == {1: "Right Parotid", 2: "2", 3: "label 3"}
        assert found.unknown(Path("a.nii.gz"), columns) == {2}
        assert found.unknown(Path("b_seg.nii.gz"), columns) == {1, 3}
        assert found.unknown(Path("c.nii.gz"), columns) is None

    def test_names_that_differ_in_a_sign_are_two(self, tmp_path: Path) -> None:
        found = read_annotated(table(tmp_path, "case,ER+,ER-\na,yes,no\n"))
        assert found.known_columns({1: "ER+", 2: "ER-"}) == {1: "ER+", 2: "ER-"}

    def test_a_case_may_be_a_file(self, tmp_path: Path) -> None:
        found = read_annotated(table(tmp_path, "image,Liver\nimagesTr/a_0000.nii.gz,0\n"))
        assert found.unknown(Path("a.nii.gz"), {1: "Liver"}) == {1}

    def test_the_real_one(self, shared_data: Path) -> None:
        found = read_annotated(shared_data / "headneck_ct/cases.csv")
        names = dict(enumerate("Brainstem SpinalCord RightParotid LeftParotid Esophagus Larynx Mandible".split(), 1))
        columns = found.known_columns(names)
        assert len(found.cases) == 90
        assert sum(not found.unknown(Path(case), columns) for case in found.cases) == 30  # as its README says


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "holds no table"),
            ("case,Liver\n", "holds no table"),
            ("case;Liver\na;1\n", "with commas between"),
            ("case,Liver\na,1,2\n", "line 2 of cases.csv has 3 cells, expected 2"),
            ("case,Liver\n\na,1\n\nb,1,2\n", "line 5 of cases.csv has 3 cells, expected 2"),
            ("case,Liver\na,1\na,0\n", "has the case a twice"),
        ],
    )
    def test_no_table(self, text: str, reason: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=reason):
            read_annotated(table(tmp_path, text))

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read as a table"):
            read_annotated(tmp_path / "none.csv")

    def test_no_column_that_is_a_label(self, tmp_path: Path) -> None:
        found = read_annotated(table(tmp_path, "case,Liver,Spleen\na,1,0\n"))
        with pytest.raises(
            InputError, match=r"no column of cases.csv \(Liver, Spleen\) is the name of a label \(label 1\)"
        ):
            found.known_columns({1: "label 1"})
