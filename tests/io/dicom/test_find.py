from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import CancelledError
from napari_resmed.io.dicom import find_series, read_series
from tests.io.dicom.making import make_series


class TestProgress:
    def test_to_the_end(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        folder = make_series(tmp_path / "series", (45, 2, 2))
        (series,) = find_series(folder, lambda done, total: seen.append((done, total)))
        assert seen == [(0, 45), (20, 45), (40, 45), (45, 45)]
        seen.clear()
        read_series(series, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (45, 45)
        assert seen == sorted(seen)

    def test_cancel(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series", (45, 2, 2))
        (series,) = find_series(folder)

        def stop(done: int, total: int) -> None:
            raise CancelledError("stopped")

        with pytest.raises(CancelledError):
            find_series(folder, stop)
        with pytest.raises(CancelledError):
            read_series(series, progress=stop)


class TestKinds:
    def test_of_objects(self, shared_data: Path) -> None:
        found = find_series(shared_data / "dicom/objects/highdicom")
        kinds = {(series.modality, series.kind) for series in found}
        assert kinds == {
            ("CT", "image"), ("DX", "image"), ("SEG", "labels"), ("SM", "other"), ("SR", "other"), ("ANN", "other"),
        }  # fmt: skip
        assert all(len(series.files) == 1 for series in found if series.kind == "labels")

    def test_structures(self, shared_data: Path) -> None:
        found = find_series(shared_data / "dicom/objects/rt_utils/tests/mock_data")
        assert sorted(series.kind for series in found) == ["image", "labels", "labels", "labels"]
        assert {series.sop_class for series in found if series.kind == "labels"} == {"1.2.840.10008.5.1.4.1.1.481.3"}
