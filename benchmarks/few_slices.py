"""What do five painted slices of one case give? (0.80 of the Dice of its full labels, from brain-mr, in 2 minutes)

A structure that brain-mr does not know (one side's hippocampus, one side's putamen) on a T1-like image synthesised from
a map that gave brain-mr no training images: painted on 5 of 100 axial slices, against the same case labelled in full.
Same base model, minutes and machine; judged by the Segment job on the case's other slices and on another person's.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.shared import finish, shared_data
from napari_resmed.io import write
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import train
from napari_resmed.labels import Label, LabelMap, LabelSet, default_colour
from napari_resmed.volume import Volume
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import STRUCTURES, read_head
from recipes.brain_mr.measure import synthesised
from recipes.overlap import dice

MINUTES, SLICES, FIELD, GOAL = 2.0, 5, 100, 0.80
UNKNOWN_VALUE = 2
NAMES = ("hippocampus", "putamen")


def main() -> None:
    folder = shared_data() / "brain_labelmaps"
    (image, truth), (other, other_truth) = (
        synthesised(read_head(folder / name), 30_000, skull=True) for name in HELD_OUT
    )
    ratios = []
    for name in NAMES:
        value = 1 + list(STRUCTURES).index(name)
        left, other_left = one_side(truth == value), one_side(other_truth == value)
        painted = painted_slices(left)
        figures = {}
        for what, labels in (("5 slices", few(left, painted)), ("all slices", left.astype(np.uint8))):
            with tempfile.TemporaryDirectory() as place:
                dataset = nnunet_folder(Path(place) / "data", image, labels, name)
                model = finish(train(dataset, Path(place) / "model", base="brain-mr", minutes=MINUTES)).model
                found = finish(segment(image, model)).labels.data == 1
                elsewhere = finish(segment(other, model)).labels.data == 1
            rest = np.setdiff1d(np.arange(len(left)), painted)
            figures[what] = dice(found[rest], left[rest])
            print(
                f"{name}, {what:10s}  Dice on the case's other slices {figures[what]:.3f}, "
                f"on another person {dice(elsewhere, other_left):.3f}",
                flush=True,
            )
        ratios.append(figures["5 slices"] / figures["all slices"])
        print(f"{name}, 5 / all {ratios[-1]:.3f}   of the goal {ratios[-1] / GOAL:.2f}", flush=True)
    print(f"mean ratio {np.mean(ratios):.3f}")


def one_side(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The larger of the two pieces that lie furthest to one side (x towards Left)."""
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = np.argsort(sizes)[-2:]
    return pieces == max(largest, key=lambda piece: np.nonzero(pieces == piece)[2].mean())


def painted_slices(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Five of the hundred axial slices around the structure, evenly over its height."""
    here = np.flatnonzero(mask.any((1, 2)))
    middle = int(here.mean())
    inside = here[(here > middle - FIELD // 2) & (here < middle + FIELD // 2)]
    return inside[np.linspace(1, len(inside) - 2, SLICES).round().astype(int)]


def few(mask: NDArray[np.bool_], slices: NDArray[np.intp]) -> NDArray[np.uint8]:
    labels = np.full(mask.shape, UNKNOWN_VALUE, np.uint8)
    labels[slices] = mask[slices]
    return labels


def nnunet_folder(folder: Path, image: Volume, labels: NDArray[np.uint8], name: str) -> Path:
    """The case in nnU-Net's raw layout, unknown voxels under its own word "ignore"."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    write(image, folder / "imagesTr/case_0000.nii.gz")
    known = LabelSet((Label(1, name, default_colour(1)), Label(UNKNOWN_VALUE, "ignore", default_colour(2))))
    write(LabelMap(labels, image.affine, "zyx", labels=known), folder / "labelsTr/case.nii.gz")
    description = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, f"left {name}": 1, "ignore": UNKNOWN_VALUE},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


if __name__ == "__main__":
    main()
