from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.files import is_dicom, is_readable, read, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine


@pytest.fixture
def volume() -> Volume:
    data = np.random.default_rng(0).permutation(60).reshape(3, 4, 5).astype(np.int16)
    return Volume(data, make_affine((1, 2, 0), (1, -1, 1), spacing_mm=(2, 1, 3), degrees=(10, 5, 0)))


class TestOneDoor:
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ", "a.nrrd", "a.mha", "a.mgz", "study"])
    def test_what_is_written_is_read(self, name: str, volume: Volume, tmp_path: Path) -> None:
        write(volume, tmp_path / name)
        back = read(tmp_path / name)
        assert np.array_equal(back.data, volume.data)
        assert back.same_grid(volume)

    def test_paths_may_be_text(self, volume: Volume, tmp_path: Path) -> None:
        write(volume, str(tmp_path / "a.nii"))
        assert read(str(tmp_path / "a.nii")).same_grid(volume)

    @pytest.mark.parametrize("suffix", [".txt", ".png", ".gz", ".tif"])
    def test_an_ending_that_cannot_be_written(self, suffix: str, volume: Volume, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"expected \.nii\.gz, \.nii, \.nrrd, \.mha, \.mgz, or a folder name"):
            write(volume, tmp_path / f"a{suffix}")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_no_image(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("hello")
        with pytest.raises(InputError, match=r"notes\.txt is not a medical image that can be read; expected NIfTI"):
            read(tmp_path / "notes.txt")

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            read(tmp_path / "none.nii.gz")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_that_nobody_writes_to(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.nii")
        with pytest.raises(InputError, match=r"a\.nii is neither a file nor a folder"):
            read(tmp_path / "a.nii")

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="DICOM"):
            read(tmp_path)

    def test_labels_come_back_as_labels(self, tmp_path: Path) -> None:
        data = np.zeros((6, 6, 6), np.uint8)
        data[2:4] = 1
        for name in ("a.nii.gz", "a.nii"):
            write(LabelMap(data, make_affine()), tmp_path / name)
            assert isinstance(read(tmp_path / name), LabelMap)


class TestIsReadable:
    def test_by_name_or_mark(self, tmp_path: Path) -> None:
        dicom, text = tmp_path / "IM0001", tmp_path / "notes.txt"
        dicom.write_bytes(b"\0" * 128 + b"DICM")
        text.write_text("hello")
        assert is_readable(dicom)
        assert not is_readable(text)
        assert is_readable(tmp_path / "a.nii.gz")
        assert is_readable(tmp_path / "a.MHA")

    def test_without_the_mark_the_suffix_counts(self, tmp_path: Path) -> None:
        (tmp_path / "a.IMA").write_bytes(b"x")
        assert is_dicom(tmp_path / "a.IMA")

    def test_what_is_not_there_or_a_folder(self, tmp_path: Path) -> None:
        assert not is_dicom(tmp_path / "none.dcm")
        assert not is_dicom(tmp_path)
