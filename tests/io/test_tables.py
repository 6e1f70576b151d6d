from __future__ import annotations

import csv
from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.tables import write_table


class TestWriteTable:
    def test_rows_come_back(self, tmp_path: Path) -> None:
        rows = [{"name": 'white, "matter"', "volume_ml": 1.5}, {"name": "Großhirn\nrinde", "volume_ml": 0}]
        write_table(rows, tmp_path / "a.csv")
        with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
            back = list(csv.DictReader(file))
        assert [(row["name"], float(row["volume_ml"])) for row in back] == [(r["name"], r["volume_ml"]) for r in rows]

    def test_without_rows_a_head(self, tmp_path: Path) -> None:
        write_table([], tmp_path / "a.csv")
        assert (tmp_path / "a.csv").read_text().strip() == "value"

    def test_rows_that_differ_leave_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="other"):
            write_table([{"a": 1}, {"other": 2}], tmp_path / "a.csv")
        assert list(tmp_path.iterdir()) == []

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="create it first"):
            write_table([{"a": 1}], tmp_path / "none" / "a.csv")
