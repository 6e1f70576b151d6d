from __future__ import annotations

import shutil
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.color import CIELabColor
from highdicom.sr import CodedConcept

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.objects import (
    is_fractional,
    parts_of,
    read_fraction,
    read_object,
    read_objects,
    read_part,
    write_segmentation,
)
from napari_resmed.io.dicom.objects.segmentation import read_segmentation
from napari_resmed.labels import LabelMap
from tests.affines import make_affine
from tests.io.dicom.objects.study import drawn_over, image_in, object_in, write_image

OBLIQUE = make_affine(
    (2, 1, 0), (1, -1, 1), degrees=(20, -10, 35), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-12, 35.5, 88)
)


@pytest.fixture
def files(shared_data: Path) -> Path:
    return shared_data / "dicom" / "objects" / "highdicom" / "data" / "test_files"


def write_other(folder: Path, pixels: np.ndarray, kind: str, **options: object) -> None:
    """A segmentation of another kind than we write, by highdicom, over the image series in a folder."""
    headers = [pydicom.dcmread(path) for path in image_in(folder).files]
    term = CodedConcept("85756007", "SCT", "Tissue")
    numbers = options.pop("numbers", None) or range(1, (pixels.shape[3] if pixels.ndim == 4 else pixels.max()) + 1)
    highdicom.seg.Segmentation(
        source_images=headers,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                number, f"part {number}", term, term, "MANUAL", display_color=CIELabColor.from_rgb(10, 20, number % 256)
            )
            for number in numbers
        ],
        series_instance_uid=pydicom.uid.generate_uid(),
        series_number=2,
        sop_instance_uid=pydicom.uid.generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **options,
    ).save_as(folder / "labels.dcm")


class TestBinary:
    @pytest.mark.parametrize("name", ["seg_image_ct_binary.dcm", "seg_image_ct_binary_overlap.dcm"])
    def test_places_are_those_that_highdicom_finds(self, name: str, files: Path) -> None:
        theirs = highdicom.seg.segread(files / name).get_volume(
            combine_segments=False, allow_missing_positions=True, rescale_fractional=False
        )
        maps = read_segmentation(files / name)
        for number in range(theirs.array.shape[3]):
            (one,) = [one for one in maps if number + 1 in one.labels]
            ours = np.argwhere(one.data == number + 1) @ one.affine[:3, :3].T + one.affine[:3, 3]
            expected = theirs.map_indices_to_reference(np.argwhere(theirs.array[..., number]).astype(float))
            order, expected_order = np.lexsort(ours.round(2).T), np.lexsort(expected.round(2).T)
            assert ours[order] == pytest.approx(expected[expected_order], abs=1e-4)

    def test_on_its_image(self, files: Path, tmp_path: Path) -> None:
        for name in ("ct_image.dcm", "seg_image_ct_binary_single_frame.dcm"):
            shutil.copy(files / name, tmp_path)
        labels = read_object(object_in(tmp_path))
        assert labels.shape == (1, 128, 128)
        stored = pydicom.dcmread(files / "seg_image_ct_binary_single_frame.dcm").pixel_array
        assert np.array_equal(labels.data[0], stored)
        assert labels.labels[1].code.meaning == "Bone"
        assert "warnings" not in labels.meta

    def test_without_its_image_it_says_so(self, files: Path, tmp_path: Path) -> None:
        shutil.copy(files / "seg_image_ct_binary.dcm", tmp_path)
        assert "is not in its folder" in read_object(object_in(tmp_path)).meta["warnings"][0]

    def test_overlapping_segments(self, files: Path, tmp_path: Path) -> None:
        shutil.copy(files / "seg_image_ct_binary_overlap.dcm", tmp_path)
        series = object_in(tmp_path)
        maps = read_objects(series)
        assert [one.labels.values for one in maps] == [(1,), (2,)]
        assert [identity for identity, _ in parts_of(series)] == [f"{series.id}:1", f"{series.id}:2"]
        assert np.array_equal(read_part(series, "2").data, maps[1].data)
        with pytest.raises(InputError, match="make 2 label maps.*choose one"):
            read_object(series)
        with pytest.raises(InputError, match="none of them '3'"):
            read_part(series, "3")

    def test_frames_in_any_order(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        file = pydicom.dcmread(tmp_path / "labels.dcm")
        frames = file.pixel_array
        order = np.random.default_rng(3).permutation(len(frames))
        groups = list(file.PerFrameFunctionalGroupsSequence)
        file.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
        file.PixelData = pydicom.pixels.pack_bits(frames[order])
        file.save_as(tmp_path / "labels.dcm")
        assert np.array_equal(read_object(object_in(tmp_path)).data, labels.data)


class TestFractional:
    def test_threshold_and_fractions(self, tmp_path: Path) -> None:
        series = write_image(tmp_path, OBLIQUE)
        stored = np.random.default_rng(5).integers(0, 256, (*series.shape, 2)).astype(np.uint8)
        write_other(tmp_path, stored / 255, "FRACTIONAL", fractional_type="PROBABILITY", omit_empty_frames=False)
        object_series = object_in(tmp_path)
        assert is_fractional(object_series)
        fractions = read_fraction(object_series)
        assert (fractions.axes, fractions.data.dtype) == ("czyx", np.float32)
        assert np.array_equal(np.rint(fractions.data * 255), np.moveaxis(stored, -1, 0))
        maps = read_objects(object_series)
        for value in (1, 2):
            (one,) = [one for one in maps if value in one.labels]
            assert np.array_equal(one.data == value, stored[..., value - 1] >= 128)
            assert any("0.5 or more became labels" in warning for warning in one.meta["warnings"])
        assert parts_of(object_series)[-1][0] == f"{object_series.id}:fraction"
        assert read_part(object_series, "fraction").same_grid(series_volume(series))

    def test_others_have_no_fractions(self, files: Path, tmp_path: Path) -> None:
        shutil.copy(files / "seg_image_ct_binary.dcm", tmp_path)
        with pytest.raises(InputError, match="holds no fractions but a binary segmentation"):
            read_fraction(object_in(tmp_path))


class TestLabelMap:
    def test_values_colours_and_place(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_other(tmp_path, labels.data.astype(np.uint16), "LABELMAP", numbers=[3, 17, 1000])
        back = read_object(object_in(tmp_path))
        assert np.array_equal(back.data, labels.data)
        assert back.same_grid(labels)
        assert [label.colour for label in back.labels] == [(10, 20, 3), (10, 20, 17), (10, 20, 1000 % 256)]
        assert [(label.value, label.name) for label in back.labels] == [
            (3, "part 3"),
            (17, "part 17"),
            (1000, "part 1000"),
        ]

    def test_zero_may_be_a_structure(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_other(tmp_path, labels.data.astype(np.uint16), "LABELMAP", numbers=[3, 17, 1000], omit_empty_frames=False)
        file = pydicom.dcmread(tmp_path / "labels.dcm")
        file.PixelPaddingValue = 17
        file.save_as(tmp_path / "labels.dcm")
        back = read_object(object_in(tmp_path))
        assert np.array_equal(back.data == 1001, labels.data == 0)
        assert np.array_equal(back.data == 0, labels.data == 17)
        assert "segment 0" in back.meta["warnings"][0]


class TestRefusals:
    @pytest.mark.parametrize("name", ["control", "control_labelmap", "dots", "dots_tiled_full", "numbers"])
    def test_slides(self, name: str, files: Path) -> None:
        with pytest.raises(InputError, match="lies on a microscope slide"):
            read_segmentation(files / f"seg_image_sm_{name}.dcm")

    def broken(self, folder: Path, break_it: object) -> str:
        labels = drawn_over(write_image(folder, OBLIQUE))
        write_segmentation(labels, folder / "labels.dcm", folder)
        file = pydicom.dcmread(folder / "labels.dcm")
        break_it(file)
        file.save_as(folder / "labels.dcm")
        with pytest.raises(InputError) as refusal:
            read_segmentation(folder / "labels.dcm")
        return str(refusal.value)

    def test_frames_missing(self, tmp_path: Path) -> None:
        def halve(file: pydicom.Dataset) -> None:
            file.PixelData = file.PixelData[: len(file.PixelData) // 2 // 2 * 2]

        assert "its header describes" in self.broken(tmp_path, halve)

    def test_two_frames_at_one_place(self, tmp_path: Path) -> None:
        def repeat(file: pydicom.Dataset) -> None:
            groups = file.PerFrameFunctionalGroupsSequence
            groups[1] = groups[0]

        assert "two frames of one segment at the same place" in self.broken(tmp_path, repeat)

    def test_a_frame_far_away(self, tmp_path: Path) -> None:
        def move(file: pydicom.Dataset) -> None:
            file.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = [1e9, 0, 1e9]

        assert "expected whole multiples of one distance" in self.broken(tmp_path, move)

    def test_no_kind(self, tmp_path: Path) -> None:
        def forget(file: pydicom.Dataset) -> None:
            del file.SegmentationType

        assert "expected BINARY, FRACTIONAL or LABELMAP" in self.broken(tmp_path, forget)

    def test_cut_off(self, tmp_path: Path) -> None:
        labels = drawn_over(write_image(tmp_path, OBLIQUE))
        write_segmentation(labels, tmp_path / "labels.dcm", tmp_path)
        whole = (tmp_path / "labels.dcm").read_bytes()
        for share in (0.1, 0.3, 0.6, 0.9):
            (tmp_path / "cut.dcm").write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(InputError):
                read_segmentation(tmp_path / "cut.dcm")


def series_volume(series: object) -> LabelMap:
    return LabelMap(np.zeros(series.shape, np.uint8), series.affine)
