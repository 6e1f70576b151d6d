"""Do heat maps point at the reason? (the peak inside a planted lesion in at least 0.9 of the images)

A tiny network learns to tell images with a lesion, a round spot, from those without; streaks as bright as it lie in
both. Then the job ``classify`` explains images that it has not seen, and the map's peak is looked for on the image's
own grid, which in 3D is turned and has other voxels than the network's. Beside it the same for a network with shuffled
weights, whose maps mean nothing, and how like the two maps are (Adebayo et al., NeurIPS 2018: they must differ).
``python -m benchmarks.localise [2d] [2d-small] [2d-tiny] [2d-halved] [3d] [METHOD...] [IMAGES]`` gives some of them,
some methods (occlusion takes most of the time) and how many images. A cell of the last layer is 8 voxels wide, 16 where
the image is halved first, as the plan does with large ones: small are lesions of about that size, tiny those of less.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

from benchmarks.shared import finish
from napari_resmed.jobs.classify import classify
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.predict.explain import LAYER_CAM, METHODS, OCCLUSION
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.volume import Volume

GOAL = 0.9
LAYERS = ("", "layer3", "layer2")
# Size of an image as the network sees it, the lesion's radius in voxels, steps of the training, images in each, and how
# often the network halves them first.
KINDS = {
    "2d": ((1, 64, 64), (9, 13), 200, 32, 0),
    "2d-small": ((1, 64, 64), (5, 9), 300, 32, 0),
    "2d-tiny": ((1, 32, 32), (3, 5), 300, 32, 0),
    "2d-halved": ((1, 96, 96), (6, 10), 300, 32, 1),
    "3d": ((32, 32, 36), (6, 8), 150, 8, 0),
}
# In 3D what is classified are sagittal slices of 1.5 mm, counted from left to right: the network sees them turned.
SCAN, TURNED = (24, 32, 32), np.array([[-1.5, 0, 0, 20], [0, 0, 1.0, -7], [0, -1.0, 0, 5], [0, 0, 0, 1]])

Mask = NDArray[np.bool_]


def main() -> None:
    torch.manual_seed(0)
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    methods = [word for word in sys.argv[1:] if word in METHODS] or METHODS
    for name in [word for word in sys.argv[1:] if word in KINDS] or list(KINDS):
        measure(name, counts[0] if counts else 100, methods)


def measure(name: str, count: int, methods: Sequence[str]) -> None:
    shape, radii, steps, batch, halvings = KINDS[name]
    begin = time.perf_counter()
    plan = _plan(name, shape, halvings)
    network = build_network(plan.network, plan.arguments)
    _teach(network, shape, radii, steps, batch)
    rng = np.random.default_rng(1)
    stored, affine = (SCAN, TURNED) if name == "3d" else (shape, np.eye(4))
    sick = [_image(stored, radii, rng, lesion=True) for _ in range(count)]
    well = [_image(stored, radii, rng, lesion=False) for _ in range(count)]
    volumes = [Volume(image, affine, name=f"{number}") for number, (image, _) in enumerate([*sick, *well])]
    with tempfile.TemporaryDirectory() as place:
        trained, shuffled = Path(place) / "trained", Path(place) / "shuffled"
        save_model(plan.model(), network.state_dict(), trained, card="", licence="")
        save_model(plan.model(), _shuffled(network), shuffled, card="", licence="")
        said = finish(classify(volumes, str(trained))).images
        right = sum((one.predicted == "lesion") is (number < count) for number, one in enumerate(said))
        print(
            f"{name}: {right / len(said):.3f} of {len(said)} told apart, {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        for method in methods:
            for layer in ("",) if method in (LAYER_CAM, OCCLUSION) else LAYERS:
                _compare(volumes[:count], [mask for _, mask in sick], trained, shuffled, method, layer)


def _compare(
    volumes: list[Volume], lesions: list[Mask], trained: Path, shuffled: Path, method: str, layer: str
) -> None:
    options: dict[str, Any] = {"explain": True, "method": method, "layer": layer, "of": "lesion"}
    begin = time.perf_counter()
    maps = [one.heat.data for one in finish(classify(volumes, str(trained), **options)).images]
    each = 1000 * (time.perf_counter() - begin) / len(volumes)
    others = [one.heat.data for one in finish(classify(volumes, str(shuffled), **options)).images]
    seen_by = layer or ("together" if method == LAYER_CAM else "the last")
    inside, by_chance = _share_inside(maps, lesions), _share_inside(others, lesions)
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(maps, others, strict=True) if a.any() and b.any()]
    alike = f"rank correlation {np.mean([spearmanr(*pair)[0] for pair in pairs]):+.2f}" if pairs else "no heat"
    print(
        f"  {method:10s} {seen_by:9s} peak inside {inside:.2f}   of the goal {inside / GOAL:.2f}   "
        f"shuffled weights: inside {by_chance:.2f}, {alike}   {each:.0f} ms an image",
        flush=True,
    )


def _share_inside(maps: list[NDArray[np.float32]], lesions: list[Mask]) -> float:
    hits = [bool(heat.any() and mask.ravel()[heat.argmax()]) for heat, mask in zip(maps, lesions, strict=True)]
    return float(np.mean(hits))


def _plan(name: str, shape: tuple[int, int, int], halvings: int) -> ClassPlan:
    flat = shape[0] == 1
    arguments = {
        "spatial_dims": 2 if flat else 3,
        "in_channels": 1,
        "out_channels": 2,
        "backbone": "resnet10",
        "backbone_arguments": {"features": [16, 16, 32, 32] if flat else [8, 16, 16, 32], "halvings": halvings},
    }
    return ClassPlan(
        name=name, classes=("none", "lesion"), channels=("image",), network="ImageClassifier", arguments=arguments,
        preparation=Preparation(
            (1.0, 1.0, 1.0), orientation=STORED if flat else Preparation.orientation, percentiles=(0, 100)
        ), patch=shape, fit="whole",
        batch=2, training=("a",), held_out=("b",), steps=1,
    )  # fmt: skip


def _teach(network: nn.Module, shape: tuple[int, int, int], radii: tuple[int, int], steps: int, batch: int) -> None:
    rng = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    network.train()
    for _ in range(steps):
        truth = np.arange(batch) % 2
        images = np.stack([_image(shape, radii, rng, lesion=bool(sick))[0] for sick in truth])
        images -= images.min((1, 2, 3), keepdims=True)
        images /= images.max((1, 2, 3), keepdims=True)
        given = torch.from_numpy(images)
        loss = F.cross_entropy(network(given if shape[0] == 1 else given[:, None]), torch.from_numpy(truth))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()


def _image(
    shape: tuple[int, int, int], radii: tuple[int, int], rng: np.random.Generator, *, lesion: bool
) -> tuple[NDArray[np.float32], Mask]:
    """Soft texture, noise and a few streaks; and a round spot as bright as they are, at least a radius off the rim."""
    image = 3 * gaussian_filter(rng.standard_normal(shape), 4) + 0.15 * rng.standard_normal(shape)
    for _ in range(3):
        place = [int(rng.integers(edge)) for edge in shape]
        axis = int(rng.integers(1, 3))
        wide: list[Any] = [slice(at, at + 2) for at in place]
        wide[axis] = slice(None)
        image[tuple(wide)] += 1.2
    mask = np.zeros(shape, bool)
    if lesion:
        radius = int(rng.integers(radii[0], radii[1] + 1))
        middle = [0 if edge == 1 else int(rng.integers(radius, edge - radius)) for edge in shape]
        away = np.indices(shape) - np.reshape(middle, (3, 1, 1, 1))
        mask = (away**2).sum(0) <= radius**2
        image[mask] += 1.2
    return image.astype(np.float32), mask


def _shuffled(network: nn.Module) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value
        if value.dim() == 0
        else value.flatten()[torch.randperm(value.numel(), generator=generator)].reshape(value.shape)
        for name, value in network.state_dict().items()
    }


if __name__ == "__main__":
    main()
