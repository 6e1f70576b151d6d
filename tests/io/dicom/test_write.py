from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.dicom import find_series, read_series
from napari_resmed.io.dicom.series_description import series_description
from napari_resmed.io.dicom.write import write_series
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

CORNER_MM = 1e-4
# Right-handed, as DICOM stacks are: axial, 1 mm.
AXIAL = geometry.compose((0, 0, 0), (1, 1, 1))
_TURN = np.deg2rad(20)
OBLIQUE = geometry.compose(
    (10, -20, 30),
    (3, 1.5, 0.7),
    [[np.cos(_TURN), -np.sin(_TURN), 0], [np.sin(_TURN), np.cos(_TURN), 0], [0, 0, 1]],
)


def there_and_back(volume: Volume, folder: Path) -> Volume:
    write_series(volume, folder)
    (series,) = find_series(folder)
    assert series.problem == ""
    return read_series(series)


def rotation(a: float, b: float, c: float, d: float) -> np.ndarray:
    """Right-handed rotation of a unit quaternion."""
    w, x, y, z = np.array([a, b, c, d]) / np.linalg.norm([a, b, c, d])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
lengths = st.floats(0.05, 12)
places = st.floats(-2000, 2000)


class TestRoundTrip:
    @settings(max_examples=40, deadline=None)
    @given(
        turn=quaternions,
        spacing=st.tuples(lengths, lengths, lengths),
        origin=st.tuples(places, places, places),
        lean=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
        slices=st.integers(2, 7),
    )
    def test_any_place(self, turn, spacing, origin, lean, slices: int) -> None:
        """Rotated anyhow, and leaning up to 35 degrees."""
        affine = geometry.compose(origin, spacing, rotation(*turn))
        affine[:3, 0] += spacing[0] * (lean[0] * affine[:3, 1] / spacing[1] + lean[1] * affine[:3, 2] / spacing[2])
        data = np.arange(slices * 20, dtype=np.int16).reshape(slices, 4, 5) - 30
        volume = Volume(data, affine, modality="MR")
        with TemporaryDirectory() as folder:
            back = there_and_back(volume, Path(folder) / "series")
        np.testing.assert_array_equal(back.data, data)
        moved = geometry.corners(back.affine, data.shape) - geometry.corners(affine, data.shape)
        assert np.abs(moved).max() < CORNER_MM

    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64, np.float32, bool])
    def test_whole_numbers_are_exact(self, tmp_path: Path, dtype: type) -> None:
        numbers = np.random.default_rng(0).integers(0, 2 if dtype is bool else 120, (3, 4, 5))
        data = (numbers - (50 if np.dtype(dtype).kind in "if" else 0)).astype(dtype)
        back = there_and_back(Volume(data, AXIAL, modality="CT"), tmp_path / "series")
        np.testing.assert_array_equal(back.data, data.astype(np.int64))
        assert back.data.dtype in (np.uint16, np.int16)

    @pytest.mark.parametrize("ends", [(0, 65535), (-32768, 32767)])
    def test_full_sixteen_bits(self, tmp_path: Path, ends: tuple[int, int]) -> None:
        data = np.array(ends, dtype=np.int32).reshape(2, 1, 1) * np.ones((1, 3, 3), dtype=np.int32)
        back = there_and_back(Volume(data, AXIAL), tmp_path / "series")
        np.testing.assert_array_equal(back.data, data)

    @pytest.mark.parametrize("modality", ["MR", "CT", "PT", ""])
    def test_real_numbers_within_half_a_step(self, tmp_path: Path, modality: str) -> None:
        data = np.random.default_rng(1).normal(3, 1e-3, (4, 6, 5)).astype(np.float32)
        back = there_and_back(Volume(data, AXIAL, modality=modality), tmp_path / "series")
        half_a_step = (float(data.max()) - float(data.min())) / 65535 / 2
        off = np.abs(back.data - data.astype(np.float64)).max()
        # The tenth more: slope and intercept have sixteen letters each.
        assert 0 < off < 1.1 * half_a_step

    def test_large_whole_numbers(self, tmp_path: Path) -> None:
        data = np.arange(24, dtype=np.int32).reshape(2, 3, 4) * 100_000
        back = there_and_back(Volume(data, AXIAL), tmp_path / "series")
        assert np.abs(back.data - data).max() <= 2_300_000 / 65535 / 2 * 1.1

    def test_constant(self, tmp_path: Path) -> None:
        back = there_and_back(Volume(np.full((2, 3, 3), 0.25), AXIAL), tmp_path / "series")
        np.testing.assert_array_equal(back.data, np.full((2, 3, 3), 0.25))

    def test_left_handed_keeps_every_voxel_in_place(self, tmp_path: Path) -> None:
        affine = geometry.compose((0, 0, 0), (2, 1, 1), np.diag([1, 1, -1]))
        data = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
        back = there_and_back(Volume(data, affine), tmp_path / "series")
        np.testing.assert_array_equal(back.data[::-1], data)
        np.testing.assert_allclose((back.affine @ (2, 0, 0, 1)), affine[:, 3])

    def test_labels(self, tmp_path: Path) -> None:
        data = np.zeros((2, 3, 4), np.uint8)
        data[1, 1] = 7
        back = there_and_back(LabelMap(data, AXIAL), tmp_path / "series")
        np.testing.assert_array_equal(back.data, data)

    def test_a_real_tilted_ct(self, shared_data: Path, tmp_path: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/failing/gantrytilting")
        volume = read_series(series)
        back = there_and_back(volume, tmp_path / "series")
        np.testing.assert_array_equal(back.data, volume.data)
        assert back.same_grid(volume)
        assert back.modality == "CT"


class TestInTime:
    @pytest.mark.parametrize("modality", ["MR", "CT", "PT", ""])
    def test_voxels_place_and_times(self, tmp_path: Path, modality: str) -> None:
        """Twelve times: their order is not that of the files' names."""
        data = np.random.default_rng(2).integers(-300, 2000, (12, 3, 4, 5)).astype(np.int16)
        volume = Volume(data, OBLIQUE, modality=modality, meta={"time_step_s": 2.5})
        back = there_and_back(volume, tmp_path / "series")
        assert back.axes == "tzyx"
        np.testing.assert_array_equal(back.data, data)
        np.testing.assert_allclose(back.affine, OBLIQUE, atol=1e-9)
        assert (back.meta["ordered_by"], back.meta["time_step_s"]) == ("temporal position", 2.5)

    def test_echoes_stay_echoes(self, tmp_path: Path) -> None:
        data = np.arange(180, dtype=np.int16).reshape(3, 3, 4, 5)
        meta = {"echo_times_ms": [2.46, 4.92, 7.38]}
        back = there_and_back(Volume(data, AXIAL, modality="MR", meta=meta), tmp_path / "series")
        np.testing.assert_array_equal(back.data, data)
        assert (back.meta["ordered_by"], back.meta["echo_times_ms"]) == ("echo time", meta["echo_times_ms"])
        assert not any("TemporalPosition" in pydicom.dcmread(file) for file in (tmp_path / "series").iterdir())

    @pytest.mark.parametrize(
        ("key", "values"),
        [
            ("b_values_s_per_mm2", [0.0, 1000.0, 1000.0]),
            ("trigger_times_ms", [80.0, 0.0, 40.0]),
            ("inversion_times_ms", [100.0, 2500.0, 400.0]),
            ("flip_angles_deg", [3.0, 15.0, 9.0]),
            ("echo_times_ms", [5.0, 5.0, 10.0]),  # no order: temporal positions say it, echo times are left out
        ],
    )
    def test_values_by_time_in_any_order(self, tmp_path: Path, key: str, values: list[float]) -> None:
        data = np.arange(180, dtype=np.int16).reshape(3, 3, 4, 5)
        back = there_and_back(Volume(data, AXIAL, modality="MR", meta={key: values}), tmp_path / "series")
        np.testing.assert_array_equal(back.data, data)
        assert back.meta.get(key) == (values if key != "echo_times_ms" else None)

    def test_one_scale_for_all_times(self, tmp_path: Path) -> None:
        data = np.random.default_rng(3).normal(0, 1, (3, 2, 4, 5))
        data[1] *= 1000
        back = there_and_back(Volume(data, AXIAL, modality="MR"), tmp_path / "series")
        assert np.abs(back.data - data).max() < 1.1 * np.ptp(data) / 65535 / 2

    def test_a_single_slice(self, tmp_path: Path) -> None:
        data = np.arange(100, dtype=np.uint16).reshape(5, 1, 4, 5)
        np.testing.assert_array_equal(there_and_back(Volume(data, AXIAL), tmp_path / "series").data, data)

    def test_a_real_series(self, shared_data: Path, tmp_path: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dcm_qa_agfa/Siemens")
        volume = read_series(series)
        back = there_and_back(volume, tmp_path / "series")
        np.testing.assert_array_equal(back.data, volume.data)
        assert back.same_grid(volume)


class TestColour:
    @pytest.mark.parametrize("modality", ["", "MR", "US"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("times", [1, 2])
    def test_voxels_and_place(self, tmp_path: Path, modality: str, dtype: type, times: int) -> None:
        """An odd number of bytes an image, which is padded."""
        shape = ((times,) if times > 1 else ()) + (3, 4, 3, 5)
        data = np.random.default_rng(4).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
        axes = "czyx" if times == 1 else "tczyx"
        volume = Volume(data, OBLIQUE, axes, modality=modality, meta={"colour": "RGB"})
        back = there_and_back(volume, tmp_path / "series")
        assert (back.axes, back.data.dtype, back.meta["photometric"]) == (axes, dtype, "RGB")
        np.testing.assert_array_equal(back.data, data)
        np.testing.assert_allclose(back.affine, OBLIQUE, atol=1e-9)
        header = pydicom.dcmread(next((tmp_path / "series").iterdir()))
        assert header.SOPClassUID.name == "Secondary Capture Image Storage"

    def test_a_real_series(self, shared_data: Path, tmp_path: Path) -> None:
        (series,) = find_series(shared_data / "dicom/dicom2nifti/generic/rgb")
        volume = read_series(series)
        back = there_and_back(volume, tmp_path / "series")
        np.testing.assert_array_equal(back.data, volume.data)
        assert back.same_grid(volume)

    @pytest.mark.parametrize(
        ("channels", "dtype", "low", "said"),
        [
            (2, np.uint8, 0, "found 2 channels"),
            (4, np.uint8, 0, "found 4 channels"),
            (3, np.float32, 0, "three channels of type float32"),
            (3, np.int16, -1, "from -1 to"),
            (3, np.uint16, 0, "three channels of type uint16"),  # nothing says that they are colours
        ],
    )
    def test_other_channels_are_refused(self, tmp_path: Path, channels: int, dtype: type, low: int, said: str) -> None:
        data = (np.arange(channels * 24).reshape(channels, 2, 3, 4) + low).astype(dtype)
        with pytest.raises(InputError, match=said) as caught:
            write_series(Volume(data, AXIAL, "czyx"), tmp_path / "s")
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []


class TestAsDcm2niixReads:
    """The peer's own reading of what we write: the same values at the same places."""

    @pytest.mark.parametrize("kind", ["times", "colour"])
    def test_world(self, tmp_path: Path, kind: str) -> None:
        dcm2niix = pytest.importorskip("dcm2niix", reason="the program comes with its package")
        shape = (3, 4, 5, 7) if kind == "times" else (1, 4, 5, 7, 3)
        values = np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)
        data, axes = (values, "tzyx") if kind == "times" else (np.moveaxis(values[0], -1, 0), "czyx")
        write_series(Volume(data, OBLIQUE, axes, modality="MR"), tmp_path / "series")
        command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "peer", "-o", str(tmp_path), str(tmp_path / "series")]
        subprocess.run(command, capture_output=True, check=True)
        peer = nib.load(tmp_path / "peer.nii")
        stored = np.asarray(peer.dataobj.get_unscaled())
        if kind == "colour":
            stored = np.stack([stored[name] for name in stored.dtype.names], axis=-1)[:, :, :, None]
        to_theirs = np.linalg.inv(geometry.ras_to_lps(peer.affine))
        for index in np.ndindex(4, 5, 7):
            z, y, x = np.rint((to_theirs @ OBLIQUE @ (*index, 1))[:3]).astype(int)
            np.testing.assert_array_equal(stored[x, y, z], values[(slice(None), *index)])


class TestHeader:
    @pytest.mark.parametrize(
        ("modality", "kind"),
        [("CT", "CT Image Storage"), ("MR", "MR Image Storage"), ("US", "Secondary Capture Image Storage")],
    )
    def test_storage_class(self, tmp_path: Path, modality: str, kind: str) -> None:
        write_series(Volume(np.zeros((2, 3, 4), np.int16), AXIAL, modality=modality), tmp_path / "s")
        header = pydicom.dcmread(tmp_path / "s" / "slice_1.dcm")
        assert header.SOPClassUID.name == kind
        assert header.file_meta.MediaStorageSOPClassUID == header.SOPClassUID
        assert header.Modality == modality
        assert ("RescaleSlope" in header) == (modality == "CT")

    def test_anonymous_and_new(self, tmp_path: Path) -> None:
        volume = Volume(np.zeros((2, 3, 4), np.int16), AXIAL, name="Doe_John T1", meta={"description": "Doe John"})
        for name in ("a", "b"):
            write_series(volume, tmp_path / name)
        headers = [pydicom.dcmread(file) for file in sorted(tmp_path.rglob("*.dcm"))]
        assert {str(header.PatientName) for header in headers} == {"ANONYMOUS"}
        assert {header.PatientID for header in headers} == {"ANONYMOUS"}
        assert len({header.SOPInstanceUID for header in headers}) == 4
        assert len({header.SeriesInstanceUID for header in headers}) == 2
        assert len({header.StudyInstanceUID for header in headers}) == 2
        assert {header.SeriesDescription for header in headers} == {"Image"}
        assert not any("Doe" in str(header) for header in headers)

    @pytest.mark.parametrize(
        ("meta", "said"),
        [
            ({"format": "DICOM", "description": "t1 mprage\\" + "x" * 100}, "t1 mprage/" + "x" * 54),
            ({"format": "NIfTI", "description": "Doe John"}, "Image"),
            ({"made_by": {"model": "brain-mr"}}, "brain-mr"),
        ],
    )
    def test_description(self, meta: dict[str, Any], said: str, tmp_path: Path) -> None:
        write_series(Volume(np.zeros((2, 3, 4), np.int16), AXIAL, name="Doe_John", meta=meta), tmp_path / "s")
        assert pydicom.dcmread(tmp_path / "s" / "slice_1.dcm").SeriesDescription == said
        (series,) = find_series(tmp_path / "s")
        assert series_description(read_series(series)) == said


class TestRefusals:
    def test_skewed_plane(self, tmp_path: Path) -> None:
        affine = AXIAL.copy()
        affine[1, 2] = 0.1
        with pytest.raises(InputError, match="right angle"):
            write_series(Volume(np.zeros((2, 3, 3)), affine), tmp_path / "s")

    def test_not_finite(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="NaN"):
            write_series(Volume(np.full((2, 3, 3), np.nan), AXIAL), tmp_path / "s")

    def test_labels_beyond_sixteen_bits(self, tmp_path: Path) -> None:
        data = np.full((2, 3, 3), 70_000, np.int32)
        with pytest.raises(InputError, match="70000"):
            write_series(LabelMap(data, AXIAL), tmp_path / "s")

    def test_full_folder(self, tmp_path: Path) -> None:
        (tmp_path / "keep.txt").write_text("mine")
        with pytest.raises(InputError, match="not empty"):
            write_series(Volume(np.zeros((2, 3, 3)), AXIAL), tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["keep.txt"]

    def test_file_of_that_name(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("mine")
        with pytest.raises(InputError, match="is a file"):
            write_series(Volume(np.zeros((2, 3, 3)), AXIAL), tmp_path / "s")

    def test_no_folder_around(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            write_series(Volume(np.zeros((2, 3, 3)), AXIAL), tmp_path / "no" / "s")

    def test_a_locked_place(self, locked_disk: Path) -> None:
        with pytest.raises(InputError, match="writing is not allowed there"):
            write_series(Volume(np.zeros((2, 3, 3)), AXIAL), locked_disk / "s")

    def test_empty_folder_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "s").mkdir()
        write_series(Volume(np.zeros((2, 3, 3)), AXIAL), tmp_path / "s")
        assert len(list((tmp_path / "s").iterdir())) == 2


class TestNothingHalf:
    def test_disk_full(self, tmp_path: Path, small_disk) -> None:
        with small_disk(), pytest.raises(WorkError, match="nothing was left there"):
            write_series(Volume(np.zeros((2, 100, 100)), AXIAL), tmp_path / "s")
        assert list(tmp_path.iterdir()) == []
