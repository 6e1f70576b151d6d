"""What do five painted slices of one case give? (0.80 of the Dice of its full labels, from brain-mr, in 2 minutes)

A structure that brain-mr does not know (the front half of the left hippocampus, of the left putamen) on a T1-like image
synthesised from a map that gave brain-mr no training images: painted on 5 of 100 axial slices, against the same case
labelled in full.
Same base model, minutes and machine; judged by the Segment job on the case's other slices and on another person's.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared import finish, shared_data
from napari_resmed.io import write
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import train
from napari_resmed.labels import Label, LabelMap, LabelSet, default_colour
from napari_resmed.volume import Volume
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head, value_of
from recipes.brain_mr.images import synthesised
from recipes.overlap import dice

MINUTES, SLICES, FIELD, GOAL = 2.0, 5, 100, 0.80
UNKNOWN_VALUE = 2
SEED = 30_000
NAMES = ("hippocampus", "putamen")


def main() -> None:
    folder = shared_data() / "brain_labelmaps"
    case, other = (synthesised(read_head(folder / name), "T1", SEED) for name in HELD_OUT)
    image = case.volume
    ratios = []
    for name in NAMES:
        front, other_front = (front_half(one.truth == value_of(f"left {name}")) for one in (case, other))
        painted = painted_slices(front)
        figures = {}
        for what, labels in (("5 slices", few(front, painted)), ("all slices", front.astype(np.uint8))):
            with tempfile.TemporaryDirectory() as place:
                dataset = nnunet_folder(Path(place) / "data", image, labels, name)
                model = finish(train(dataset, Path(place) / "model", base="brain-mr", minutes=MINUTES)).model
                found = finish(segment(image, model)).labels.data == 1
                elsewhere = finish(segment(other.volume, model)).labels.data == 1
            rest = np.setdiff1d(np.arange(len(front)), painted)
            figures[what] = dice(found[rest], front[rest])
            print(
                f"{name}, {what:10s}  Dice on the case's other slices {figures[what]:.3f}, "
                f"on another person {dice(elsewhere, other_front):.3f}",
                flush=True,
            )
        ratios.append(figures["5 slices"] / figures["all slices"])
        print(f"{name}, 5 / all {ratios[-1]:.3f}   of the goal {ratios[-1] / GOAL:.2f}", flush=True)
    print(f"mean ratio {np.mean(ratios):.3f}")


def front_half(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of it lies in front of its middle (y towards Posterior)."""
    middle = np.nonzero(mask)[1].mean()
    return mask & (np.arange(mask.shape[1])[None, :, None] < middle)


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
        "labels": {"background": 0, f"front of left {name}": 1, "ignore": UNKNOWN_VALUE},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


if __name__ == "__main__":
    main()
