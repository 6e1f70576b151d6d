"""Ways to damage a file. Every one is decided by its seed's number alone."""

from __future__ import annotations

import gzip
import io
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.seeds import Seed

__all__ = ["Mutation", "make"]

# Numbers that sizes and counts are overrun with.
EXTREMES = (0, 1, -1, 2, 7, 255, 256, 32767, 32768, 65535, 2**31 - 1, -(2**31), 2**31, 2**32 - 1)
WORDS = ("0", "-1", "1", "3", "65536", "2147483648", "99999999999999999999", "nan", "inf", "1e300", "", "x", "../../a")
HEADER = 800


@dataclass(frozen=True)
class Mutation:
    """What to open, what was done, to how many bytes, how large the honest files are, whether the length changed."""

    open: Path
    what: str
    touched: int
    honest_bytes: int
    shifts: bool


def make(seed: Seed, number: int, place: Path) -> Mutation:
    """Copy a seed's folder and damage one file of it."""
    chance = random.Random(number)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(seed.folder, place)
    file = place / chance.choice(seed.files()).relative_to(seed.folder)
    before = file.read_bytes()
    unpacked = before[:2] == b"\x1f\x8b" and chance.random() < 0.7
    content = gzip.decompress(before) if unpacked else before
    after, what, touched = _damage(content, file, chance)
    file.write_bytes(gzip.compress(after, 1) if unpacked else after)
    honest = sum(one.stat().st_size for one in place.rglob("*") if one.is_file()) + len(content) + seed.truth["bytes"]
    where = f"{file.name}{' unpacked' if unpacked else ''}: {what}"
    shifts = len(after) != len(content)
    return Mutation(place / seed.open.relative_to(seed.folder), where, touched, honest, shifts)


Damage = tuple[bytes, str, int]


def _damage(content: bytes, file: Path, chance: random.Random) -> Damage:
    ways: list[Callable[[bytes, random.Random], Damage]] = [_flip, _flip_header, _number, _cut, _remove, _insert]
    if b"NRRD" in content[:4] or b"ObjectType" in content[:20] or file.suffix in (".nhdr", ".mhd"):
        ways += [_word] * 5
    if content[128:132] == b"DICM":
        ways += [_length, _length, _tag, _tag, _value, _value, _syntax, _nested]
    if content[:2] == b"PK":
        ways += [_bomb, _escape]
    return chance.choice(ways)(content, chance)


def _flip(content: bytes, chance: random.Random) -> Damage:
    damaged = bytearray(content)
    places = [chance.randrange(len(damaged)) for _ in range(chance.choice((1, 1, 2, 8, 64)))] if damaged else []
    for place in places:
        damaged[place] ^= 1 << chance.randrange(8)
    return bytes(damaged), f"bits flipped at {places[:3]}", len(places)


def _flip_header(content: bytes, chance: random.Random) -> Damage:
    damaged = bytearray(content)
    places = [chance.randrange(min(HEADER, len(damaged))) for _ in range(chance.choice((1, 2, 4)))] if damaged else []
    for place in places:
        damaged[place] = chance.choice((0, 1, 255, 127, damaged[place] ^ (1 << chance.randrange(8))))
    return bytes(damaged), f"header bytes changed at {places}", len(places)


def _number(content: bytes, chance: random.Random) -> Damage:
    size, order = chance.choice((2, 4, 8)), chance.choice(("little", "big"))
    value = chance.choice(EXTREMES) % 2 ** (8 * size)
    place = chance.randrange(0, max(1, min(HEADER, len(content) - size)), 2)
    damaged = content[:place] + value.to_bytes(size, order) + content[place + size :]
    return damaged, f"{value} of {size} bytes, {order}, at {place}", size


def _cut(content: bytes, chance: random.Random) -> Damage:
    kept = int(len(content) * chance.choice((0.0, 0.01, 0.1, 0.5, 0.9, 0.99, chance.random())))
    if chance.random() < 0.3:
        kept = max(0, len(content) - chance.randrange(1, 64))
    return content[:kept], f"cut off after {kept} of {len(content)}", 0


def _remove(content: bytes, chance: random.Random) -> Damage:
    place, size = chance.randrange(len(content) or 1), chance.choice((1, 2, 4, 100, 4096))
    return content[:place] + content[place + size :], f"{size} bytes removed at {place}", min(size, 4)


def _insert(content: bytes, chance: random.Random) -> Damage:
    place, size = chance.randrange(len(content) or 1), chance.choice((1, 2, 4, 100, 4096))
    filling = chance.choice((bytes(size), chance.randbytes(size), content[:size]))
    return content[:place] + filling + content[place:], f"{size} bytes put in at {place}", min(size, 4)


def _word(content: bytes, chance: random.Random) -> Damage:
    """Change a number, or a whole field, of a text header."""
    end = content.find(b"\n\n")
    end = min(len(content), end if 0 < end < 5000 else 600)
    head = content[:end]
    if chance.random() < 0.3:
        lines = head.split(b"\n")
        line = chance.randrange(len(lines))
        dropped = lines.pop(line)
        return b"\n".join(lines) + content[end:], f"line removed: {dropped[:30]!r}", 0
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", head))
    if not numbers:
        return _flip(content, chance)
    found, word = chance.choice(numbers), chance.choice(WORDS)
    changed = head[: found.start()] + word.encode() + head[found.end() :]
    return changed + content[end:], f"{found[0]!r} at {found.start()} became {word!r}", 0


def _tags(content: bytes) -> list[int]:
    """Where elements of the header seem to begin, in explicit little endian."""
    pattern = rb"[\x02\x08\x18\x20\x28\x54]\x00.[\x00-\x20\x52\x92](?:[A-Z]{2})"
    return [found.start() for found in re.finditer(pattern, content[132:20_000], re.DOTALL)]


def _place(content: bytes, chance: random.Random) -> int:
    return 132 + chance.choice(_tags(content) or [0])


def _length(content: bytes, chance: random.Random) -> Damage:
    place = _place(content, chance)
    size = chance.choice((2, 4))
    value = chance.choice(EXTREMES) % 2 ** (8 * size)
    at = place + (6 if size == 2 else 8)
    return content[:at] + value.to_bytes(size, "little") + content[at + size :], f"length {value} at {place}", size


def _tag(content: bytes, chance: random.Random) -> Damage:
    """Remove an element, or make it another one."""
    place = _place(content, chance)
    if chance.random() < 0.6:
        length = int.from_bytes(content[place + 6 : place + 8], "little")
        return content[:place] + content[place + 8 + length :], f"tag removed at {place}", 0
    return content[:place] + chance.randbytes(4) + content[place + 4 :], f"tag changed at {place}", 4


def _value(content: bytes, chance: random.Random) -> Damage:
    """Change the value of an element that sizes the image (group 0028), or of any other."""
    sizing = [found.start() for found in re.finditer(rb"\x28\x00.[\x00\x01]US\x02\x00", content[132:], re.DOTALL)]
    if sizing and chance.random() < 0.6:
        place = 132 + chance.choice(sizing)
        value = chance.choice(EXTREMES) % 2**16
        damaged = content[: place + 8] + value.to_bytes(2, "little") + content[place + 10 :]
        return damaged, f"{content[place : place + 4].hex()} became {value}", 2
    place = _place(content, chance)
    length = min(64, int.from_bytes(content[place + 6 : place + 8], "little"))
    filling = chance.choice((bytes(length), b"9" * length, b"-" * length, chance.randbytes(length)))
    return content[: place + 8] + filling + content[place + 8 + length :], f"value at {place} overwritten", length


def _syntax(content: bytes, chance: random.Random) -> Damage:
    """Say another transfer syntax, of the same length where there is one."""
    found = re.search(rb"1\.2\.840\.10008\.1\.2[\.\d]*", content[:600])
    others = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.5")
    others += (
        b"1.2.840.10008.1.2.4.50",
        b"1.2.840.10008.1.2.4.70",
        b"1.2.840.10008.1.2.4.90",
        b"1.2.840.10008.1.2.1.99",
    )
    if not found:
        return _flip(content, chance)
    other = chance.choice(others)[: len(found[0])].ljust(len(found[0]), b"\0")
    return content[: found.start()] + other + content[found.end() :], f"transfer syntax {other.decode()}", 64


def _nested(content: bytes, chance: random.Random) -> Damage:
    """Sequences within sequences, of undefined length and never closed."""
    depth = chance.choice((10, 500, 3000, 30_000))
    opened = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    place = _place(content, chance)
    return content[:place] + opened + content[place:], f"{depth} nested sequences at {place}", 0


def _bomb(content: bytes, chance: random.Random) -> Damage:
    """An archive of 1 GB of zeros, beside what was in it."""
    whole = io.BytesIO(content)
    with (
        zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("study/bomb", "w", force_zip64=True) as member,
    ):
        for _ in range(512):
            member.write(bytes(1 << 21))
    return whole.getvalue(), "a bomb of 1 GB added", 0


def _escape(content: bytes, chance: random.Random) -> Damage:
    """A member that would be written outside the folder."""
    name = chance.choice((b"../../../xx/", b"/tmp/./xx/xx", b"C:/xx/xx/xxx"))
    damaged = content.replace(b"study/", name[:6])
    return damaged, f"members renamed to {name[:6]!r}...", 0
