from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.io.dicom.write import write_series
from napari_resmed.volume import Volume
from tests.io.dicom.making import bundled, change, ramp

# World positions of the first and last voxel (LPS, mm) as dcm2niix v1.0.20260724 (PyPI) places the same ones:
# every voxel was looked up in its NIfTI files, and had the same value there. One value in the middle, at
# index n // 2 of every spatial axis, stands for them here.
WORLD = [
    ("dicom2nifti/generic/anatomical/001",
     (4, 256, 256), (-100.7942, -161.0747, 130.0513), (-103.7942, 93.9253, -124.9487), 90),
    ("dicom2nifti/generic/compressed/001",
     (4, 256, 256), (-100.7942, -161.0747, 130.0513), (-103.7942, 93.9253, -124.9487), 14),
    ("dicom2nifti/siemens/anatomical/001",
     (4, 256, 256), (10.2058, -161.0747, 130.0513), (7.2058, 93.9253, -124.9487), 156),
    ("dicom2nifti/hitachi/anatomical/001",
     (4, 64, 64), (-136.2682, -50.1227, 36.6436), (-76.8145, 101.4174, -94.6941), 253),
    ("dicom2nifti/hyperfine/anatomical/001",
     (8, 138, 112), (0.0, 0.0, -175.0), (176.49, 220.57, -140.0), 134),
    ("dicom2nifti/generic/rgb/001",
     (3, 4, 77, 52), (-74.0249, -142.0096, -42.2646), (72.5165, 90.3377, -46.0489), 53),
    ("dcm_qa_nih/In/20180918GE/mr_0004",
     (10, 15, 64, 64), (-118.125, -143.344, -17.6875), (118.125, 92.906, 52.3125), 2112),
    ("dcm_qa_agfa/Siemens",
     (4, 25, 64, 64), (-105.0, -105.0, -79.6), (101.7188, 101.7188, -0.4), 642),
    ("dcm_qa_enh/In/Siemens/XA10",
     (4, 6, 64, 64), (-109.79, -58.4773, -5.4036), (102.835, 154.1476, 6.5969), 574),
    ("objects/rt_utils/tests/mock_data",
     (2, 512, 512), (-125.0, -125.0, 60.0), (124.5116, 124.5116, 65.0), 2),
]  # fmt: skip


def readable(path: Path) -> list[Series]:
    return [series for series in find_series(path) if not series.problem]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A series of 6 oblique slices: 3 mm apart, rows 1.5 mm, columns 0.7 mm."""
    turn = np.deg2rad(20)
    direction = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    affine = geometry.compose((10, -20, 30), (3, 1.5, 0.7), direction)
    write_series(
        Volume(ramp(), affine, modality="MR", meta={"format": "DICOM", "description": "ramp"}), tmp_path / "series"
    )
    return tmp_path / "series"


def repeat(folder: Path, edit: Callable[[Dataset], None], suffix: str = "again") -> None:
    """Every image once more, as another instance, edited."""
    for file in sorted(folder.glob("slice_?.dcm")):

        def renew(data: Dataset) -> None:
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            edit(data)

        change(file, renew, folder / f"{suffix}_{file.name}")


class TestRealSeries:
    @pytest.mark.parametrize(("where", "shape", "first", "last", "value"), WORLD)
    def test_world_positions(self, shared_data: Path, where: str, shape, first, last, value) -> None:
        (series,) = readable(shared_data / "dicom" / where)
        volume = read_series(series)
        assert volume.shape == series.shape == shape
        assert str(volume.data.dtype) == series.dtype
        assert volume.axes == series.axes
        ends = geometry.corners(volume.affine, volume.shape)[[0, -1]]
        np.testing.assert_allclose(ends, [first, last], atol=1e-4)
        middle = volume.data[..., *(n // 2 for n in volume.grid_shape)]
        assert middle.ravel()[0] == value

    @pytest.mark.parametrize("encoding", ["_j2k", "_jpeg", "_jpegls", "_rle"])
    def test_compressed_is_the_same(self, shared_data: Path, encoding: str) -> None:
        generic = shared_data / "dicom" / "dicom2nifti" / "generic"
        plain, packed = (read_series(find_series(generic / f"compressed{end}")[0]) for end in ("", encoding))
        np.testing.assert_array_equal(packed.data, plain.data)
        np.testing.assert_array_equal(packed.affine, plain.affine)

    def test_one_series_in_five_folders(self, shared_data: Path) -> None:
        generic = shared_data / "dicom" / "dicom2nifti" / "generic"
        files = [file for part in generic.glob("compressed*") for file in part.rglob("*.dcm")]
        found = find_series(files)
        assert [len(series.files) for series in found] == [4] * 5
        assert len({series.id for series in found}) == 5
        assert not any(series.problem for series in found)

    def test_slope_of_every_slice(self, shared_data: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/generic/anatomical/002_non_isotropic")
        volume = read_series(series)
        expected = []
        for file in series.files:
            header = pydicom.dcmread(file)
            expected.append(header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept))
        np.testing.assert_allclose(volume.data, expected, rtol=1e-12)
        # PixelSpacing is 4 mm between rows, 6.4 between columns.
        np.testing.assert_allclose(volume.spacing_mm, (0.5, 4.0, 6.3999586), atol=1e-4)

    def test_slope_of_every_frame(self, shared_data: Path) -> None:
        """Magnitude and field map of one enhanced file, scaled differently: two volumes."""
        (file,) = (shared_data / "dicom/dcm_qa_enh/In/Philips").glob("*.dcm")
        header = pydicom.dcmread(file)
        stored = header.pixel_array
        found = find_series(file)
        assert [series.shape for series in found] == [(32, 64, 64)] * 2
        first = 0
        for series in found:
            scale = header.PerFrameFunctionalGroupsSequence[first].PixelValueTransformationSequence[0]
            expected = stored[first : first + 32] * float(scale.RescaleSlope) + float(scale.RescaleIntercept)
            np.testing.assert_allclose(read_series(series).data, expected, rtol=1e-12)
            first += 32

    def test_hounsfield_units(self, shared_data: Path) -> None:
        (series,) = readable(shared_data / "dicom/objects/rt_utils/tests/mock_data")
        volume = read_series(series)
        header = pydicom.dcmread(series.files[1])
        assert float(header.RescaleIntercept) == -1024
        np.testing.assert_array_equal(volume.data[1], header.pixel_array.astype(np.int32) - 1024)
        assert volume.modality == "CT"
        assert volume.data.dtype == np.int32  # 16 signed bits less 1024

    def test_radiograph_keeps_its_values_where_low_is_bright(self, shared_data: Path) -> None:
        file = shared_data / "dicom/objects/highdicom/data/test_files/dx_image.dcm"
        (series,) = find_series(file)
        volume = read_series(series)
        stored = pydicom.dcmread(file)
        assert stored.PhotometricInterpretation == "MONOCHROME1"
        np.testing.assert_array_equal(volume.data[0], stored.pixel_array)
        assert volume.meta["photometric"] == "MONOCHROME1"
        assert volume.spacing_mm[1:] == pytest.approx((1.2, 1.2012))
        assert any("MONOCHROME1" in warning for warning in series.warnings)
        assert any("where the image lies" in warning for warning in series.warnings)


class TestIrregular:
    def test_gantry_tilt_is_shear(self, shared_data: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/gantrytilting")
        volume = read_series(series)
        assert any("14.0 degrees" in warning for warning in series.warnings)
        # Cosine of step (0, 0, 1) and column direction (0, 0.97, -0.2419), both from the headers.
        assert geometry.shear_cosine(volume.affine) == pytest.approx(0.2419218955997)
        for index, file in enumerate(series.files):
            position = (volume.affine @ (index, 0, 0, 1))[:3]
            np.testing.assert_allclose(position, pydicom.dcmread(file).ImagePositionPatient, atol=1e-9)

    @pytest.mark.parametrize(
        ("case", "said"), [("001", "5 mm apart but 10 mm"), ("002", "0.7497 mm apart but 1.499 mm")]
    )
    def test_missing_slice(self, shared_data: Path, case: str, said: str) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/sliceincrement" / case)
        assert said in series.problem
        assert "1 of 5 is missing" in series.problem
        with pytest.raises(InputError, match="is missing"):
            read_series(series)

    def test_two_orientations(self, shared_data: Path) -> None:
        found = find_series(shared_data / "dicom/dicom2nifti/failing/sliceorientation")
        assert [series.shape for series in found] == [(2, 288, 288)] * 2
        assert [round(series.spacing_mm[0], 3) for series in found] == [3.3, 4.4]
        assert found[0].id != found[1].id
        assert all("one of 2 parts of its series" in series.warnings[-1] for series in found)
        assert {geometry.orientation(series.affine) for series in found} == {"RIP", "SPL"}

    def test_no_volume(self, shared_data: Path) -> None:
        """A bolus monitor: one place, four times."""
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/notavolume")
        assert (series.axes, series.shape) == ("tzyx", (4, 1, 512, 512))
        assert any("not a volume" in warning for warning in series.warnings)
        numbers = [pydicom.dcmread(file).AcquisitionNumber for file in series.files]
        assert numbers == [12, 13, 14, 15]

    def test_objects_are_no_images(self, shared_data: Path) -> None:
        found = find_series(shared_data / "dicom/objects/highdicom")
        kinds = {series.modality: bool(series.problem) for series in found}
        assert kinds == {"CT": False, "DX": False, "SEG": True, "SM": True, "SR": True, "ANN": True}

    def test_uneven_gap(self, folder: Path) -> None:
        def shift(data: Dataset) -> None:
            data.ImagePositionPatient[2] += 0.7

        change(folder / "slice_3.dcm", shift)
        (series,) = find_series(folder)
        assert "2.3 to 3.7 mm apart" in series.problem
        assert "slice_2.dcm and slice_3.dcm" in series.problem

    def test_a_slice_beside_the_stack(self, folder: Path) -> None:
        def shift(data: Dataset) -> None:
            data.ImagePositionPatient[0] += 0.7

        change(folder / "slice_3.dcm", shift)
        (series,) = find_series(folder)
        assert "0.7 mm beside the line" in series.problem

    def test_sideways_more_than_up(self, folder: Path) -> None:
        for index, file in enumerate(sorted(folder.iterdir())):

            def shift(data: Dataset, index: int = index) -> None:
                data.ImagePositionPatient[0] += 10 * index

            change(file, shift)
        (series,) = find_series(folder)
        assert "sideways" in series.problem

    def test_rounded_positions_are_even(self, folder: Path) -> None:
        for file in folder.iterdir():

            def rounded(data: Dataset) -> None:
                data.ImagePositionPatient[2] = round(float(data.ImagePositionPatient[2]) * 1.013, 1)

            change(file, rounded)
        (series,) = find_series(folder)
        assert not series.problem
        assert any("rounded positions" in warning for warning in series.warnings)

    def test_copy_of_a_slice(self, folder: Path) -> None:
        shutil.copy(folder / "slice_2.dcm", folder / "copy.dcm")
        (series,) = find_series(folder)
        assert "copy.dcm and slice_2.dcm" in series.problem

    def test_some_places_twice(self, folder: Path) -> None:
        repeat(folder, lambda data: None)
        (folder / "again_slice_1.dcm").unlink()
        (series,) = find_series(folder)
        assert "1 to 2 images at one place" in series.problem

    def test_repeated_without_order(self, folder: Path) -> None:
        repeat(folder, lambda data: None)
        (series,) = find_series(folder)
        assert "no time or number" in series.problem

    def test_skewed_axes(self, folder: Path) -> None:
        def skew(data: Dataset) -> None:
            data.ImageOrientationPatient = [1, 0, 0, np.sin(0.1), np.cos(0.1), 0]

        for file in folder.iterdir():
            change(file, skew)
        (series,) = find_series(folder)
        assert "right angle" in series.problem

    def test_every_second_slice_missing(self, folder: Path) -> None:
        for number in (2, 4, 6):
            (folder / f"slice_{number}.dcm").unlink()
        (series,) = find_series(folder)
        assert series.spacing_mm[0] == pytest.approx(6)
        assert any("slices may be missing" in warning for warning in series.warnings)


class TestOrder:
    def test_not_by_name(self, folder: Path) -> None:
        before = read_series(find_series(folder)[0])
        for file, name in zip(sorted(folder.iterdir()), "dafbec", strict=True):
            file.rename(folder / name)  # no suffix either
        (series,) = find_series(folder)
        assert "".join(file.name for file in series.files) == "dafbec"
        after = read_series(series)
        np.testing.assert_array_equal(after.data, before.data)
        np.testing.assert_array_equal(after.affine, before.affine)

    def test_not_by_number(self, folder: Path) -> None:
        """Descending and interleaved acquisition numbers change nothing."""
        for file, number in zip(sorted(folder.iterdir()), (6, 3, 5, 2, 4, 1), strict=True):

            def renumber(data: Dataset, number: int = number) -> None:
                data.InstanceNumber = data.AcquisitionNumber = number

            change(file, renumber)
        np.testing.assert_array_equal(read_series(find_series(folder)[0]).data, ramp())

    def test_times(self, folder: Path) -> None:
        for number, time in ((1, 30.0), (2, 10.0)):

            def later(data: Dataset, number: int = number, time: float = time) -> None:
                data.TriggerTime = time
                data.PixelData = (data.pixel_array + 1000 * number).astype(np.uint16).tobytes()

            repeat(folder, later, f"time{number}")
        for file in folder.glob("slice_?.dcm"):
            change(file, lambda data: setattr(data, "TriggerTime", 20.0))
        (series,) = find_series(folder)
        volume = read_series(series)
        assert (volume.axes, volume.shape) == ("tzyx", (3, 6, 5, 4))
        for time, added in enumerate((2000, 0, 1000)):
            np.testing.assert_array_equal(volume.data[time], ramp() + added)

    def test_echoes_are_series(self, folder: Path) -> None:
        repeat(folder, lambda data: setattr(data, "EchoTime", 30.0))
        found = find_series(folder)
        assert [series.shape for series in found] == [(6, 5, 4)] * 2
        assert {series.id.rsplit("-", 1)[1] for series in found} == {"1", "2"}

    def test_slice_thickness_is_not_the_spacing(self, folder: Path) -> None:
        for file in folder.iterdir():
            change(file, lambda data: setattr(data, "SliceThickness", 5.0))
        (series,) = find_series(folder)
        assert series.spacing_mm == pytest.approx((3, 1.5, 0.7))

    def test_single_slice(self, folder: Path) -> None:
        (series,) = find_series([folder / "slice_4.dcm"])
        volume = read_series(series)
        np.testing.assert_array_equal(volume.data, ramp()[3:4])
        np.testing.assert_allclose(volume.affine[:3, 3], (10, -20, 39), atol=1e-9)
        assert volume.spacing_mm == pytest.approx((3, 1.5, 0.7))


class TestFinding:
    def test_one_file_stands_for_its_series(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        write_series(Volume(ramp((2, 3, 3)), np.eye(4)), other)
        for file in other.iterdir():
            file.rename(folder / f"other_{file.name}")
        assert len(find_series(folder)) == 2
        (series,) = find_series(folder / "slice_5.dcm")
        assert series.shape == (6, 5, 4)

    def test_folders_below(self, folder: Path) -> None:
        (series,) = find_series(folder.parent)
        assert len(series.files) == 6

    def test_other_files_are_passed_over(self, folder: Path) -> None:
        (folder / "README.txt").write_text("no image")
        (folder / "bare").write_bytes(b"\x08\x00" + bytes(300))
        (folder / "empty.dcm").touch()
        assert len(find_series(folder)) == 1

    def test_without_preamble(self, folder: Path) -> None:
        for file in folder.iterdir():
            data = Dataset()
            data.update(pydicom.dcmread(file))
            data.save_as(file, implicit_vr=True, little_endian=True, enforce_file_format=False)
            assert file.read_bytes()[:2] == b"\x08\x00"
        (series,) = find_series(folder)
        np.testing.assert_array_equal(read_series(series).data, ramp())

    def test_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="found no file"):
            find_series(tmp_path)

    def test_folder_without_dicom(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("no image")
        with pytest.raises(InputError, match=r"1 file.*none of them"):
            find_series(tmp_path)

    def test_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="neither a file nor a folder"):
            find_series(tmp_path / "nowhere")

    def test_not_dicom(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("no image")
        with pytest.raises(InputError, match=r"notes\.txt is not a DICOM file"):
            find_series(tmp_path / "notes.txt")


class TestDamage:
    def test_cut_off_pixels(self, folder: Path) -> None:
        file = folder / "slice_3.dcm"
        file.write_bytes(file.read_bytes()[:-10])
        (series,) = find_series(folder)
        with pytest.raises(InputError, match=r"slice_3\.dcm cannot be decoded") as caught:
            read_series(series)
        assert "\n" not in str(caught.value)
        assert "itk" not in str(caught.value).lower()
        assert str(folder) not in str(caught.value)

    @pytest.mark.parametrize("kept", [140, 200, 420])
    def test_cut_off_header(self, folder: Path, kept: int) -> None:
        file = folder / "slice_6.dcm"
        file.write_bytes(file.read_bytes()[:kept])
        found = find_series(folder)
        problems = [series.problem for series in found if series.problem]
        assert len(found) == 2
        assert len(problems) == 1
        assert "slice_6.dcm" in problems[0]

    @pytest.mark.parametrize(("tag", "value"), [("ImagePositionPatient", ["1", "2"]), ("PixelSpacing", ["0", "1"])])
    def test_the_tag_is_named(self, folder: Path, tag: str, value: list[str]) -> None:
        change(folder / "slice_6.dcm", lambda data: setattr(data, tag, value))
        (problem,) = (series.problem for series in find_series(folder) if series.problem)
        assert "slice_6.dcm" in problem
        assert tag in problem or "pixel spacing" in problem


class TestFilesInTheWild:
    @pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "image_dfl.dcm"])
    def test_grey(self, name: str) -> None:
        (series,) = find_series([bundled(name)])
        header = pydicom.dcmread(bundled(name))
        expected = header.pixel_array.astype(int) + int(header.get("RescaleIntercept", 0))
        np.testing.assert_array_equal(read_series(series).data[0], expected)

    @pytest.mark.parametrize("name", ["SC_rgb_rle.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"])
    def test_colour(self, name: str) -> None:
        (series,) = find_series([bundled(name)])
        volume = read_series(series)
        assert volume.axes == "czyx"
        np.testing.assert_array_equal(np.moveaxis(volume.data, 0, -1)[0], pydicom.dcmread(bundled(name)).pixel_array)

    def test_palette(self) -> None:
        (series,) = find_series([bundled("examples_palette.dcm")])
        volume = read_series(series)
        header = pydicom.dcmread(bundled("examples_palette.dcm"))
        tables = [header[f"{colour}PaletteColorLookupTableData"].value for colour in ("Red", "Green", "Blue")]
        expected = [np.frombuffer(table, "<u2")[header.pixel_array] >> 8 for table in tables]
        np.testing.assert_array_equal(volume.data[:, 0], expected)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("rtplan.dcm", "RT Plan"),
            ("waveform_ecg.dcm", "ECG"),
            ("UN_sequence.dcm", "no rows and columns"),
        ],
    )
    def test_refused(self, name: str, said: str) -> None:
        (series,) = find_series([bundled(name)])
        assert said in series.problem

    def test_truncated(self) -> None:
        (series,) = find_series([bundled("MR_truncated.dcm")])
        with pytest.raises(InputError, match=r"MR_truncated\.dcm cannot be decoded"):
            read_series(series)


class TestMeta:
    def test_no_patient(self, folder: Path) -> None:
        def name(data: Dataset) -> None:
            data.PatientName, data.PatientID, data.InstitutionName = "Doe^Jane", "NR-4711", "Clinic"
            data.PatientBirthDate, data.StudyDate, data.OperatorsName = "19700101", "20200202", "Roe^Rick"
            data.RepetitionTime, data.EchoTime, data.WindowCenter = "2000", "30", ["40", "50"]

        for file in folder.iterdir():
            change(file, name)
        (series,) = find_series(folder)
        volume = read_series(series)
        said = repr(series) + repr(series.slices) + repr(volume.meta) + volume.name
        said = said.replace(str(folder), "")
        for secret in ("Doe", "Jane", "NR-", "Clinic", "19700101", "20200202", "Roe"):
            assert secret not in said
        assert volume.name == "ramp"
        assert volume.meta["repetition_time_ms"] == 2000
        assert volume.meta["window_centre"] == [40, 50]
        assert volume.meta["slice_thickness_mm"] == 3


class TestValues:
    @pytest.mark.parametrize(
        ("bits", "signed", "slope", "intercept", "dtype"),
        [
            (12, False, "1", "-1024", "int16"),
            (12, False, "1", "0", "uint16"),
            (8, False, "1", "0", "uint8"),
            (16, False, "1", "-1024", "int32"),
            (16, True, "1", "0", "int16"),
            (12, False, "2", "0", "uint16"),
            (12, False, "0.5", "0", "float32"),
            (12, False, "0.1", "0", "float64"),
            (12, False, "0", "0", "uint16"),  # a slope of nothing is none
        ],
    )
    def test_type(self, folder: Path, bits: int, signed: bool, slope: str, intercept: str, dtype: str) -> None:
        def scale(data: Dataset) -> None:
            data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
            data.RescaleSlope, data.RescaleIntercept = slope, intercept

        for file in folder.iterdir():
            change(file, scale)
        (series,) = find_series(folder)
        volume = read_series(series)
        assert series.dtype == str(volume.data.dtype) == dtype
        np.testing.assert_array_equal(volume.data, ramp() * (float(slope) or 1.0) + float(intercept))

    def test_inverted_grey_with_a_meaning_stays(self, folder: Path) -> None:
        for file in folder.iterdir():
            change(file, lambda data: setattr(data, "PhotometricInterpretation", "MONOCHROME1"))
        (series,) = find_series(folder)
        np.testing.assert_array_equal(read_series(series).data, ramp())
