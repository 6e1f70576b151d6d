from __future__ import annotations

from pathlib import Path

import pydicom.data
import pytest

from napari_resmed.io.dicom import header as headers
from napari_resmed.io.dicom.header import Header, read_header

BUNDLED = sorted(file for file in (Path(pydicom.data.__file__).parent / "test_files").rglob("*") if file.is_file())


def said(file: Path) -> object:
    try:
        header = read_header(file)
    except Exception as problem:
        return type(problem).__name__
    return None if header is None else facts(header)


def facts(header: Header) -> dict[str, object]:
    values = {name: str(value) for name, value in header.items()}
    place = (header.syntax, header.media_class, header.pixels, header.pixels_at, header.pixels_length, header.little)
    return values | {"place": place}


class TestScan:
    def test_says_what_pydicom_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        quickly = [said(file) for file in BUNDLED]
        monkeypatch.setattr(headers, "scan", lambda *_: None)
        slowly = [said(file) for file in BUNDLED]
        assert quickly == slowly

    def test_is_used(self) -> None:
        used = 0
        for file in BUNDLED:
            start = file.read_bytes()
            used += start[128:132] == b"DICM" and headers._quickly(start, whole=True) is not None
        assert used > 60

    def test_real_files(self, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = sorted(file for file in (shared_data / "dicom").rglob("*.dcm") if file.is_file())[::5]
        quickly = [said(file) for file in files]
        monkeypatch.setattr(headers, "scan", lambda *_: None)
        assert quickly == [said(file) for file in files]
