"""Which of MONAI's published bundles can be used here? A table of those in the shared data.

Their configurations are there, their weights are not: each gets random ones of its network, is imported as
``napari-resmed models import`` does it, and segments a real image of the declared kind (several channels are one image
several times). What cannot be used is listed with the reason. ``python -m benchmarks.bundles [NAME...]``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.shared import finish, shared_data
from napari_resmed.errors import ResMedError
from napari_resmed.io import read
from napari_resmed.jobs.segment import segment
from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle import import_bundle, open_bundle
from napari_resmed.models.monai_bundle.describe import describe_bundle
from napari_resmed.nets import build_network
from napari_resmed.volume import Volume

# Largest edge of the image in mm: one window of most networks.
EDGE_MM = 90
# Where a bundle's searched paths lie, of which the configuration alone knows the name.
PATHS = "search_code_18590.pt"


def main() -> int:
    torch.manual_seed(0)
    folder = shared_data() / "bundles"
    chosen = sys.argv[1:] or sorted(place.name for place in folder.iterdir() if place.is_dir())
    print("| bundle | network | answer |\n| --- | --- | --- |")
    for name in chosen:
        with tempfile.TemporaryDirectory() as place:
            network, said = look_at(folder / name, Path(place))
        print(f"| {name} | {network} | {said} |", flush=True)
    return 0


def look_at(source: Path, place: Path) -> tuple[str, str]:
    """The network's name, and what came of it."""
    copy = place / source.name
    shutil.copytree(source, copy)
    (copy / "models").mkdir()
    try:
        make_weights(copy)
        model = import_bundle(copy, place / "model")
        image = image_for(model)
        begin = time.perf_counter()
        result = finish(segment(image, str(model.folder), device="cpu"))
    except ResMedError as problem:
        return "", f"refused: {problem}"
    seconds = time.perf_counter() - begin
    found = sum(row["voxels"] > 0 for row in result.table)
    size = "×".join(map(str, image.data.shape))
    return model.network, (
        f"runs: {found} of {len(model.labels)} labels in {image.modality} {size}, {result.tiles} windows of "
        f"{'×'.join(map(str, model.patch))}, {seconds:.0f} s"
    )


def make_weights(bundle_folder: Path) -> None:
    """``models/model.pt`` with random weights, as the configuration describes the network."""
    # Half of DiNTS's paths at random, as a search would leave them.
    random = np.random.default_rng(0)
    paths = (random.random((12, 10)) < 0.5).astype(float)
    paths[:, [0, 3, 6, 9]] = 1  # those that stay at their depth, so that every node is reached
    codes = {"arch_code_a": paths, "arch_code_c": random.integers(0, 3, (12, 10)), "node_a": np.ones((13, 4))}
    torch.save(codes, bundle_folder / "models" / PATHS)
    with open_bundle(bundle_folder) as bundle:
        model = describe_bundle(bundle, "random")
    torch.save(build_network(model.network, model.arguments).state_dict(), bundle_folder / "models/model.pt")


def image_for(model: Model) -> Volume:
    """A real image of the kind that a model takes: CT, MR, or a colour picture."""
    data = shared_data()
    if model.channels == ("R", "G", "B"):
        with Image.open(sorted((data / "detection/bccd/images").iterdir())[0]) as picture:
            colours = np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)[:, None]
        return Volume(np.ascontiguousarray(colours), np.eye(4), "czyx", "picture", "smear")
    is_ct = model.channels == ("CT",)
    file, modality = ("body/example_ct_sm.nii.gz", "CT") if is_ct else ("body/example_mr_sm.nii.gz", "MR")
    image = read(data / file)
    middle = [
        slice(max(0, size // 2 - round(EDGE_MM / mm / 2)), size // 2 + round(EDGE_MM / mm / 2))
        for size, mm in zip(image.grid_shape, image.spacing_mm, strict=True)
    ]
    cut = np.ascontiguousarray(image.data[tuple(middle)])
    if len(model.channels) > 1:
        return Volume(np.stack([cut] * len(model.channels)), image.affine, "czyx", modality, image.name)
    return Volume(cut, image.affine, "zyx", modality, image.name)


if __name__ == "__main__":
    sys.exit(main())
