from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGLSLossless,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    NuclearMedicineImageStorage,
    RLELossless,
)

from napari_resmed.io.dicom import find_series, preview, read_series
from napari_resmed.volume import Volume
from tests.io.dicom.making import bundled, change, make_series, ramp


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Three frames of 5 x 4 in one file of secondary captures."""
    (file,) = make_series(tmp_path / "film", (1, 5, 4)).iterdir()

    def several(data: Dataset) -> None:
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
        data.NumberOfFrames = 3
        data.PixelData = ramp((3, 5, 4)).tobytes()

    change(file, several)
    return file


class TestFilm:
    def test_frames_are_times(self, film: Path) -> None:
        (series,) = find_series(film)
        volume = read_series(series)
        assert (volume.axes, volume.shape, series.ordered_by) == ("tzyx", (3, 1, 5, 4), "frame number")
        np.testing.assert_array_equal(volume.data[:, 0], ramp((3, 5, 4)))
        assert any("where its 3 frames lie" in warning for warning in series.warnings)

    def test_colour_ultrasound(self) -> None:
        (series,) = find_series([bundled("examples_ybr_color.dcm")])
        volume = read_series(series)
        assert (volume.axes, volume.shape, volume.modality) == ("tczyx", (30, 3, 1, 240, 320), "US")
        expected = pydicom.dcmread(bundled("examples_ybr_color.dcm")).pixel_array
        np.testing.assert_array_equal(np.moveaxis(volume.data[:, :, 0], 1, -1), expected)

    @pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
    def test_compressed(self, tmp_path: Path, syntax: str) -> None:
        (file,) = make_series(tmp_path / "film", (1, 96, 80)).iterdir()

        def several(data: Dataset) -> None:
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = (
                MultiFrameGrayscaleWordSecondaryCaptureImageStorage
            )
            data.NumberOfFrames = 3
            data.PixelData = ramp((3, 96, 80)).tobytes()
            data.compress(syntax, generate_instance_uid=False)

        change(file, several)
        (series,) = find_series(file)
        np.testing.assert_array_equal(read_series(series).data[:, 0], ramp((3, 96, 80)))
        assert preview(series).shape == (96, 80)

    def test_in_a_class_of_single_images(self, film: Path) -> None:
        def single(data: Dataset) -> None:
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"

        change(film, single)
        (series,) = find_series(film)
        assert "3 frames in a MR image" in series.problem

    def test_more_frames_than_pixels(self, film: Path) -> None:
        change(film, lambda data: setattr(data, "NumberOfFrames", 4))
        (series,) = find_series(film)
        with pytest.raises(Exception, match="fewer pixels than its header says"):
            read_series(series)


class TestUltrasoundSpacing:
    def region(self, x: float = 0.02, y: float = 0.03, units: int = 3) -> Dataset:
        region = Dataset()
        region.RegionSpatialFormat = 1
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = units
        region.PhysicalDeltaX, region.PhysicalDeltaY = x, y
        return region

    @pytest.mark.parametrize(
        ("regions", "spacing"),
        [
            ([()], (0.3, 0.2)),
            ([(), (0.02, 0.03)], (0.3, 0.2)),
            ([(), (0.01, 0.01)], (1.0, 1.0)),  # two scales: none is right for the whole picture
            ([(0.02, 0.03, 4)], (1.0, 1.0)),  # seconds
        ],
    )
    def test_spacing(self, film: Path, regions: list[tuple[float, ...]], spacing: tuple[float, float]) -> None:
        def scale(data: Dataset) -> None:
            del data.PixelSpacing
            data.SequenceOfUltrasoundRegions = [self.region(*one) for one in regions]  # type: ignore[arg-type]

        change(film, scale)
        (series,) = find_series(film)
        assert series.spacing_mm[1:] == pytest.approx(spacing)
        assert any("spacing is not stated" in warning for warning in series.warnings) == (spacing == (1.0, 1.0))


class TestDoseGrid:
    def test_planes(self) -> None:
        (series,) = find_series([bundled("rtdose.dcm")])
        volume = read_series(series)
        header = pydicom.dcmread(bundled("rtdose.dcm"))
        assert volume.meta["units"] == header.DoseUnits
        for index, offset in enumerate(header.GridFrameOffsetVector):
            position = np.add(header.ImagePositionPatient, (0, 0, offset))
            np.testing.assert_allclose((volume.affine @ (index, 0, 0, 1))[:3], position, atol=1e-6)
        np.testing.assert_allclose(volume.data, header.pixel_array * float(header.DoseGridScaling), rtol=1e-12)


class TestParametricMap:
    @pytest.mark.parametrize(("dtype", "slope"), [(np.uint16, 0.5), (np.float32, 1.0), (np.float64, 1.0)])
    def test_values_and_places(self, dtype: type, slope: float, tmp_path: Path) -> None:
        highdicom = pytest.importorskip("highdicom", reason="makes the map")
        from highdicom.pm import ParametricMap, RealWorldValueMapping
        from pydicom.sr.codedict import codes

        folder = make_series(tmp_path / "series", (3, 5, 4))
        images = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
        values = ramp((3, 5, 4)).astype(dtype)
        highest = 59 if np.issubdtype(dtype, np.integer) else 59.0
        mapping = RealWorldValueMapping(
            "1", "a map", codes.UCUM.Millimeter, value_range=(type(highest)(0), highest), intercept=2, slope=slope
        )
        made = ParametricMap(
            images, values, highdicom.UID(), 1, highdicom.UID(), 1, "a", "b", "1", "1", False, [mapping], 10, 20
        )
        made.save_as(tmp_path / "map.dcm")
        (series,) = find_series([tmp_path / "map.dcm"])
        volume = read_series(series)
        # The standard maps float pixels too.
        np.testing.assert_allclose(volume.data, values * slope + 2)
        assert volume.meta["units"] == "mm"
        np.testing.assert_allclose(volume.affine, find_and_read(folder).affine, atol=1e-6)


def find_and_read(folder: Path) -> Volume:
    (series,) = find_series(folder)
    return read_series(series)


class TestNuclearMedicine:
    def test_slices(self, film: Path) -> None:
        def tomographic(data: Dataset) -> None:
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
            data.FrameIncrementPointer = 0x00540080
            data.SpacingBetweenSlices = "3"
            detector = Dataset()
            detector.ImagePositionPatient = [1, 2, 3]
            detector.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            data.DetectorInformationSequence = [detector]

        change(film, tomographic)
        (series,) = find_series(film)
        volume = read_series(series)
        assert (volume.axes, volume.shape) == ("zyx", (3, 5, 4))
        np.testing.assert_allclose((volume.affine @ (2, 0, 0, 1))[:3], (1, 2, 9))
        np.testing.assert_array_equal(volume.data, ramp((3, 5, 4)))
