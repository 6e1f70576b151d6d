"""What was computed of an image stays: in memory while it is worked on, on disk for the next time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from platformdirs import user_cache_path

from napari_resmed.errors import ResMedError
from napari_resmed.io.whole_file import whole_folder
from napari_resmed.scribble.features import (
    CONTEXT,
    SCALES,
    Features,
    check_image,
    compute_features,
    made_ready,
    preparation_for,
)
from napari_resmed.volume import Volume

__all__ = ["DISK_BYTES", "are_at_hand", "features_of", "key_of"]

# Images whose features stay in memory.
KEPT = 2
# All that may lie on disk; what was not used for longest goes first.
DISK_BYTES = 4 << 30
# Changes when the filters do.
VERSION = 2
_PIECE = 1 << 24

_warm: OrderedDict[str, Features] = OrderedDict()
# Volumes do not change, and the worker is given the same one with every stroke.
_keys: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()


def key_of(image: Volume) -> str:
    """A digest of voxels and geometry; nothing else of the image is in it."""
    if image not in _keys:
        _keys[image] = _digest(image)
    return _keys[image]


def _digest(image: Volume) -> str:
    digest = hashlib.blake2b(digest_size=16)
    facts = [VERSION, SCALES, CONTEXT, image.axes, image.shape, str(image.data.dtype), image.affine.round(6).tolist()]
    digest.update(json.dumps(facts).encode())
    flat = np.ascontiguousarray(image.data).reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _PIECE):
        digest.update(flat[start : start + _PIECE].data)
    return digest.hexdigest()


def are_at_hand(key: str) -> bool:
    """Whether an image's features need no computing."""
    return key in _warm or (_cache() / key).is_dir()


def features_of(image: Volume, key: str) -> Features:
    """An image's features, from memory or disk where they are.

    Raises
    ------
    InputError
        If the image cannot be looked at.
    """
    check_image(image)
    if key not in _warm:
        found = _load(image, key)
        if found is None:
            found = compute_features(image)
            _save(found, key)
        _ = found.levels, found.coarsely  # made once, ahead of the first stroke
        _warm[key] = found
        while len(_warm) > KEPT:
            _warm.popitem(last=False)
    _warm.move_to_end(key)
    return _warm[key]


def _cache() -> Path:
    chosen = os.environ.get("RESMED_CACHE")
    return (Path(chosen) if chosen else user_cache_path("napari-resmed", appauthor=False)) / "scribble"


def _load(image: Volume, key: str) -> Features | None:
    place = _cache() / key
    try:
        responses = np.load(place / "responses.npy", allow_pickle=False)
        mean, scale = np.load(place / "moments.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    ready, curves, grid = made_ready(image)
    if responses.dtype != np.float16 or responses.shape[1:] != grid.shape or len(mean) != len(responses):
        return None
    with suppress(OSError):
        os.utime(place)
    return Features(
        ready,
        curves,
        torch.from_numpy(responses),
        torch.from_numpy(mean.copy()),
        torch.from_numpy(scale.copy()),
        grid,
        preparation_for(image).spacing_mm,
    )


def _save(features: Features, key: str) -> None:
    """Keep them, if there is room; that they could not be kept is no reason to stop."""
    size = features.responses.numel() * 2 + 4096
    if size > DISK_BYTES:
        return
    place = _cache() / key
    with suppress(OSError, ResMedError):
        place.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(place.parent).free < 2 * size:
            return
        _make_room(place.parent, DISK_BYTES - size)
        with whole_folder(place) as part:
            np.save(part / "responses.npy", features.responses.numpy())
            np.save(part / "moments.npy", torch.stack([features.mean, features.scale]).numpy())


def _make_room(folder: Path, bytes_left: int) -> None:
    kept = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime, reverse=True)
    total = 0
    for one in kept:
        total += sum(file.stat().st_size for file in one.iterdir())
        if total > bytes_left:
            shutil.rmtree(one, ignore_errors=True)
