from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from napari_resmed import geometry
from napari_resmed.io.dicom import find_series, read_series
from tests.io.dicom.making import change

# First and last voxel (LPS, mm) and the middle value of the first time, as dcm2niix v1.0.20260724 gives them:
# benchmarks/dicom_agreement.py compares every voxel.
MOSAICS = [
    ("dcm_qa_nih/In/20180918Si/mr_0003", (2, 5, 72, 72), (-108, -108, 16), (105, 105, 64), 301),
    ("dcm_qa_orientation/In/sag/sagdesc35",
     (2, 35, 64, 64), (61.2, -140.3196, 78.5763), (-61.2, 64.4304, -126.1737), 646),
    ("dcm_qa_orientation/In/cor/corasc35",
     (2, 35, 64, 64), (-104, -117.2083, 109.9593), (100.75, -27.573, -111.1059), 213),
    ("dcm_qa_orientation/In/axmb/AxInt36mb",
     (2, 36, 86, 86), (-116, -166.7996, -52.1396), (113.3023, 81.3366, 30.8302), 690),
]  # fmt: skip


class TestMosaic:
    @pytest.mark.parametrize(("where", "shape", "first", "last", "value"), MOSAICS)
    def test_world_positions(self, shared_data: Path, where: str, shape, first, last, value: int) -> None:
        (series,) = find_series(shared_data / "dicom" / where)
        volume = read_series(series)
        assert (volume.axes, volume.shape, series.shape) == ("tzyx", shape, shape)
        ends = geometry.corners(volume.affine, volume.shape)[[0, -1]]
        np.testing.assert_allclose(ends, [first, last], atol=1e-3)
        assert volume.data[0][tuple(n // 2 for n in volume.grid_shape)] == value

    def test_nine_encodings_are_one_image(self, shared_data: Path) -> None:
        """Also the same file read as little- and big-endian, implicit, run-length, JPEG, JPEG-LS and JPEG 2000."""
        files = sorted((shared_data / "dicom/dcm_qa_ts/In").iterdir())
        volumes = [read_series(find_series([file])[0]) for file in files]
        assert len(volumes) == 9
        for volume in volumes[1:]:
            np.testing.assert_array_equal(volume.data, volumes[0].data)
            np.testing.assert_allclose(volume.affine, volumes[0].affine, atol=1e-9)

    def test_without_private_header(self, shared_data: Path, tmp_path: Path) -> None:
        source = next((shared_data / "dicom/dcm_qa_nih/In/20180918Si/mr_0003").glob("*.dcm"))
        file = Path(shutil.copy(source, tmp_path / "a.dcm"))

        def strip(data: pydicom.Dataset) -> None:
            del data[0x00291010]

        change(file, strip)
        (series,) = find_series(file)
        assert "private header" in series.problem
        assert "export" in series.problem
