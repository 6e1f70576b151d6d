"""How often does a model warn of an image that it does not fit, and how often of one that it fits?

The images of the shared data in groups, each of which a model was made for or not. Everything goes through the Segment
job, which is left at the first warning; a refusal counts as one. Models that are not there are left out.
``python -m benchmarks.model_fit [--before] [--each N] [--learnt TABLE] [MODEL...]``: ``--before`` does not let the
network answer, which takes minutes instead of an hour, and finds what shows without an answer; ``--each`` is how many
images of a group; ``--learnt`` leaves out the images that a table of cases names, so that a model of
cross-validation is not asked of images that it knows.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.shared import shared_data
from napari_resmed.errors import ResMedError
from napari_resmed.events import Warning
from napari_resmed.io import read
from napari_resmed.jobs.segment import segment
from napari_resmed.models.catalogue import find_model, list_models
from napari_resmed.models.model import Model
from napari_resmed.prepare.grid import prepare
from napari_resmed.review.misfit import AXES_BEYOND, axes_beyond, extent_of, judge_image
from napari_resmed.volume import Volume
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head
from recipes.brain_mr.contrasts import CONTRASTS
from recipes.brain_mr.images import synthesised

# What a group's images are of, and where they lie.
FILES = {
    "T1 heads": ("brain_mri/mni152_t1.nii.gz", "nifti/odd/avg152T1_LR_nifti.nii.gz", "brain_mri/MR_Gd.nii.gz"),
    "other heads": ("brain_mri/FLAIR_oblique.nii.gz", "brain_mri/chris_PD.nii.gz"),
    "hippocampus": ("hippocampus/images/*.nii.gz",),
    "head-neck CT": ("headneck_ct/images/*.nii.gz",),
    "other CT": ("body/example_ct*.nii.gz", "body/CT_AVM.nii.gz", "nifti/odd/shear.nii.gz"),
    "body MR": ("body/example_mr_sm.nii.gz",),
    "label maps": ("brain_mri/FLAIR_oblique_lesion.nii.gz", "body/example_seg*.nii.gz"),
    "no anatomy": ("nifti/odd/big.nii.gz",),
}
MADE_FOR = {
    "brain-mr": {"T1 heads", "other heads", "synthesised heads"},
    "hippocampus-mr": {"hippocampus", "T1 heads"},
    "head-neck-ct": {"head-neck CT"},
}
# Memory runs short on any image.
NOT_OF_THE_IMAGE = "memory"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MADE_FOR))
    parser.add_argument("--before", action="store_true", help="do not let the network answer")
    parser.add_argument("--each", type=int, default=10, help="images of a group, spread over it")
    parser.add_argument("--learnt", type=Path, help="a table of cases, whose images are left out")
    chosen = parser.parse_args()
    there = {model.name for model in list_models()[0]}
    for name in chosen.models:
        if name not in there and not Path(name).is_dir():
            print(f"{name} is not there")
            continue
        ask(find_model(name), chosen.each, chosen.before, learnt_from(chosen.learnt))


def learnt_from(table: Path | None) -> set[str]:
    """The images that a table of cases names, ``image`` in its first line."""
    if table is None:
        return set()
    with table.open(newline="") as file:
        return {str(Path(row["image"]).resolve()) for row in csv.DictReader(file)}


def ask(model: Model, each: int, before: bool, learnt: set[str]) -> None:
    """Print how often the model warns, group by group."""
    print(f"\n{model.name}{', before the network' if before else ''}")
    fits = set(MADE_FOR.get(model.name, set()))
    right, wrong = Counter[str](), Counter[str]()
    seconds: list[float] = []
    for group, images in groups(each, learnt):
        told = []
        for make in images:
            image = make()
            begin = time.perf_counter()
            note = first_warning(image, model, before)
            seconds.append(time.perf_counter() - begin)
            told.append(note)
        warned = sum(map(bool, told))
        (wrong if group in fits else right).update({"warned": warned, "images": len(told)})
        example = next((note for note in told if note), "")
        print(
            f"  {group:27s} {'fits' if group in fits else '    '}  warned of {warned:3d} of {len(told):3d}  {example}"
        )
    print(
        f"  rightly warned of {right['warned']} of {right['images']}, "
        f"wrongly of {wrong['warned']} of {wrong['images']}   {median(seconds):.2f} s an image"
    )


def first_warning(image: Volume, model: Model, before: bool) -> str:
    """What is said of the image; empty where nothing is."""
    try:
        if before:
            if model.found_by and axes_beyond(extent_of(image), model) >= AXES_BEYOND:
                return ""  # it is given what another model cuts out
            model.check_fits(image)
            ready, _ = prepare(image, model.preparation)
            return next(judge_image(image, ready.numpy(), model), "")
        for event in segment(image, str(model.folder)):
            if isinstance(event, Warning) and not event.message.startswith(NOT_OF_THE_IMAGE):
                return event.message
    except ResMedError as refusal:
        return f"refused: {refusal}"
    return ""


def groups(each: int, learnt: set[str]) -> Iterator[tuple[str, list[Callable[[], Volume]]]]:
    """Every group with what reads its images, so that one is in memory at a time."""
    data = shared_data()
    for group, patterns in FILES.items():
        paths = [
            path for pattern in patterns for path in sorted(data.glob(pattern)) if str(path.resolve()) not in learnt
        ]
        picked = np.unique(np.linspace(0, len(paths) - 1, min(each, len(paths))).astype(int)) if paths else []
        yield group, [lambda path=paths[place]: plain(read(path)) for place in picked]
    # Voxels of a tenth, as in an animal scanner.
    small = [data / path for path in FILES["T1 heads"]]
    yield "heads as small as a mouse's", [lambda path=path: tenth(plain(read(path))) for path in small]
    contrasts = list(CONTRASTS)
    heads = [data / "brain_labelmaps" / name for name in HELD_OUT]
    yield (
        "synthesised heads",
        [
            lambda path=path, seed=seed: (
                synthesised(read_head(path), contrasts[seed % len(contrasts)], 10_000 + seed, skull=seed % 4 < 2).volume
            )
            for seed in range(max(1, min(each, 8) // 2))
            for path in heads
        ],
    )
    with np.load(data / "classification/adrenalmnist3d_64.npz") as file:
        shapes = file["val_images"][:: max(1, len(file["val_images"]) // min(each, 5))][: min(each, 5)]
    yield "adrenal masks", [lambda voxels=voxels: Volume(voxels, np.eye(4)) for voxels in shapes]


def tenth(image: Volume) -> Volume:
    """The image with voxels of a tenth of their edges."""
    return replace(image, affine=np.asarray(image.affine) @ np.diag([0.1, 0.1, 0.1, 1]))


def plain(image: Volume) -> Volume:
    """Label maps as images, as somebody may choose them."""
    return Volume(image.data, image.affine, image.axes, image.modality, image.name)


if __name__ == "__main__":
    main()
