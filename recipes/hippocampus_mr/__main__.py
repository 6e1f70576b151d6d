"""``python -m recipes.hippocampus_mr``: from labelled cases to the built-in model ``hippocampus-mr``."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.labels import Code, Label, LabelSet
from napari_resmed.models.found_by import FoundBy
from recipes.from_cases import Recipe, main

# SNOMED CT: the structure, and which part of it.
HIPPOCAMPUS = Code("SCT", "5366008", "Hippocampus")
ANTERIOR, POSTERIOR = Code("SCT", "255549009", "Anterior"), Code("SCT", "255551008", "Posterior")

RECIPE = Recipe(
    name="hippocampus-mr",
    here=Path(__file__).parent,
    description="Anterior and posterior hippocampus in T1-weighted MR, whole head or cropped to its surroundings",
    labels=LabelSet(
        (
            Label(1, "anterior hippocampus", (230, 159, 0), HIPPOCAMPUS, modifier=ANTERIOR),
            Label(2, "posterior hippocampus", (86, 180, 233), HIPPOCAMPUS, modifier=POSTERIOR),
        )
    ),
    channels=("MR",),
    # The crops leave 4 to 7 mm.
    found_by=FoundBy("brain-mr", ("left hippocampus", "right hippocampus"), margin_mm=6.0),
    changelog={"0.2.0": "a wider network, trained by Muon", "0.1.0": "first version"},
    minutes=21,
    # The plan's own network, whose lowest level has 256 features: half of its weights would be there.
    plan={
        "network": "UNet",
        "arguments": {
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 3,
            "channels": [16, 32, 64, 128, 128],
            "strides": [1, 2, 2, 2],
            "num_res_units": 2,
            "norm": "instance",
            "act": "relu",
        },
    },
)

if __name__ == "__main__":
    main(RECIPE)
