"""How good is brain-mr, on what it never saw? (0.85 on maps 15 and 16, 0.85 for grey and white matter of MNI152)

All built-in models together (limit 40 MB).

Everything goes through the Segment job. The peer for the template's tissues is a three-class Otsu threshold
(SimpleITK), which knows intensities and no anatomy; for the structures there is no peer that runs here.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template
from napari_resmed.models.catalogue import BUILT_IN, find_model
from recipes.brain_mr import measure
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head
from recipes.overlap import dice

SHARED = Path(os.environ.get("RESMED_SHARED", Path(__file__).parents[2] / "shared" / "data"))


GOAL = 0.85


def otsu(template: Path) -> dict[str, float]:
    """Grey and white matter of the template by thresholds alone."""
    image = sitk.GetImageFromArray(read(template).data.astype(np.float32))
    brain = sitk.Cast(image > 0, sitk.sitkUInt8)
    values = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(brain) > 0]
    inside = sitk.GetImageFromArray(values[None])
    filter_ = sitk.OtsuMultipleThresholdsImageFilter()
    filter_.SetNumberOfThresholds(2)
    filter_.Execute(inside)
    low, high = filter_.GetThresholds()
    voxels = sitk.GetArrayFromImage(image)
    scores = {}
    for tissue, mask in (("gm", (voxels > low) & (voxels <= high)), ("wm", voxels > high)):
        truth = read(template.with_name(template.name.replace("_t1_", f"_{tissue}_"))).data.astype(np.float32)
        scores[tissue] = dice(mask, truth / truth.max() > 0.5)
    return scores


def main() -> None:
    model = find_model("brain-mr")
    size = sum(file.stat().st_size for file in BUILT_IN.rglob("*") if file.is_file()) / 1e6
    print(f"size of all built-in models {size:.1f} MB   of the limit {size / 40:.2f}")
    template = mni152_template()
    ours, peer = measure.on_mni152(template, model.folder), otsu(template)
    for tissue, name in (("gm", "grey"), ("wm", "white")):
        print(
            f"MNI152 {name:5s} matter  Dice {ours[tissue]:.3f}   of the goal {ours[tissue] / GOAL:.2f}   "
            f"of Otsu's {peer[tissue]:.3f}: {ours[tissue] / peer[tissue]:.2f}"
        )
    print(f"MNI152 white matter with the brainstem counted as white: {ours['wm_with_brainstem']:.3f}")
    folder = SHARED / "brain_labelmaps"
    if not folder.is_dir():
        print("maps 15 and 16 were left out: the shared data are not here")
        return
    scores = measure.on_held_out_maps([read_head(folder / name) for name in HELD_OUT], model.folder)
    print(f"maps 15 and 16, mean Dice {scores['mean_dice']:.3f}   of the goal {scores['mean_dice'] / GOAL:.2f}")
    for name, mean in scores["contrasts"].items():
        print(f"    {name:26s} {mean:.3f}")
    print(f"    {'quick looks':26s} {scores['quick']:.3f}")
    for name, score in scores["structures"].items():
        print(f"    {name:26s} {score['mean']:.3f} ± {score['sd']:.3f}")


if __name__ == "__main__":
    main()
