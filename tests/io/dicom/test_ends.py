"""Bytes lost or put in before or within the pixels: none of them may move the picture in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read
from napari_resmed.io.dicom.ends import check_fragments, check_tail
from tests.io.dicom.making import bundled, make_series

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PADDING = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0"  # FFFC,FFFC Data Set Trailing Padding
ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


class TestTail:
    def check(self, after: bytes, tmp_path: Path, syntax: str = EXPLICIT, before: int = 100) -> None:
        (tmp_path / "a.dcm").write_bytes(b"x" * before + after)
        check_tail(tmp_path / "a.dcm", before, syntax)

    @pytest.mark.parametrize("after", [b"", PADDING, b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\xff\xffanything"])
    def test_what_may_follow(self, after: bytes, tmp_path: Path) -> None:
        self.check(after, tmp_path)

    def test_without_value_representations(self, tmp_path: Path) -> None:
        self.check(b"\xfc\xff\xfc\xff\x04\0\0\0\0\0\0\0", tmp_path, IMPLICIT)

    def test_zeros_to_the_end_of_a_block(self, tmp_path: Path) -> None:
        self.check(bytes(412), tmp_path)

    @pytest.mark.parametrize(
        "after",
        [b"\0", b"\0\0\0\0", b"\x12" + PADDING, PADDING[1:], PADDING[2:], PADDING[:-1], PADDING + b"\1", PADDING * 2],
    )
    def test_what_may_not(self, after: bytes, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"a\.dcm is damaged: its pixels do not end where"):
            self.check(after, tmp_path)


class TestFragments:
    def test_whole(self) -> None:
        check_fragments("a", ITEM + b"\0\0\0\0" + ITEM + b"\x02\0\0\0ab" + DELIMITER)

    @pytest.mark.parametrize("pixels", [ITEM + b"\x09\0\0\0ab", b"ab" * 8, ITEM + b"\x01\0\0\0ab" + DELIMITER])
    def test_broken(self, pixels: bytes) -> None:
        with pytest.raises(InputError, match="a is damaged: its compressed pixels"):
            check_fragments("a", pixels)


class TestFiles:
    @pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm"])
    @pytest.mark.parametrize("change", ["lost", "put in"])
    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_moved_pixels_are_refused(self, name: str, change: str, count: int, tmp_path: Path) -> None:
        content = bundled(name).read_bytes()
        place = len(content) - 2500  # within the pixels
        if change == "lost":
            content = content[:place] + content[place + count :]
        else:
            content = content[:place] + b"\x05" * count + content[place:]
        (tmp_path / "a.dcm").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.dcm"):
            read(tmp_path / "a.dcm")

    @pytest.mark.parametrize(("tag", "value"), [(b"\x28\x00\x10\x00", 1), (b"\x28\x00\x11\x00", 64)])
    def test_fewer_rows_or_columns_than_there_are(self, tag: bytes, value: int, tmp_path: Path) -> None:
        content = bundled("CT_small.dcm").read_bytes()
        place = content.index(tag + b"US\x02\x00") + 8
        (tmp_path / "a.dcm").write_bytes(content[:place] + value.to_bytes(2, "little") + content[place + 2 :])
        with pytest.raises(InputError, match="holds more pixels than its header says"):
            read(tmp_path / "a.dcm")

    def test_a_damaged_slice_at_the_end_of_a_series_is_said(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        last = sorted(folder.iterdir())[-1]
        for content, said in ((last.read_bytes()[:300], last.name), (b"", "is no DICOM file, though its name says so")):
            last.write_bytes(content)
            volume = read(folder)
            assert volume.shape[0] == 5
            assert any(note.startswith("left out: ") and said in note for note in volume.meta["warnings"])
