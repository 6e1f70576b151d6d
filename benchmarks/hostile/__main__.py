"""Damage real files in 5 000 ways and open them: ``python -m benchmarks hostile``.

``python -m benchmarks.hostile COUNT SEED OUTCOME...`` lists the inputs of further outcomes. Files are opened as the
viewer does, in a process of its own. What comes out is compared with the undamaged image:

- *equal*; *voxels*: as many differ as bytes were touched at most, where the format has no checksum; *other voxels*:
  more, as by a header's slope, type or byte order, which nobody can know; *place*: likewise, a number of the header;
- *said*: it differs, and a warning says what is odd;
- *refused* with a sentence; *traceback* (any other exception), *crash*, *hang* (5 s of work), *memory* (4 times the
  file's honest size and 500 MB); *silent*: another shape, or voxels moved, and no word of it.

Wanted: none of the last five.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.hostile.mutate import Mutation, make
from benchmarks.hostile.seeds import collect
from benchmarks.hostile.worker import Worker
from benchmarks.shared import shared_data

COUNT = 5000
SEED = 1
BAD = ("traceback", "crash", "hang", "memory", "silent")
COLUMNS = ("equal", "voxels", "other voxels", "place", "said", "refused", *BAD)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    kinds = os.environ.get("RESMED_HOSTILE_KINDS", "").split()
    listed = sys.argv[3:]  # outcomes to list besides
    first = int(sys.argv[2]) if len(sys.argv) > 2 else SEED * 1_000_000
    with tempfile.TemporaryDirectory(prefix="resmed-hostile-") as place:
        seeds = collect(shared_data(), Path(place) / "seeds")
        worker = Worker(Path(place))
        for seed in seeds:
            seed.truth = worker.truth(seed.open)
        usable = [seed for seed in seeds if seed.truth and (not kinds or seed.kind in kinds)]
        for seed in seeds:
            if not seed.truth:
                print(f"not readable undamaged, left out: {seed.name}")
        table: defaultdict[str, Counter[str]] = defaultdict(Counter)
        bad: list[str] = []
        slowest = largest = 0.0
        for number in range(first, first + count):
            seed = usable[number % len(usable)]
            mutation: Mutation = make(seed, number, Path(place) / "input")
            result = worker.open(mutation, seed.truth)
            table[seed.kind][result.outcome] += 1
            slowest, largest = max(slowest, result.seconds), max(largest, result.megabytes)
            if result.outcome in BAD or (listed and result.outcome in listed):
                bad.append(f"{result.outcome}: seed {number}, {seed.name}, {mutation.what}: {result.said}")
        worker.stop()
    print(f"{'':14s}" + "".join(f"{name:>13s}" for name in COLUMNS))
    for kind in sorted(table):
        print(f"{kind:14s}" + "".join(f"{table[kind][name]:13d}" for name in COLUMNS))
    total = sum(table.values(), Counter())
    print(f"{'all':14s}" + "".join(f"{total[name]:13d}" for name in COLUMNS))
    print(f"slowest {slowest:.1f} s of work, most memory {largest:.0f} MB over the process's own")
    print("\n".join(bad[:200]))
    return min(1, sum(total[name] for name in BAD))


if __name__ == "__main__":
    sys.exit(main())
