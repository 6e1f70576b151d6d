from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import find_series, preview
from tests.io.dicom.making import bundled, change, make_series


class TestPreview:
    def test_middle_image_through_the_window(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")

        def window(data: Dataset) -> None:
            data.WindowCenter, data.WindowWidth = 70, 20

        for file in folder.iterdir():
            change(file, window)
        (series,) = find_series(folder)
        shown = preview(series)
        assert (shown.shape, shown.dtype) == ((5, 4), np.uint8)
        # Slice 3 of 6 holds 60 to 79, the window spans 60 to 80.
        np.testing.assert_array_equal(shown.ravel(), np.rint(np.arange(20) / 20 * 255))

    def test_low_values_are_bright_where_the_file_says_so(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        (series,) = find_series(folder)
        plain = preview(series)
        for file in folder.iterdir():
            change(file, lambda data: setattr(data, "PhotometricInterpretation", "MONOCHROME1"))
        (series,) = find_series(folder)
        np.testing.assert_array_equal(preview(series), 255 - plain)

    def test_only_one_file_is_needed(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        (series,) = find_series(folder)
        for file in folder.iterdir():
            if file != series.files[3]:
                file.unlink()
        assert preview(series).shape == (5, 4)

    def test_colour(self) -> None:
        (series,) = find_series([bundled("SC_rgb_rle_16bit.dcm")])
        assert preview(series).shape == (100, 100, 3)

    def test_irregular(self, shared_data: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/sliceincrement/001")
        assert series.problem
        assert preview(series).std() > 0

    def test_no_picture(self) -> None:
        (series,) = find_series([bundled("rtplan.dcm")])
        with pytest.raises(InputError, match="RT Plan"):
            preview(series)
