"""Is one brain-mr better than another? (mean Dice by contrast on the same images of maps 15 and 16, and the ratio)

``python -m benchmarks.brain_versions OLD NEW``: two model folders, of any versions. A former one comes out of the
repository: ``git archive COMMIT src/napari_resmed/starter/brain-mr | tar -x -C PLACE``. Left and right are put
together, so that versions that do not tell them are asked the same. Sixteen images, some four minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared import shared_data
from napari_resmed.models.folder import load_model
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import KIND_OF, KINDS, kind_value, read_head
from recipes.brain_mr.images import held_out_images
from recipes.brain_mr.measure import run_job, without_sides
from recipes.overlap import dice

CONTRASTS = ("T1", "T2", "FLAIR")


def main() -> None:
    folders = [Path(word) for word in sys.argv[1:3]]
    if len(folders) != 2:
        sys.exit("expected two model folders, the old one and the new one")
    heads = [read_head(shared_data() / "brain_labelmaps" / name) for name in HELD_OUT]
    means: dict[str, list[list[float]]] = {}
    for image in held_out_images(heads):
        if image.contrast not in CONTRASTS:
            continue
        truth = without_sides(image.truth)
        row = [mean_dice(of_kinds(run_job(image.volume, folder), folder), truth) for folder in folders]
        means.setdefault(image.contrast, []).append(row)
        print(f"{image.name:45s} {row[0]:.3f} {row[1]:.3f}", flush=True)
    for contrast, rows in means.items():
        old, new = np.mean(rows, 0)
        print(f"{contrast:6s} old {old:.3f}  new {new:.3f}  new / old {new / old:.3f}   (more than 1)")


def of_kinds(labels: NDArray, folder: Path) -> NDArray[np.uint8]:
    """Labels of a model, with the values of :func:`recipes.brain_mr.anatomy.kind_value`."""
    known = load_model(folder).labels
    table = np.zeros(max(known.values) + 1, np.uint8)
    for label in known:
        table[label.value] = kind_value(KIND_OF.get(label.name, label.name))
    return table[labels]


def mean_dice(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return float(np.nanmean([dice(found == kind_value(kind), truth == kind_value(kind)) for kind in KINDS]))


if __name__ == "__main__":
    main()
