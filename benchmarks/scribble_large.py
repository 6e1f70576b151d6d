"""Is a large image scribbled on in memory that is there? (512×512×300: 6 GB)

A made CT and four strokes of three classes, read from files and written to one by the command line in a process of its
own, which has to look at the image first. Smaller with ``--size 100 256 256``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.predict_large import made_ct
from benchmarks.watched import watched
from napari_resmed.io import write
from napari_resmed.labels import Label, LabelMap, LabelSet

MOST_GB = 6.0


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--size", type=int, nargs=3, default=[300, 512, 512])
    size = options.parse_args().size
    image = made_ct(size)
    strokes = np.zeros(size, np.uint8)
    z, y, x = (edge // 2 for edge in size)
    strokes[z, y // 8, x : x + x // 2] = 1
    strokes[z, y : y + y // 4, x] = 2
    strokes[z + z // 2, y, x // 2 : x] = 2
    strokes[z, y + y // 2, x // 2 : x] = 3
    names = LabelSet(tuple(Label(k, name, (k, k, k)) for k, name in enumerate(("background", "one", "two"), 1)))
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        write(image, place / "image.nii.gz")
        write(LabelMap(strokes, image.affine, labels=names), place / "strokes.nii.gz")
        command: list[object] = [sys.executable, "-m", "napari_resmed", "scribble", place / "image.nii.gz"]
        command += [place / "strokes.nii.gz", "-o", place / "out.nii.gz", "--background", 1, "--json"]
        seconds, held, said = watched(command, place / "cache")
    told = json.loads(said)["seconds"]
    print(f"{size}: {held:.2f} GB, {held / MOST_GB:.2f} of the {MOST_GB:g} allowed; {seconds:.0f} s, {told}")


if __name__ == "__main__":
    main()
