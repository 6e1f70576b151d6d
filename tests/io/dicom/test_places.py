from __future__ import annotations

import gc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet

from napari_resmed.errors import InputError
from napari_resmed.io import read
from napari_resmed.io.dicom import find_series, places, read_series
from tests.io.dicom.making import change, make_series, ramp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_series(tmp_path / "series")


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted(folder.iterdir()):
            opened.write(file, f"a/b/{file.name}")
        opened.writestr("a/notes.txt", "no image")
        opened.writestr("__MACOSX/a/._slice_1.dcm", "junk")
    return tmp_path / "study.zip"


class TestZip:
    def test_series(self, archive: Path) -> None:
        (series,) = find_series(archive)
        np.testing.assert_array_equal(read_series(series).data, ramp())
        np.testing.assert_array_equal(read(archive).data, ramp())

    def test_unpacked_files_go(self, archive: Path) -> None:
        (series,) = find_series(archive)
        unpacked = series.files[0]
        assert unpacked.exists()
        del series
        gc.collect()
        assert not unpacked.exists()

    def test_no_path_leaves(self, folder: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as opened:
            for number, file in enumerate(sorted(folder.iterdir())):
                opened.write(file, f"../../{'../' * number}out/{file.name}")
            opened.write(file, "/etc/slice_6.dcm")
        before = sorted(tmp_path.rglob("*"))
        found = find_series(tmp_path / "evil.zip")
        assert sorted(tmp_path.rglob("*")) == before
        assert not any(tmp_path in file.parents for series in found for file in series.files)

    def test_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(places, "_RATIO_FROM_BYTES", 2**20)
        with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("a.dcm", bytes(128) + b"DICM" + bytes(2**23))
        with pytest.raises(InputError, match=r"bomb\.zip would unpack to \d+ times its size"):
            find_series(tmp_path / "bomb.zip")

    def test_more_than_declared(self, archive: Path) -> None:
        """Sizes in the directory made smaller than what comes out."""
        data = bytearray(archive.read_bytes())
        with zipfile.ZipFile(archive) as opened:
            sizes = {one.file_size for one in opened.infolist() if one.filename.endswith("dcm")}
        for size in sizes:
            data = bytearray(bytes(data).replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little")))
        archive.write_bytes(data)
        with pytest.raises(InputError, match="damaged archive"):
            find_series(archive)

    @pytest.mark.parametrize("kept", [10, 500, -30])
    def test_cut_off(self, archive: Path, kept: int) -> None:
        archive.write_bytes(archive.read_bytes()[:kept])
        with pytest.raises(InputError, match="damaged archive"):
            find_series(archive)

    def test_nothing_in_it(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "notes.zip", "w") as opened:
            opened.writestr("notes.txt", "no image")
        with pytest.raises(InputError, match=r"found no file in notes\.zip"):
            find_series(tmp_path / "notes.zip")


def dated(data: Dataset) -> None:
    data.StudyDate, data.StudyTime, data.StudyID = "20200202", "101010", "1"


class TestDicomdir:
    @pytest.fixture
    def index(self, folder: Path, tmp_path: Path) -> Path:
        files = FileSet()
        for file in sorted(folder.iterdir()):
            change(file, dated)
            files.add(file)
        files.write(tmp_path / "disc")
        return tmp_path / "disc" / "DICOMDIR"

    def test_series(self, index: Path) -> None:
        (series,) = find_series(index)
        assert series.warnings == ()
        np.testing.assert_array_equal(read_series(series).data, ramp())
        np.testing.assert_array_equal(read(index).data, ramp())

    def test_only_what_it_names(self, index: Path) -> None:
        make_series(index.parent / "more")
        (series,) = find_series(index)
        assert series.warnings[0].startswith(
            "DICOMDIR names 6 files, and leaves out 6 DICOM files that lie beside them"
        )
        assert len(find_series(index.parent)) == 2

    def test_missing_file(self, index: Path) -> None:
        sorted(file for file in index.parent.rglob("*") if file.is_file() and file != index)[-1].unlink()
        (series,) = find_series(index)
        assert "1 of 6 files that DICOMDIR names are not there" in series.warnings[0]

    def test_nothing_beside_it(self, index: Path) -> None:
        alone = index.parent.parent / "alone"
        alone.mkdir()
        index.rename(alone / "DICOMDIR")
        with pytest.raises(InputError, match="found none of the 6 files"):
            find_series(alone / "DICOMDIR")

    def test_no_index(self, tmp_path: Path) -> None:
        (tmp_path / "DICOMDIR").write_text("no image")
        with pytest.raises(InputError, match="no index of DICOM files"):
            find_series(tmp_path / "DICOMDIR")
