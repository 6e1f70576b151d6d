from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import source
from napari_resmed.io.source import encoding_of, open_source

WORDS = np.arange(3_000_000, dtype=np.int16)  # more than is read at once


def packed(encoding: str) -> bytes:
    content = WORDS.tobytes()
    return {"raw": content, "gzip": gzip.compress(content, 1), "zlib": zlib.compress(content, 1)}[encoding]


@pytest.fixture(params=["fast", "standard library"])
def either_inflate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fast library, and as on a machine that has none."""
    if request.param == "standard library":
        monkeypatch.setattr(source, "_GzipFile", gzip.GzipFile)
        monkeypatch.setattr(source, "_new_inflate", zlib.decompressobj)


@pytest.mark.usefixtures("either_inflate")
@pytest.mark.parametrize("encoding", ["raw", "gzip", "zlib"])
class TestReading:
    def test_arrays(self, encoding: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"head" + packed(encoding))
        with open_source(tmp_path / "a", encoding, start=4) as stream:
            found = stream.array((3, 1_000_000), np.dtype("<i2"))
            assert np.array_equal(found.ravel(), WORDS)
            assert stream.finish(found.nbytes, 1_000_000) == []

    def test_swapped_and_converted(self, encoding: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(packed(encoding))
        with open_source(tmp_path / "a", encoding) as stream:
            found = stream.array((3_000_000,), np.dtype(">i2"), np.dtype(np.float32), lambda piece: piece * 0.5)
        assert found.dtype == np.float32
        assert np.array_equal(found, WORDS.byteswap() * np.float32(0.5))

    @pytest.mark.parametrize("kept", [0.001, 0.5, 0.9999])
    def test_cut_off(self, encoding: str, kept: float, tmp_path: Path) -> None:
        content = packed(encoding)
        (tmp_path / "a").write_bytes(content[: int(len(content) * kept)])
        with (
            open_source(tmp_path / "a", encoding) as stream,
            pytest.raises(InputError, match="a is truncated or damaged"),
        ):
            stream.finish(stream.array((3_000_000,), np.dtype("<i2")).nbytes, 3_000_000)

    def test_more_than_it_says(self, encoding: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(packed(encoding))
        with open_source(tmp_path / "a", encoding) as stream:
            array = stream.array((2, 1_000_000), np.dtype("<i2"))
            with pytest.raises(InputError, match="holds more than its header says"):
                stream.finish(array.nbytes, 1_000_000)

    def test_a_size_that_cannot_be_is_refused_before_memory_is_asked_for(self, encoding: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(packed(encoding))
        with open_source(tmp_path / "a", encoding) as stream, pytest.raises(InputError, match="its header says"):
            stream.array((2**31, 2**31), np.dtype("<i2"))


@pytest.mark.usefixtures("either_inflate")
class TestChecksums:
    @pytest.mark.parametrize("place", [-8, -4, 5000])
    def test_gzip(self, place: int, tmp_path: Path) -> None:
        content = bytearray(packed("gzip"))
        content[place] ^= 1
        (tmp_path / "a").write_bytes(bytes(content))
        with open_source(tmp_path / "a", "gzip") as stream, pytest.raises(InputError, match="truncated or damaged"):
            stream.finish(stream.array((3_000_000,), np.dtype("<i2")).nbytes, 3_000_000)

    def test_several_members_are_one_file(self, tmp_path: Path) -> None:
        content = WORDS.tobytes()
        (tmp_path / "a").write_bytes(gzip.compress(content[:1001], 1) + gzip.compress(content[1001:], 1))
        with open_source(tmp_path / "a", "gzip") as stream:
            assert np.array_equal(stream.array((3_000_000,), np.dtype("<i2")), WORDS)


class TestLooksWhole:
    def test_a_file_that_was_cut_off_does_not(self, tmp_path: Path) -> None:
        content = packed("gzip")
        for kept, whole in ((len(content), True), (len(content) - 1, False), (len(content) // 2, False)):
            (tmp_path / "a").write_bytes(content[:kept])
            with open_source(tmp_path / "a", "gzip") as stream:
                assert stream.looks_whole(WORDS.nbytes, 3_000_000) is whole


def test_encodings_are_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"plain")
    (tmp_path / "b").write_bytes(gzip.compress(b"packed"))
    assert (encoding_of(tmp_path / "a.gz"), encoding_of(tmp_path / "b")) == ("raw", "gzip")
