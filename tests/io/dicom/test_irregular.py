from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import find_series, read_series
from tests.io.dicom.making import change, make_series, ramp


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    """Slices 0, 1, 2 and 4, 5, 6, 7 of eight."""
    folder = make_series(tmp_path / "gap", (8, 5, 4))
    (folder / "slice_4.dcm").unlink()
    return folder


class TestLargestBlock:
    def test_beside_a_gap(self, gap: Path) -> None:
        (series,) = find_series(gap)
        assert series.remedies == ("largest_block", "resample")
        volume = read_series(series, "largest_block")
        np.testing.assert_array_equal(volume.data, ramp((8, 5, 4))[4:])
        np.testing.assert_allclose(volume.affine[:3, 3], (10, -20, 30 + 4 * 3), atol=1e-9)
        assert "3 of 7 images are left out" in volume.meta["warnings"][0]

    def test_real_gap(self, shared_data: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/sliceincrement/001")
        volume = read_series(series, "largest_block")
        assert volume.shape == (3, 512, 512)
        assert volume.spacing_mm[0] == pytest.approx(5, abs=1e-4)

    def test_copies_are_left_out(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "twice")
        shutil.copy(folder / "slice_2.dcm", folder / "copy.dcm")
        (series,) = find_series(folder)
        volume = read_series(series, "largest_block")
        np.testing.assert_array_equal(volume.data, ramp())
        assert "1 of 7 images are left out" in volume.meta["warnings"][0]


class TestResample:
    def test_a_missing_slice_lies_between_its_neighbours(self, gap: Path) -> None:
        (series,) = find_series(gap)
        volume = read_series(series, "resample")
        # Values grow linearly with height, so that interpolation gives back what was there.
        np.testing.assert_array_equal(volume.data, ramp((8, 5, 4)))
        assert volume.data.dtype == np.uint16
        np.testing.assert_allclose(volume.spacing_mm, (3, 1.5, 0.7))
        assert "resampled: 7 slices up to 6 mm apart became 8" in volume.meta["warnings"][0]

    def test_uneven(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "uneven", (4, 5, 4))
        for file, height in zip(sorted(folder.iterdir()), (30, 33, 35, 39), strict=True):

            def move(data: object, height: int = height) -> None:
                data.ImagePositionPatient[2] = height  # type: ignore[attr-defined]

            change(file, move)
        (series,) = find_series(folder)
        assert "2 to 4 mm apart" in series.problem
        volume = read_series(series, "resample")
        stored = ramp((4, 5, 4))
        np.testing.assert_array_equal(volume.data[[0, 1, 3]], stored[[0, 1, 3]])
        # 36 mm is a quarter of the way from 35 mm to 39 mm.
        np.testing.assert_array_equal(volume.data[2], np.rint(stored[2] * 0.75 + stored[3] * 0.25))


class TestRefusals:
    def test_without_being_asked(self, gap: Path) -> None:
        (series,) = find_series(gap)
        with pytest.raises(InputError, match="1 of 8 is missing"):
            read_series(series)

    def test_nothing_helps(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "sideways")
        for index, file in enumerate(sorted(folder.iterdir())):

            def shift(data: object, index: int = index) -> None:
                data.ImagePositionPatient[0] += 10 * index  # type: ignore[attr-defined]

            change(file, shift)
        (series,) = find_series(folder)
        assert "largest_block" not in series.remedies
        with pytest.raises(InputError, match="does not help here"):
            read_series(series, "largest_block")
