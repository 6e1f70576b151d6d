"""Echoes, b-values, trigger times: what makes images of one place times of one volume, and what keeps them apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from napari_resmed.io.dicom import Series, describe, find_series, read_series
from napari_resmed.io.dicom.parameters import in_words, values_of
from napari_resmed.io.listing import find_images
from tests.io.dicom.making import change, make_series, ramp

Edit = Callable[[Dataset], None]


def times_of(folder: Path, edits: list[Edit]) -> list[Series]:
    """A series of 6 slices taken several times, each with its own edit and 100 added to the one before."""
    make_series(folder)
    plain = sorted(folder.iterdir())
    for number, edit in enumerate(edits):
        for index, file in enumerate(plain):

            def one(data: Dataset, number: int = number, edit: Edit = edit, index: int = index) -> None:
                data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                data.InstanceNumber = number * len(plain) + index + 1
                data.PixelData = (data.pixel_array + 100 * number).astype(np.uint16).tobytes()
                edit(data)

            change(file, one, folder / f"{number}_{file.name}")
    for file in plain:
        file.unlink()
    return find_series(folder)


def say(**values: object) -> Edit:
    def edit(data: Dataset) -> None:
        for name, value in values.items():
            setattr(data, name, value)

    return edit


def private(group: int, creator: str, element: int, vr: str, value: object) -> Edit:
    return lambda data: data.private_block(group, creator, create=True).add_new(element, vr, value)


class TestEchoes:
    def test_one_volume(self, tmp_path: Path) -> None:
        """The shortest first, whatever the order of acquisition and of files."""
        (series,) = times_of(
            tmp_path / "s", [say(EchoTime=te, EchoNumbers=n) for n, te in ((3, 7.5), (1, 2.5), (2, 5))]
        )
        volume = read_series(series)
        assert (volume.axes, volume.shape, series.ordered_by) == ("tzyx", (3, 6, 5, 4), "echo time")
        for time, added in enumerate((100, 200, 0)):
            np.testing.assert_array_equal(volume.data[time], ramp() + added)
        assert volume.meta["echo_times_ms"] == [2.5, 5, 7.5]
        assert "echo_time_ms" not in volume.meta
        assert series.times == "3 echoes: 2.5, 5, 7.5 ms"
        assert describe(series)["Times"] == series.times
        assert "Echo time" not in describe(series)
        (entry,) = find_images(tmp_path)
        assert entry.description == "ramp; 3 echoes: 2.5, 5, 7.5 ms"

    def test_number_in_the_image_type(self, tmp_path: Path) -> None:
        edits = [say(EchoTime=te, ImageType=["ORIGINAL", "PRIMARY", "M", f"TE{n}"]) for n, te in ((1, 4.9), (2, 7.4))]
        (series,) = times_of(tmp_path / "s", edits)
        assert series.parameters == {"echo_times_ms": (4.9, 7.4)}

    def test_numbers_alone(self, tmp_path: Path) -> None:
        (series,) = times_of(tmp_path / "s", [say(EchoNumbers=2), say(EchoNumbers=1)])
        assert (series.ordered_by, series.times) == ("echo number", "2 echoes")
        np.testing.assert_array_equal(read_series(series).data[0], ramp() + 100)

    @pytest.mark.parametrize(
        ("edits", "apart"),
        [
            ([say(ImageType=["ORIGINAL", "PRIMARY", part]) for part in "MP"], ""),
            ([say(ComplexImageComponent=part) for part in ("MAGNITUDE", "PHASE")], ""),
            ([say(RescaleType=unit, RescaleSlope=1, RescaleIntercept=0) for unit in ("ms", "Hz")], ""),
            ([say(EchoTime=te, RescaleSlope=te, RescaleIntercept=0) for te in (5, 10)], "scaled differently"),
            ([say(EchoTime=5), say()], "not all of them say which they are"),
            ([private(0x43, "GEMS_PARM_01", 0x2F, "SS", part) for part in (0, 1, 2, 3)], ""),
            ([private(0x43, "GEMS_PARM_01", 0x30, "SS", part) for part in (0, 2)], ""),
        ],
    )
    def test_what_stays_apart(self, tmp_path: Path, edits: list[Edit], apart: str) -> None:
        found = times_of(tmp_path / "s", edits)
        assert [series.shape for series in found] == [(6, 5, 4)] * len(edits)
        assert all(apart in " ".join(series.warnings) for series in found)
        assert not any("another type" in note for series in found for note in series.warnings)

    def test_an_odd_one_out_is_told(self, tmp_path: Path) -> None:
        """A damaged type makes one image of a series in time an image of its own: not without a word."""
        times_of(tmp_path / "s", [say(TemporalPositionIdentifier=time) for time in (1, 2)])
        change(tmp_path / "s" / "1_slice_6.dcm", say(ImageType=["DERIVED", "SECONDARY", "REF_SURV"]))
        found = find_series(tmp_path / "s")
        assert len(found) > 1
        notes = [" ".join(series.warnings) + series.problem for series in found]
        assert any("1 more image of its series" in note for note in notes)
        assert any("11 more images of its series" in note for note in notes)

    def test_of_a_slice_that_one_echo_lacks(self, tmp_path: Path) -> None:
        times_of(tmp_path / "s", [say(EchoTime=5), say(EchoTime=10)])
        (tmp_path / "s" / "1_slice_6.dcm").unlink()
        found = find_series(tmp_path / "s")
        assert sorted(series.shape for series in found) == [(5, 5, 4), (6, 5, 4)]
        assert any("one of 2 echoes of its series (10 ms)" in note for series in found for note in series.warnings)
        assert all("do not have the same slices" in series.warnings[-1] for series in found)

    def test_in_time_themselves(self, tmp_path: Path) -> None:
        edits = [say(EchoTime=te, TemporalPositionIdentifier=time) for te in (5, 10) for time in (1, 2)]
        found = times_of(tmp_path / "s", edits)
        assert [series.shape for series in found] == [(2, 6, 5, 4)] * 2
        assert all("series in time themselves" in series.warnings[-1] for series in found)


class TestDiffusion:
    @pytest.mark.parametrize(
        "edits",
        [
            [say(DiffusionBValue=float(b)) for b in (1000, 0)],
            [private(0x19, "SIEMENS MR HEADER", 0x0C, "IS", b) for b in (1000, 0)],
            [private(0x19, "SIEMENS MR HEADER", 0x0C, "UN", b) for b in (b"1000", b"0 ")],
            [private(0x43, "GEMS_PARM_01", 0x39, "IS", b) for b in ([1000001000, 8, 0, 0], [0, 8, 0, 0])],
            [private(0x2001, "Philips Imaging DD 001", 0x03, "FL", b) for b in (1000.0, 0.0)],
            [private(0x2001, "Philips Imaging DD 001", 0x03, "UN", np.float32(b).tobytes()) for b in (1000, 0)],
        ],
    )
    def test_b_values(self, tmp_path: Path, edits: list[Edit]) -> None:
        (series,) = times_of(tmp_path / "s", edits)
        assert series.ordered_by == "b-value"
        assert read_series(series).meta["b_values_s_per_mm2"] == [0, 1000]
        assert series.times == "2 b-values: 0, 1000 s/mm²"
        np.testing.assert_array_equal(read_series(series).data[0], ramp() + 100)

    def test_a_private_number_of_somebody_else(self, tmp_path: Path) -> None:
        (series,) = times_of(tmp_path / "s", [private(0x19, "GEMS_ACQU_01", 0x0C, "IS", b) for b in (1000, 0)])
        assert (series.ordered_by, dict(series.parameters)) == ("instance number", {})

    @pytest.mark.parametrize("b", ["many", "1.5e", "", "nan"])
    def test_a_private_number_that_is_none(self, tmp_path: Path, b: str) -> None:
        """What a vendor keeps for itself costs no image."""
        (series,) = times_of(tmp_path / "s", [private(0x19, "SIEMENS MR HEADER", 0x0C, "LO", b)] * 2)
        assert (series.problem, series.ordered_by) == ("", "instance number")

    def test_the_public_one_counts(self, tmp_path: Path) -> None:
        def both(b: int) -> Edit:
            def edit(data: Dataset) -> None:
                private(0x19, "SIEMENS MR HEADER", 0x0C, "IS", 5)(data)
                data.DiffusionBValue = float(b)

            return edit

        (series,) = times_of(tmp_path / "s", [both(700), both(100)])
        assert series.parameters == {"b_values_s_per_mm2": (100, 700)}

    def test_several_directions(self, tmp_path: Path) -> None:
        (series,) = times_of(tmp_path / "s", [say(DiffusionBValue=float(b)) for b in (0, 800, 800)])
        assert series.ordered_by == "instance number"
        assert series.times == "3 times; b-values 0, 800 (2 times) s/mm²"


class TestTrigger:
    def test_times(self, tmp_path: Path) -> None:
        (series,) = times_of(tmp_path / "s", [say(TriggerTime=time) for time in (40, 0, 80)])
        assert series.times == "3 trigger times: 0, 40, 80 ms"
        np.testing.assert_array_equal(read_series(series).data[0], ramp() + 100)

    def test_of_every_slice_its_own(self, tmp_path: Path) -> None:
        """Slices of other heart beats: in order, but no value stands for all."""

        def at(time: float) -> Edit:
            return lambda data: setattr(data, "TriggerTime", time + float(data.InstanceNumber % 5))

        (series,) = times_of(tmp_path / "s", [at(0), at(50)])
        assert (series.times, dict(series.parameters)) == ("2 trigger times", {})


class TestWords:
    def test_many_are_shortened(self) -> None:
        assert values_of([float(n) for n in range(0, 200, 10)], "ms") == "0, 10, 20, ..., 190 ms"

    def test_one_time_needs_none(self) -> None:
        assert in_words({}, "", 1) == ""
        assert in_words({}, "temporal position", 7) == "7 times"
        assert in_words({"flip_angles_deg": (3, 15)}, "acquisition number", 2) == "2 times; flip angles 3, 15°"
