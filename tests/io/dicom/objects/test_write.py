from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ComputedRadiographyImageStorage

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.dicom import find_series
from napari_resmed.io.dicom.objects import read_object, read_objects, write_segmentation
from napari_resmed.labels import Label, LabelMap, LabelSet
from tests.affines import AXIS_ORDERS, affines, axis_order_name, make_affine
from tests.io.dicom.objects.study import (
    PATIENT,
    drawn_over,
    image_in,
    object_in,
    voxel_places,
    write_image,
)

OBLIQUE = make_affine(degrees=(20, -10, 35), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-120, 35.5, 880))
# The normal of the slices leans, rows and columns stay square: gantry tilt.
TILTED = make_affine(shear=(0.2, 0, 0), spacing_mm=(3, 0.9, 0.9), origin_mm=(-100, -90, 40))


def assert_same(back: LabelMap, labels: LabelMap) -> None:
    assert np.array_equal(back.data, labels.data)
    assert (
        np.abs(geometry.corners(back.affine, back.shape) - geometry.corners(labels.affine, labels.shape)).max() < 1e-4
    )
    assert back.labels.labels == labels.labels.labels


class TestRoundTrip:
    @pytest.mark.parametrize("affine", [make_affine(), OBLIQUE, TILTED], ids=["axial", "oblique", "tilted"])
    def test_identical_on_the_image(self, affine: geometry.Affine, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, affine))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        back = read_object(object_in(tmp_path))
        assert_same(back, labels)
        assert "warnings" not in back.meta

    @pytest.mark.parametrize("case", AXIS_ORDERS[::3], ids=axis_order_name)
    def test_every_axis_order(self, case: tuple, tmp_path: Path) -> None:
        # Negated columns among them: read along the wrong way, labels come back mirrored.
        affine = make_affine(*case, spacing_mm=(2, 0.7, 0.8), origin_mm=(5, -6, 7))
        labels = drawn_over(write_image(tmp_path, affine))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), labels)

    @given(affines(most_shear=0.0), st.integers(0, 99))
    @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
    def test_any_grid_by_itself(self, affine: geometry.Affine, seed: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            study, alone = Path(name) / "study", Path(name) / "alone"
            alone.mkdir()
            labels = drawn_over(write_image(study, affine, (4, 5, 3)), seed)
            write_segmentation(labels, alone / "labels.dcm", study)
            back = read_object(object_in(alone))
            for label in labels.labels:
                ours, theirs = voxel_places(labels, label.value), voxel_places(back, label.value)
                assert ours.shape == theirs.shape
                assert np.abs(ours - theirs).max(initial=0) < 1e-4
            assert back.labels.labels == labels.labels.labels

    @given(affines(most_shear=0.0), st.integers(0, 99))
    @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
    def test_any_grid_on_its_image(self, affine: geometry.Affine, seed: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            labels = drawn_over(write_image(Path(name), affine, (4, 5, 3)), seed)
            write_segmentation(labels, Path(name) / "labels.dcm", name)
            assert_same(read_object(object_in(Path(name))), labels)

    @pytest.mark.parametrize("case", AXIS_ORDERS[::5], ids=axis_order_name)
    def test_turned_labels_come_back_as_the_image_lies(self, case: tuple, tmp_path: Path) -> None:
        """Frames along another axis of the image, mirrored: the labels are turned back onto its grid."""
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        order, signs = case
        turn = geometry.AxisOrder(order, tuple(sign < 0 for sign in signs))
        turned = LabelMap(
            turn.apply(labels.data), turn.apply_to_affine(labels.affine, labels.shape), labels=labels.labels
        )
        write_segmentation(turned, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), labels)

    def test_a_part_of_the_image(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        affine = labels.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ (1, 2, 3)
        part = replace(labels, data=labels.data[1:5, 2:7, 3:8], affine=affine)
        write_segmentation(part, tmp_path / "labels.dcm", tmp_path)
        expected = np.zeros(labels.shape, np.uint16)
        expected[1:5, 2:7, 3:8] = part.data
        assert_same(read_object(object_in(tmp_path)), labels.with_data(expected))

    def test_another_grid_stays_its_own(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        affine = labels.affine.copy()
        affine[:3, :3] *= 1.5
        coarse = replace(labels, affine=affine)
        write_segmentation(coarse, tmp_path / "labels.dcm", tmp_path)
        back = read_object(object_in(tmp_path))
        assert "not those of the image" in back.meta["warnings"][0]
        for label in coarse.labels:
            assert voxel_places(back, label.value) == pytest.approx(voxel_places(coarse, label.value), abs=1e-4)

    def test_overlapping_maps(self, tmp_path: Path) -> None:
        first = drawn_over(write_image(tmp_path, OBLIQUE))
        inner = np.zeros(first.shape, np.uint8)
        inner[2:5, 2:5, 2:5] = 5
        second = LabelMap(inner, first.affine, labels=LabelSet((Label(5, "inside", (9, 8, 7)),)))
        write_segmentation([first, second], tmp_path / "labels.dcm", tmp_path)
        maps = read_objects(object_in(tmp_path))
        assert len(maps) == 2
        by_value = {label.value: (one, label) for one in maps for label in one.labels}
        for labels in (first, second):
            for label in labels.labels:
                one, back = by_value[label.value]
                assert back == label
                assert np.array_equal(one.data == label.value, labels.data == label.value)
        assert all("overlap" in one.meta["warnings"][0] for one in maps)

    def test_a_radiograph(self, tmp_path: Path) -> None:
        gone = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"))
        series = write_image(
            tmp_path, make_affine(), (1, 8, 9), SOPClassUID=ComputedRadiographyImageStorage, Modality="CR", **gone
        )
        data = np.zeros((1, 8, 9), np.uint8)
        data[0, 2:4, 3:7] = 1
        labels = LabelMap(data, series.affine, labels=LabelSet((Label(1, "lung", (1, 2, 3)),)))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), labels)

    @pytest.mark.parametrize(
        "file",
        [
            "dicom2nifti/philips_enhanced/anatomical/001/IM-0001-0170-0001.dcm",
            "dicom2nifti/hyperfine/anatomical/001/001.dcm",
            "dcm_qa_enh/In/Siemens/XA10/6_1.dcm",
        ],
    )
    def test_an_enhanced_image(self, file: str, shared_data: Path, tmp_path: Path) -> None:
        shutil.copy(shared_data / "dicom" / file, tmp_path / "image.dcm")
        labels = drawn_over(image_in(tmp_path))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), labels)

    @pytest.mark.parametrize(
        "folder", ["ct_philips_s4010", "dicom2nifti/siemens/anatomical", "dicom2nifti/generic/compressed_j2k"]
    )
    def test_a_scanners_image(self, folder: str, shared_data: Path, tmp_path: Path) -> None:
        series = next(
            series
            for series in find_series(shared_data / "dicom" / folder)
            if series.kind == "image" and not series.problem and "c" not in series.axes
        )
        labels = drawn_over(series)
        write_segmentation(labels, tmp_path / "labels.dcm", series)
        assert_same(read_objects(object_in(tmp_path), [series])[0], labels)


class TestFile:
    def test_is_the_patients_own(self, tmp_path: Path) -> None:
        series = write_image(
            tmp_path, OBLIQUE, PatientName=PATIENT, PatientID="P-7", PatientBirthDate="19010203", StudyID="S-9"
        )
        write_segmentation(drawn_over(series), tmp_path / "labels.dcm", tmp_path)
        written, source = pydicom.dcmread(tmp_path / "labels.dcm"), pydicom.dcmread(series.files[0])
        for tag in (
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "StudyID",
            "StudyInstanceUID",
            "FrameOfReferenceUID",
        ):
            assert written[tag].value == source[tag].value, tag
        assert written.SeriesInstanceUID != source.SeriesInstanceUID
        assert written.SegmentationType == "BINARY"

    @pytest.mark.parametrize("case", AXIS_ORDERS[::7], ids=axis_order_name)
    def test_highdicom_finds_the_same_places(self, case: tuple, tmp_path: Path) -> None:
        affine = make_affine(*case, degrees=(8, -9, 10), spacing_mm=(2, 0.7, 0.8), origin_mm=(5, -6, 7))
        labels = drawn_over(write_image(tmp_path, affine))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        theirs = highdicom.seg.segread(tmp_path / "labels.dcm").get_volume(
            combine_segments=False, allow_missing_positions=True
        )
        for number, label in enumerate(label for label in labels.labels if label.name != "nowhere"):
            places = theirs.map_indices_to_reference(np.argwhere(theirs.array[..., number]).astype(float))
            places = places[np.lexsort(places.round(2).T)]
            assert places == pytest.approx(voxel_places(labels, label.value), abs=1e-4)

    def test_is_not_called_after_a_file(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_segmentation(replace(labels, name="Doe_John_seg"), tmp_path / "labels.dcm", tmp_path)
        assert pydicom.dcmread(tmp_path / "labels.dcm").SeriesDescription == "Segmentation"
        made = replace(labels, name="Doe_John brain-mr", meta={"made_by": {"model": "brain-mr"}})
        write_segmentation(made, tmp_path / "labels.dcm", tmp_path)
        assert pydicom.dcmread(tmp_path / "labels.dcm").SeriesDescription == "brain-mr"

    def test_names_in_other_alphabets(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
        write_segmentation(drawn_over(series), tmp_path / "labels.dcm", tmp_path)
        assert str(pydicom.dcmread(tmp_path / "labels.dcm").PatientName) == "Müller^Jörg"

    def test_nothing_is_said_of_the_patient(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        series = write_image(tmp_path, OBLIQUE, PatientName="Zweifel", PatientID="Zweifel")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            write_segmentation(drawn_over(series), tmp_path / "labels.dcm", tmp_path)
            back = read_object(object_in(tmp_path))
        out = capfd.readouterr()
        said = [caplog.text, out.out, out.err, repr(back.meta), back.name, *(str(one.message) for one in told)]
        assert not [words for words in said if "Zweifel" in words]

    def test_empty_slices_are_left_out(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        marked = sum(int((plane == label.value).any()) for plane in labels.data for label in labels.labels)
        assert pydicom.dcmread(tmp_path / "labels.dcm").NumberOfFrames == marked

    def test_a_structure_that_was_not_found(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        nothing = replace(labels, data=np.zeros_like(labels.data))
        write_segmentation(nothing, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), nothing)
        assert not caplog.records  # what a library says of frames is nothing to a person

    def test_what_the_source_lacks_is_no_obstacle(self, tmp_path: Path) -> None:
        gone = dict.fromkeys(
            ("PatientBirthDate", "StudyID", "AccessionNumber", "SliceThickness", "FrameOfReferenceUID")
        )
        labels = drawn_over(write_image(tmp_path, OBLIQUE, **gone))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        assert_same(read_object(object_in(tmp_path)), labels)

    def test_how_it_was_made(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        made = replace(labels, meta={"made_by": {"model": "brain-mr", "model_version": "1.2"}})
        write_segmentation(made, tmp_path / "labels.dcm", tmp_path)
        segment = pydicom.dcmread(tmp_path / "labels.dcm").SegmentSequence[0]
        assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "brain-mr")


class TestRefusals:
    def refused(self, labels: LabelMap | list[LabelMap], folder: Path) -> str:
        before = sorted(folder.iterdir())
        with pytest.raises(InputError) as refusal:
            write_segmentation(labels, folder / "labels.dcm", folder)
        assert sorted(folder.iterdir()) == before
        return str(refusal.value)

    def test_elsewhere(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        affine = labels.affine.copy()
        affine[:3, 3] += 1000
        assert "outside the image" in self.refused(replace(labels, affine=affine), tmp_path)

    def test_sheared_slices(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, make_affine()))
        slanted = replace(labels, affine=make_affine(shear=(0, 0, 0.3)))
        assert "right angle" in self.refused(slanted, tmp_path)

    def test_no_labels(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, make_affine()))
        empty = LabelMap(np.zeros(labels.shape, np.uint8), labels.affine)
        assert "found 0 labels" in self.refused(empty, tmp_path)

    def test_different_grids(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, make_affine()))
        assert "different grids" in self.refused([labels, replace(labels, affine=OBLIQUE)], tmp_path)

    def test_a_series_without_study(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, make_affine(), StudyInstanceUID=None))
        assert "does not name its study" in self.refused(labels, tmp_path)

    def test_slices_of_different_studies(self, shared_data: Path, tmp_path: Path) -> None:
        source = image_in(shared_data / "dicom" / "objects" / "rt_utils" / "tests" / "oriented_data")
        with pytest.raises(InputError, match="contradicts itself"):
            write_segmentation(drawn_over(source), tmp_path / "labels.dcm", source)

    def test_over_an_image_of_the_series(self, tmp_path: Path) -> None:
        source = write_image(tmp_path, make_affine())
        before = source.files[0].read_bytes()
        with pytest.raises(InputError, match="is an image of the series itself"):
            write_segmentation(drawn_over(source), source.files[0], tmp_path)
        assert source.files[0].read_bytes() == before

    def test_two_series_that_it_may_be(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path / "a", make_affine()))
        write_image(tmp_path / "b", make_affine())
        assert "2 image series" in self.refused(labels, tmp_path)
