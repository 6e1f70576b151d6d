"""Every case at the network's size, prepared once and kept in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.classes import load_channels
from napari_resmed.io.whole_file import reason
from napari_resmed.prepare.fixed_size import Shape, fixed_size
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.series import fixed_series
from napari_resmed.review.quality import Look, look_at_image
from napari_resmed.train.same_images import Same, find_same
from napari_resmed.volume import Volume

__all__ = ["Images", "batch_of", "classes_of", "prepare_images", "prepared_image"]

_FILE, _LIST = "images.npy", "images.json"


@dataclass(frozen=True, eq=False)
class Images:
    """The prepared cases; on disk, and in memory as far as the system finds room.

    Parameters
    ----------
    names:
        Of the cases that could be used, in order.
    rows:
        Where each of them lies in ``data``.
    data:
        float16 ``(row, c, [t,] z, y, x)`` in 0..1.
    left_out:
        Case and reason of the others.
    looks:
        What was seen of each, in the order of the names.
    same:
        Names of those that are equal as the network sees them, each time two or more.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...]
    data: NDArray[np.float16]
    left_out: tuple[tuple[str, str], ...] = ()
    looks: tuple[Look, ...] = ()
    same: Same = ()

    @classmethod
    def load(cls, folder: Path) -> Images:
        """What :func:`prepare_images` left there.

        Raises
        ------
        InputError
            If it is damaged.
        """
        try:
            said = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            data = np.load(folder / _FILE, mmap_mode="r")
            left_out = tuple((str(name), str(why)) for name, why in said["left_out"])
            looks = tuple(Look.from_json(look) for look in said["looks"])
            same = tuple(tuple(str(name) for name in names) for names in said.get("same", ()))
            return cls(tuple(said["names"]), tuple(int(row) for row in said["rows"]), data, left_out, looks, same)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as problem:
            raise InputError(f"the unfinished training in {folder.parent} is damaged; start it anew") from problem


def prepared_image(
    channels: Sequence[Volume | None], preparation: Preparation, shape: Shape, fit: str, frames: int = 0
) -> Tensor:
    """One image as the network takes it: ``(c, [frames,] *shape)``, float32; zeros for a channel that is not there.

    In a series, a channel without time is the same in every frame.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    _check_frames(channels, frames)
    prepared = []
    for number, volume in enumerate(channels):
        of = preparation.of_channel(number)
        if volume is None:
            prepared.append(torch.zeros((1, *((frames,) if frames else ()), *shape)))
            continue
        _check_slices(volume, shape)
        prepared.append(fixed_series(volume, of, shape, fit, frames) if frames else fixed_size(volume, of, shape, fit))
    return torch.cat(prepared)


def _check_frames(channels: Sequence[Volume | None], wanted: int) -> None:
    found = max((volume.frames for volume in channels if volume is not None), default=0)
    if found > 1 and not wanted:
        raise InputError(f"it has {found} frames in time, expected one image; save the one you want by itself")
    if found == 1 and wanted:
        raise InputError("it is a single frame, expected several that follow each other in time")


def _check_slices(volume: Volume, shape: Shape) -> None:
    """Refuse what would be squeezed or blown up into something that the network was never meant for."""
    slices = volume.grid_shape[0]
    if shape[0] == 1 and slices > 1:
        raise InputError(f"it has {slices} slices, expected a single one")
    if shape[0] > 1 and 1 in volume.grid_shape:
        raise InputError("it is a single slice, expected a volume")


def prepare_images(
    dataset: Dataset, preparation: Preparation, shape: Shape, fit: str, folder: Path, frames: int = 0
) -> Generator[float, None, Images]:
    """Prepare every case; yields the share that is done.

    What cannot be used is left out with its reason, and so is an image that is there twice with different classes.

    Raises
    ------
    WorkError
        If the disk is full.
    """
    kept: dict[str, int] = {}
    left_out: list[tuple[str, str]] = []
    seen: dict[str, bytes] = {}
    looks: dict[str, Look] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        size = (len(dataset.cases), len(dataset.channels), *((frames,) if frames else ()), *shape)
        data = np.lib.format.open_memmap(folder / _FILE, mode="w+", dtype=np.float16, shape=size)
        for row, case in enumerate(dataset.cases):
            yield row / len(dataset.cases)
            try:
                channels = load_channels(case, dataset)
                prepared = prepared_image(channels, preparation, shape, fit, frames).numpy()
            except InputError as problem:
                left_out.append((case.name, str(problem)))
                continue
            image = prepared.astype(np.float16)
            data[row] = image
            kept[case.name] = row
            looks[case.name] = look_at_image(prepared, channels)
            seen[case.name] = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        data.flush()
        class_of = {case.name: case.class_name for case in dataset.cases}
        for twins in find_same(seen.items()):
            if len({class_of[name] for name in twins}) > 1:
                told = " and ".join(f"{name} ({class_of[name]})" for name in twins[:2])
                left_out += [(name, f"the same image has two classes: {told}") for name in twins]
                for name in twins:
                    del kept[name]
        said = {
            "names": list(kept),
            "rows": list(kept.values()),
            "left_out": left_out,
            "looks": [looks[name].to_json() for name in kept],
            "same": find_same((name, seen[name]) for name in kept),
        }
        (folder / _LIST).write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    except OSError as problem:
        raise WorkError(f"could not write the prepared images to {folder}: {reason(problem)}") from problem
    finally:
        forget_archives()
    return Images.load(folder)


def classes_of(images: Images, dataset: Dataset) -> NDArray[np.int64]:
    """Number of the class of every row; -1 for one that was left out."""
    of = {case.name: dataset.classes.index(case.class_name) for case in dataset.cases if case.class_name}
    found = np.full(len(images.data), -1, np.int64)
    for name, row in zip(images.names, images.rows, strict=True):
        found[row] = of[name]
    return found


def batch_of(images: Images, rows: Sequence[int]) -> Tensor:
    """Some cases as the network takes them: float32 ``(batch, c, [t,] [z,] y, x)``, without the z of single slices."""
    data = torch.from_numpy(np.ascontiguousarray(images.data[list(rows)]).astype(np.float32))
    return data.squeeze(-3)
