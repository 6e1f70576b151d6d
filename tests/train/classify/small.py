"""Data sets of small pictures and volumes, and a plan with which a whole training of them takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from napari_resmed.io import write
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.small import STILL

# What replaces a plan's own decisions where a training shall take seconds.
QUICK: dict[str, Any] = {
    "minutes": None,
    "steps": 40,
    "check_every": 10,
    "patience": 1.0,
    "batch": 8,
    "learning_rate": 0.01,
    "augmentation": STILL.to_json(),
    "device": "cpu",
    "precision": "fp32",
}


def network(spatial_dims: int = 2, **more: Any) -> dict[str, Any]:
    """Arguments of a tiny network."""
    return {
        "spatial_dims": spatial_dims,
        "in_channels": 1,
        "out_channels": 2,
        "backbone": "resnet10",
        "backbone_arguments": {"features": [8, 8, 16, 16], "small_images": True},
        "dropout": 0.1,
        **more,
    }


def picture(kind: int, seed: int, shape: tuple[int, ...] = (16, 16)) -> np.ndarray:
    """uint8: a bright bar that is wide (0) or tall (1), anywhere, in noise."""
    rng = np.random.default_rng((seed, kind))
    image = rng.normal(60, 20, shape)
    height, width = (2, 8) if kind == 0 else (8, 2)
    row, column = rng.integers(0, shape[-2] - height), rng.integers(0, shape[-1] - width)
    image[..., row : row + height, column : column + width] += 150
    return image.clip(0, 255).astype(np.uint8)


def write_medmnist(path: Path, train: int = 40, held: int = 20, shape: tuple[int, ...] = (16, 16)) -> Path:
    """A file like MedMNIST's."""
    arrays: dict[str, np.ndarray] = {}
    for part, count in (("train", train), ("val", held)):
        kinds = np.arange(count) % 2
        start = 0 if part == "train" else 1000
        arrays[f"{part}_images"] = np.stack([picture(int(kind), start + n, shape) for n, kind in enumerate(kinds)])
        arrays[f"{part}_labels"] = kinds[:, None].astype(np.uint8)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def write_folders(folder: Path, count: int = 8, parts: tuple[str, ...] = ("",)) -> Path:
    """A folder per class, with PNG files."""
    for at, part in enumerate(parts):
        for kind, name in enumerate(("wide", "tall")):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                image = sitk.GetImageFromArray(picture(kind, 100 * at + number))
                sitk.WriteImage(image, str(place / f"{number}.png"))
    return folder


def write_volumes(folder: Path, count: int = 6) -> Path:
    """NIfTI volumes and a table of them: two scans of every patient."""
    folder.mkdir(parents=True)
    lines = ["path,class,patient"]
    for number in range(2 * count):
        kind = number // 2 % 2
        volume = Volume(picture(kind, number, (8, 16, 16)), make_affine())
        write(volume, folder / f"scan{number}.nii.gz")
        lines.append(f"scan{number}.nii.gz,{('well', 'ill')[kind]},p{number // 2}")
    (folder / "cases.csv").write_text("\n".join(lines))
    return folder
