"""Bytes of a file, inflated on the way, straight into arrays; what is cut off or damaged is said.

Checksums are checked to the end: a flipped bit in a compressed file is an error, not another image.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError

try:
    from isal import igzip, isal_zlib

    _GzipFile: Any = igzip.IGzipFile
    _new_inflate: Any = isal_zlib.decompressobj
    _FAST = True
    _DAMAGE: Any = (EOFError, zlib.error, OSError, isal_zlib.error)
except ImportError:  # no wheel for this machine: the same result, more slowly
    _GzipFile = gzip.GzipFile
    _new_inflate = zlib.decompressobj
    _FAST = False
    _DAMAGE = (EOFError, zlib.error, OSError)

__all__ = ["ENCODINGS", "Source", "deflating", "encoding_of", "open_source"]

ENCODINGS = ("raw", "gzip", "zlib", "bzip2")
# How much a byte can stand for at most: deflate's longest match is 258 bytes from two bits (RFC 1951, 3.2.5);
# bzip2 packs a block of 900 kB of one value into about 40 bytes.
_MOST_INFLATED = {"raw": 1, "gzip": 1032, "zlib": 1032, "bzip2": 25_000}
# Large enough that calls cost nothing, small enough to stay in the processor's cache.
_CHUNK = 1 << 20
# Header and end of a gzip file.
_GZIP_LEAST = 18
# Where a format puts the file's history behind the voxels, it takes some kB.
_MOST_FOOTER = 1 << 20
# As small as zlib's first level makes them, in a fraction of the time.
_LEVEL = 2 if _FAST else 1


class Source:
    """An open stream of a file's bytes, after inflating.

    Parameters
    ----------
    path:
        The file; its name goes into messages.
    stream:
        Where bytes come from.
    encoding:
        One of :data:`ENCODINGS`.
    stored:
        Bytes in the file from where the stream began.
    stated:
        What the end of a gzip file says of its size, modulo 2^32 (RFC 1952, 2.3.1); None where there is no such end.
    """

    def __init__(self, path: Path, stream: IO[bytes], encoding: str, stored: int, stated: int | None = None) -> None:
        self.name = path.name
        self.encoding = encoding
        self._stream = stream
        self._left = stored * _MOST_INFLATED[encoding]
        self._stated = stated
        self._used = 0

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; fewer only where the file ends.

        Raises
        ------
        InputError
            If what is compressed is damaged.
        """
        parts = []
        with self._told():
            while count > 0 and (part := self._stream.read(min(count, _CHUNK))):
                parts.append(part)
                count -= len(part)
        result = b"".join(parts)
        self._left -= len(result)
        self._used += len(result)
        return result

    def skip(self, count: int) -> None:
        """Leave out ``count`` bytes.

        Raises
        ------
        InputError
            If the file ends before.
        """
        self.expect(count)
        while count > 0:
            got = len(self.read(min(count, _CHUNK)))
            if not got:
                raise self._cut()
            count -= got

    def expect(self, count: int) -> None:
        """Refuse at once, before any memory is asked for, more bytes than the file can hold.

        Raises
        ------
        InputError
            If ``count`` is below 0 or more than the rest of the file can inflate to.
        """
        if count < 0 or count > self._left:
            raise InputError(
                f"{self.name} is truncated or damaged: its header says {count:,} bytes of voxels, the file holds "
                f"{'' if self.encoding == 'raw' else 'at most '}{self._left:,}; copy it again from its source"
            )

    def looks_whole(self, size: int, longest: int, footer: bool = False) -> bool:
        """Whether, by what its end says, the file holds so many more bytes; parameters as of :meth:`finish`.

        A cheap look that a file which was cut off does not pass, nor one of several parts that may be whole.
        """
        if self._stated is None:
            return True
        return (self._stated - self._used - size) % 2**32 < _most_left(size, longest, footer)

    def array(
        self,
        shape: tuple[int, ...],
        stored: np.dtype[Any],
        result: np.dtype[Any] | None = None,
        convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> NDArray[Any]:
        """Read an array, in native byte order.

        Parameters
        ----------
        shape:
            In C order.
        stored:
            Type in the file.
        result, convert:
            Type of the array and how values, a flat piece at a time, become it; as stored where left out.

        Raises
        ------
        InputError
            If the file ends before or is damaged, or the array does not fit into memory.
        """
        size = math.prod(shape)
        self.expect(size * stored.itemsize)
        native = stored.newbyteorder("=")
        try:
            array = np.empty(shape, native if result is None else result)
        except (MemoryError, ValueError) as problem:
            raise InputError(f"{self.name} says it is larger than this machine's memory") from problem
        flat = array.reshape(-1)
        step = max(1, _CHUNK // stored.itemsize)
        buffer = np.empty(min(step, size) if convert else 0, native)
        for start in range(0, size, step):
            stop = min(size, start + step)
            piece = buffer[: stop - start] if convert else flat[start:stop]
            self._fill(piece.view(np.uint8).data)
            if native != stored:
                piece.byteswap(inplace=True)
            if convert:
                flat[start:stop] = convert(piece)
        return array

    def finish(self, size: int, longest: int, footer: Callable[[bytes], bool] | None = None) -> list[str]:
        """Read to the end, which is what checks a compressed file's checksum.

        A header whose sizes were changed leaves a part of the voxels over: at least one layer of them. Less than
        that is what some programs put behind the voxels.

        Parameters
        ----------
        size:
            Bytes of voxels that were read.
        longest:
            The most voxels along any axis.
        footer:
            Where the format itself puts something behind the voxels: whether this is it.

        Returns
        -------
        list of str
            A sentence where something small is left over.

        Raises
        ------
        InputError
            If what is compressed is damaged, or the file holds more than its header says.
        """
        most = _most_left(size, longest, footer is not None)
        left = self.read(most)
        if len(left) == most:
            raise InputError(
                f"{self.name} holds more than its header says: {size:,} bytes of voxels and more behind them; its "
                "header is damaged, copy it again from its source"
            )
        if not left or (footer and footer(left)):
            return []
        return [f"{len(left)} bytes too many follow the voxels; if the image looks shifted, copy the file again"]

    def _fill(self, target: memoryview) -> None:
        done = 0
        with self._told():
            while done < len(target):
                got = self._stream.readinto(target[done:])  # type: ignore[attr-defined]
                if not got:
                    raise EOFError
                done += got
        self._left -= done
        self._used += done

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as problem:
            raise self._cut() from problem

    def _cut(self) -> InputError:
        if self.encoding == "raw":
            return InputError(f"{self.name} is truncated or damaged: it ends early; copy it again from its source")
        return InputError(
            f"{self.name} is truncated or damaged: the compressed data end early or are not what was written; "
            "copy it again from its source"
        )


def _most_left(size: int, longest: int, footer: bool) -> int:
    return max(size // longest, _MOST_FOOTER if footer else 0, 1)


def encoding_of(path: Path) -> str:
    """``"gzip"`` or ``"raw"``, by the first bytes: names lie.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    with _opened(path) as file:
        return "gzip" if file.read(2) == b"\x1f\x8b" else "raw"


@contextmanager
def open_source(path: Path, encoding: str = "raw", start: int = 0, length: int | None = None) -> Iterator[Source]:
    """Open a file for reading from byte ``start``, at most ``length`` stored bytes.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    with _opened(path) as file:
        stored = max(0, file.seek(0, io.SEEK_END) - start)
        file.seek(start)
        if length is not None:
            stored = min(stored, max(0, length))
        stream: Any = file if length is None else _Part(file, stored)
        stated = None
        if encoding == "gzip":
            if length is None and stored > _GZIP_LEAST:
                file.seek(-4, io.SEEK_END)
                stated = int.from_bytes(file.read(4), "little")
                file.seek(start)
            file_like = _GzipFile(fileobj=stream, mode="rb")
            # GzipFile itself has no readinto but the one that copies; the buffer behind it fills arrays directly.
            stream = getattr(file_like, "_buffer", file_like)
        elif encoding == "bzip2":
            stream = bz2.BZ2File(stream)
        elif encoding == "zlib":
            stream = io.BufferedReader(_Inflated(stream), _CHUNK)
        yield Source(path, stream, encoding, stored, stated)


def deflating(file: IO[bytes]) -> Any:
    """A stream to write gzip through, without name or time in it: the same bytes give the same file."""
    return _GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except FileNotFoundError as problem:
        raise InputError(f"found no file {path.name}; check the path") from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "its name is no file's"
        raise InputError(f"{path.name} cannot be opened ({reason}); check the disk") from problem
    with file:
        yield file


class _Part(io.RawIOBase):
    """The next so many bytes of a file."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        part = self._file.read(min(len(target), self._left))
        target[: len(part)] = part
        self._left -= len(part)
        return len(part)


class _Inflated(io.RawIOBase):
    """A zlib stream (RFC 1950), whose checksum is checked where it ends."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = _new_inflate()
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._inflate.eof:
            stored = self._waiting or self._file.read(_CHUNK)
            part = self._inflate.decompress(stored, len(target))
            self._waiting = self._inflate.unconsumed_tail
            if part:
                target[: len(part)] = part
                return len(part)
            if not stored:
                raise EOFError
        return 0
