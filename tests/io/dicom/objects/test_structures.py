from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series
from napari_resmed.io.dicom.objects import read_object, read_objects
from napari_resmed.io.dicom.objects.outline import ON_OUTLINE
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.io.dicom.objects.study import object_in, write_image

SHAPE = (12, 40, 36)
SPACING = (3.0, 1.2, 1.1)
OBLIQUE = make_affine(degrees=(20, -10, 35), spacing_mm=SPACING, origin_mm=(-120, 35.5, 880))
TILTED = make_affine(shear=(0.3, 0, 0), spacing_mm=SPACING, origin_mm=(-100, -90, 40))


def write_structures(
    folder: Path, series: Series, regions: dict[str, list[np.ndarray]], kind: str = "CLOSED_PLANAR", **tags: object
) -> None:
    """A structure set over a series; contours ``(n, 3)`` are in voxels ``(z, y, x)`` of it."""
    source = pydicom.dcmread(series.files[0])
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID = RTStructureSetStorage, generate_uid()
    file.StudyInstanceUID, file.SeriesInstanceUID, file.Modality = source.StudyInstanceUID, generate_uid(), "RTSTRUCT"
    file.StructureSetLabel = "plan"
    referenced, study, frame = Dataset(), Dataset(), Dataset()
    referenced.SeriesInstanceUID = source.SeriesInstanceUID
    study.RTReferencedSeriesSequence = [referenced]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = source.FrameOfReferenceUID, [study]
    file.ReferencedFrameOfReferenceSequence = [frame]
    file.StructureSetROISequence, file.ROIContourSequence, file.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ROIDisplayColor = number, [10 * number, 20, 30]
        drawn.ContourSequence = []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = kind
            contour.NumberOfContourPoints = len(points)
            places = points @ series.affine[:3, :3].T + series.affine[:3, 3]
            contour.ContourData = [f"{value:.4f}" for value in places.ravel()]
            drawn.ContourSequence.append(contour)
        file.StructureSetROISequence.append(roi)
        file.ROIContourSequence.append(drawn)
    for tag, value in tags.items():
        setattr(file, tag, value)
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.save_as(folder / "structures.dcm", enforce_file_format=True)


def ring(z: float, radius_mm: float = 12.0, centre: tuple[float, float] = (20.3, 17.6), across: int = 0) -> np.ndarray:
    """A circle in a plane of the image, in voxels."""
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    spacing = np.delete(SPACING, across)
    flat = np.stack(
        [centre[0] + radius_mm / spacing[0] * np.sin(angles), centre[1] + radius_mm / spacing[1] * np.cos(angles)],
        axis=1,
    )
    return np.insert(flat, across, z, axis=1)


def square(z: float, low: float, high: float) -> np.ndarray:
    return np.array([[z, low, low], [z, low, high], [z, high, high], [z, high, low]])


class TestShapes:
    @pytest.mark.parametrize(
        "affine", [make_affine(spacing_mm=SPACING), OBLIQUE, TILTED], ids=["axial", "oblique", "tilted"]
    )
    def test_a_cylinder(self, affine: np.ndarray, tmp_path: Path) -> None:
        series = write_image(tmp_path, affine, SHAPE)
        write_structures(tmp_path, series, {"rod": [ring(z) for z in range(3, 9)]})
        labels = read_object(object_in(tmp_path))
        assert "warnings" not in labels.meta
        assert labels.same_grid(labels.with_data(np.zeros(series.shape, np.uint8)))
        z, y, x = np.indices(SHAPE)
        distance = np.hypot((y - 20.3) * SPACING[1], (x - 17.6) * SPACING[2])
        expected = (distance < 12) & (z >= 3) & (z < 9)
        # A polygon of 120 corners lies within its circle by 4 micrometres; nearer voxel centres may be either.
        clear = np.abs(distance - 12) > 0.005 + ON_OUTLINE * max(SPACING)
        assert np.array_equal(labels.data[clear] == 1, expected[clear])
        volume_ml = labels.counts()[1] * labels.voxel_ml
        assert volume_ml == pytest.approx(np.pi * 12**2 * 6 * 3 / 1000, rel=0.02)

    @pytest.mark.parametrize("case", AXIS_ORDERS[::5], ids=axis_order_name)
    def test_every_axis_order(self, case: tuple, tmp_path: Path) -> None:
        series = write_image(tmp_path, make_affine(*case, spacing_mm=SPACING, origin_mm=(5, -6, 7)), SHAPE)
        write_structures(tmp_path, series, {"corner": [square(z, 1.5, 4.5) for z in (2, 3)]})
        found = np.argwhere(read_object(object_in(tmp_path)).data)
        assert (found.min(axis=0).tolist(), found.max(axis=0).tolist()) == ([2, 2, 2], [3, 4, 4])

    def test_contours_across_the_slices(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        contours = [ring(x, 8, (5.2, 20.4), across=2) for x in range(10, 20)]
        write_structures(tmp_path, series, {"rod": contours})
        labels = read_object(object_in(tmp_path))
        volume_ml = labels.counts()[1] * labels.voxel_ml
        assert volume_ml == pytest.approx(np.pi * 8**2 * 10 * 1.1 / 1000, rel=0.03)

    @pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
    def test_holes(self, kind: str, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        write_structures(tmp_path, series, {"tube": [square(4, 4.5, 20.5), square(4, 8.5, 12.5)]}, kind)
        labels = read_object(object_in(tmp_path))
        assert labels.counts() == {1: 16 * 16 - 4 * 4}
        # Only where the file says so is a hole no guess.
        told = labels.meta.get("warnings", [""])[0]
        assert ("taken as holes" in told) == (kind == "CLOSED_PLANAR")

    def test_names_colours_and_overlap(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        write_structures(
            tmp_path,
            series,
            {"body": [square(4, 1.5, 30.5)], "organ": [square(4, 8.5, 12.5)], "other": [square(5, 2.5, 4.5)]},
        )
        maps = read_objects(object_in(tmp_path))
        assert [one.labels.values for one in maps] == [(1, 3), (2,)]
        assert maps[1].labels[2].name == "organ"
        assert maps[1].labels[2].colour == (20, 20, 30)
        assert [one.counts()[value] for one, value in ((maps[0], 1), (maps[1], 2))] == [29 * 29, 4 * 4]
        assert [one.name for one in maps] == ["plan 1", "plan 2"]


class TestTold:
    def told(self, folder: Path, contours: list[np.ndarray], kind: str = "CLOSED_PLANAR") -> str:
        series = write_image(folder, OBLIQUE, SHAPE)
        write_structures(folder, series, {"thing": contours, "whole": [square(0, 1.5, 3.5)]}, kind)
        maps = read_objects(object_in(folder))
        return "; ".join(maps[0].meta.get("warnings", []))

    def test_outside(self, tmp_path: Path) -> None:
        told = self.told(tmp_path, [ring(3), ring(-4), ring(3, 5, (200, 200))])
        assert "thing: contours left out, outside the image (2)" in told

    def test_slanted(self, tmp_path: Path) -> None:
        slanted = ring(3)
        slanted[:, 0] += np.linspace(0, 3, len(slanted))
        assert "thing: contours left out, slanted against the slices (1)" in self.told(tmp_path, [ring(2), slanted])

    def test_between_slices(self, tmp_path: Path) -> None:
        assert "between two slices, drawn on the nearer (1)" in self.told(tmp_path, [ring(3.4)])

    def test_closer_than_slices_they_do_not_cut_holes_into_each_other(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        write_structures(tmp_path, series, {"thing": [square(z, 4.5, 20.5) for z in (3.6, 4.0, 4.4)]})
        labels = read_object(object_in(tmp_path))
        assert labels.counts() == {1: 16 * 16}
        assert "left out, because another lies nearer to the slice (2)" in labels.meta["warnings"][0]

    def test_farther_than_slices(self, tmp_path: Path) -> None:
        assert "contours on one slice in 2, the slices between are empty" in self.told(tmp_path, [ring(2), ring(4)])

    def test_smaller_than_a_voxel(self, tmp_path: Path) -> None:
        assert "too small to enclose a voxel (1)" in self.told(tmp_path, [square(3, 5.3, 5.6)])

    def test_points_and_lines(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        write_structures(tmp_path, series, {"isocentre": [np.array([[3.0, 4.0, 5.0]])]}, "POINT")
        with pytest.raises(InputError, match="points and lines alone.*isocentre: 1 of the kind POINT left out"):
            read_object(object_in(tmp_path))


class TestImage:
    @pytest.fixture
    def folder(self, shared_data: Path) -> Path:
        return shared_data / "dicom" / "objects" / "rt_utils" / "tests"

    def test_by_its_series_whatever_the_frame_of_reference(self, folder: Path) -> None:
        (labels,) = self.read(folder / "mock_data", "rt.dcm")
        assert labels.counts() == {1: 1443}
        assert labels.labels[1].colour == (162, 136, 95)
        assert "other patient coordinates" in labels.meta["warnings"][0]

    @pytest.mark.parametrize("name", ["invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"])
    def test_by_its_frame_of_reference(self, name: str, folder: Path) -> None:
        (labels,) = self.read(folder / "mock_data", name)
        assert labels.shape == (2, 512, 512)
        area_mm2 = {label.value: self.area_mm2(folder / "mock_data" / name, label.value) for label in labels.labels}
        for value, voxels in labels.counts().items():
            assert voxels * 0.488281**2 == pytest.approx(area_mm2[value], rel=0.03)

    def area_mm2(self, path: Path, number: int) -> float:
        """By the shoelace formula, of the contours within the two slices of the image."""
        file = pydicom.dcmread(path)
        (drawn,) = [item for item in file.ROIContourSequence if item.ReferencedROINumber == number]
        total = 0.0
        for contour in drawn.ContourSequence:
            x, y, z = np.array(contour.ContourData, float).reshape(-1, 3).T
            if z[0] in (60, 65):
                total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        return total

    def read(self, folder: Path, name: str) -> list:
        found = find_series(folder)
        (series,) = [series for series in found if series.files[0].name == name]
        return read_objects(series, found)

    def test_absent(self, folder: Path, tmp_path: Path) -> None:
        shutil.copy(folder / "empty" / "dummy_rt.dcm", tmp_path)
        with pytest.raises(InputError, match="is not in its folder; put that series beside it, or name its folder"):
            read_object(object_in(tmp_path))

    def test_broken_coordinates(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SHAPE)
        write_structures(tmp_path, series, {"thing": [ring(3)]})
        file = pydicom.dcmread(tmp_path / "structures.dcm")
        file.ROIContourSequence[0].ContourSequence[0].ContourData = ["1", "2"]
        file.save_as(tmp_path / "structures.dcm")
        with pytest.raises(InputError, match="found a contour of 2 coordinates"):
            read_object(object_in(tmp_path))
