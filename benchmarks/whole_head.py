"""Does hippocampus-mr find its way in a whole head? (``python -m benchmarks.whole_head``, some minutes)

Synthesised T1 images of the label maps that brain-mr did not learn from: both parts together against the map's
hippocampus, beside brain-mr's own answer to the same image (ratio of the two, more than 1 is better). The map's
hippocampus follows FreeSurfer, hippocampus-mr the Decathlon's raters, so neither reaches 1. And the MNI152 template:
volumes of each side, time and memory, and how much the answer changes with the margin around what was found.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from benchmarks.shared import finish, shared_data
from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.models.catalogue import find_model
from napari_resmed.volume import Volume
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head, value_of
from recipes.brain_mr.images import synthesised
from recipes.overlap import dice

SIDES = ("left hippocampus", "right hippocampus")
SEEDS = (7_001, 7_002)
MARGINS_MM = (4.0, 6.0, 8.0, 10.0)


def ours(image: Volume) -> Segmentation:
    return finish(segment(image, "hippocampus-mr"))


def on_synthesised_heads() -> None:
    of_parts, of_brain = [], []
    for name in sorted(HELD_OUT):
        head = read_head(shared_data() / "brain_labelmaps" / name)
        for seed in SEEDS:
            image = synthesised(head, "T1", seed)
            values = [value_of(side) for side in SIDES]
            truth = np.isin(image.truth, values)
            of_parts.append(dice(ours(image.volume).labels.data > 0, truth))
            of_brain.append(dice(np.isin(finish(segment(image.volume, "brain-mr")).labels.data, values), truth))
            print(f"{name} {seed}: {of_parts[-1]:.3f}, brain-mr {of_brain[-1]:.3f}", flush=True)
    both = np.mean(of_parts), np.mean(of_brain)
    print(f"both hippocampi, Dice {both[0]:.3f}   brain-mr's own {both[1]:.3f}: {both[0] / both[1]:.2f}")


def on_the_template() -> None:
    image = read(mni152_template())
    done = ours(image)
    print("template:", ", ".join(f"{row['name']} {row['volume_ml']:.2f} ml" for row in done.table))
    print(f"template: misfit {done.made_by['misfit']:g}, {done.seconds['total']:.1f} s, {done.peak_memory_mb:.0f} MB")
    model = find_model("hippocampus-mr")
    assert model.found_by is not None
    for margin in MARGINS_MM:
        wider = replace(model, found_by=replace(model.found_by, margin_mm=margin))
        with patch(
            "napari_resmed.jobs.segment.find_model", lambda name, to=wider: to if name == to.name else find_model(name)
        ):
            again = ours(image).labels.data
        alike = dice(again > 0, done.labels.data > 0)
        print(f"template, {margin:g} mm around: Dice {alike:.3f} with the answer of {model.found_by.margin_mm:g} mm")


if __name__ == "__main__":
    on_synthesised_heads()
    on_the_template()
