"""Do our voxels lie where dcm2niix puts them? (none may differ)

Every image series under shared/data/dicom is read by us and converted by dcm2niix (its PyPI package ships the
program); every voxel of ours is looked up at its patient position in the NIfTI file. Places agree within 0.01 mm,
values exactly (or to the digits of the NIfTI header's float32 scale). A series is refused with its reason, or checked
against the files themselves where dcm2niix has no answer that could be compared: then the table says why.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dcm2niix
import nibabel
import numpy as np
import pydicom

from benchmarks.shared import shared_data
from napari_resmed import geometry
from napari_resmed.errors import ResMedError
from napari_resmed.io.dicom import Series, find_series, read_series
from napari_resmed.volume import Volume

NEAR_MM = 0.01
# A slope in the NIfTI header has the 24 bits of a float32.
SCALE_DIGITS = 1e-6
# -p n: the display values that RescaleSlope gives, not Philips' private scale; -ba n: keep the UID to match by.
OPTIONS = ("-z", "n", "-b", "y", "-ba", "n", "-p", "n", "-m", "n", "-f", "%s_%p_%f_%u")


@dataclass(frozen=True)
class Peer:
    """One NIfTI file of dcm2niix: values ``(t, z, y, x[, 3])``, affine in our convention, and its name."""

    name: str
    uid: str
    stored: np.ndarray
    affine: np.ndarray
    slope: float
    intercept: float


def convert(folder: Path, into: Path) -> list[Peer]:
    subprocess.run([dcm2niix.bin, *OPTIONS, "-o", str(into), str(folder)], capture_output=True, check=False)
    peers = []
    for file in sorted(into.glob("*.nii")):
        image: Any = nibabel.load(file)
        beside = file.with_suffix(".json")
        said = json.loads(beside.read_text()) if beside.exists() else {}
        stored = np.asarray(image.dataobj.get_unscaled())
        if stored.dtype.names:
            stored = np.stack([stored[name] for name in stored.dtype.names], axis=-1)
            colour = True
        else:
            colour = False
        grid = stored.reshape(stored.shape + (1,) * (4 - stored.ndim + colour)) if not colour else stored
        if colour:
            spatial = stored.shape[:-1] + (1,) * (5 - stored.ndim)
            grid = stored.reshape(*spatial, stored.shape[-1])
        data = np.moveaxis(grid, (0, 1, 2, 3), (3, 2, 1, 0))
        slope = float(image.dataobj.slope)
        peers.append(
            Peer(
                file.stem,
                said.get("SeriesInstanceUID", ""),
                data,
                geometry.ras_to_lps(image.affine),
                slope,
                float(image.dataobj.inter),
            )
        )
    return peers


def by_time(volume: Volume) -> np.ndarray:
    """Our values as ``(t, z, y, x[, 3])``."""
    data = volume.data if "t" in volume.axes else volume.data[None]
    return np.moveaxis(data, 1, -1) if "c" in volume.axes else data


def turned(volume: Volume, peer: Peer) -> np.ndarray | str:
    """The peer's array in our voxel order, or why their grids are not the same."""
    ours, theirs = volume.grid_shape, peer.stored.shape[1:4]
    move = np.linalg.inv(peer.affine) @ volume.affine
    nearest = np.rint(move)
    axes = np.abs(nearest[:3, :3]).argmax(axis=0)
    if sorted(axes) != [0, 1, 2] or np.abs(nearest[:3, :3]).sum() != 3:
        return "other axes"
    if tuple(theirs[axis] for axis in axes) != ours:
        return f"{theirs} voxels, ours are {ours}"
    whole = np.eye(4)
    whole[:3] = nearest[:3]
    off = np.abs(geometry.corners(volume.affine, ours) - geometry.corners(peer.affine @ whole, ours)).max()
    if off > NEAR_MM:
        return f"{off:.3g} mm apart"
    flips = tuple(bool(nearest[axis, index] < 0) for index, axis in enumerate(axes))
    order = geometry.AxisOrder(tuple(int(axis) for axis in axes), flips)  # type: ignore[arg-type]
    if peer.stored.ndim == 5:
        return np.stack([order.apply(peer.stored[..., c]) for c in range(peer.stored.shape[-1])], axis=-1)
    return order.apply(peer.stored)


def same_values(ours: np.ndarray, stored: np.ndarray, peer: Peer) -> bool:
    values = stored.astype(np.float64) * peer.slope + peer.intercept
    exact = float(peer.slope).is_integer() and float(peer.intercept).is_integer() and stored.dtype.kind in "iu"
    if exact:
        return bool((ours == values).all())
    largest = np.abs(stored.astype(np.float64) * peer.slope) + abs(peer.intercept)
    return bool((np.abs(ours - values) <= SCALE_DIGITS * largest).all())


def compare(volume: Volume, peer: Peer) -> str:
    """Empty where every voxel agrees, else how they differ."""
    theirs = turned(volume, peer)
    if isinstance(theirs, str):
        return theirs
    ours = by_time(volume)
    if len(ours) != len(theirs):
        return f"{len(theirs)} times, ours are {len(ours)}"
    left = list(range(len(theirs)))
    for index, moment in enumerate(ours):
        match = next(
            (at for at in sorted(left, key=lambda at: at != index) if same_values(moment, theirs[at], peer)), None
        )
        if match is None:
            return "other values"
        left.remove(match)
    return ""


def check_files(series: Series, volume: Volume) -> str:
    """Our voxels against each file by pydicom: its pixels, rescaled, at its own position. Empty where they agree."""
    ours = by_time(volume).reshape(-1, *by_time(volume).shape[2:])
    positions = volume.grid_shape[0]
    for index, image in enumerate(series.slices):
        header = pydicom.dcmread(image.path)
        pixels = header.pixel_array if image.frame is None else header.pixel_array[image.frame]
        if image.picture:
            (top, left) = image.corner
            pixels = pixels[top : top + image.rows, left : left + image.columns]
        expected = pixels * float(image.slope) + float(image.intercept)
        if image.photometric == "MONOCHROME1" and image.modality == "DX":
            expected = 2**image.bits - 1 - expected
        if not np.array_equal(ours[index], expected):
            return f"other values than in {image.path.name}"
        at = (volume.affine @ (index % positions, 0, 0, 1))[:3]
        if image.position and np.abs(at - image.position).max() > NEAR_MM:
            return f"{np.abs(at - image.position).max():.3g} mm from the position in {image.path.name}"
    return ""


def judge(series: Series, peers: list[Peer]) -> tuple[str, str]:
    """``agreed``, ``refused`` or ``differs``, and the reason."""
    if series.problem:
        return "refused", series.problem
    try:
        volume = read_series(series)
    except ResMedError as problem:
        return "refused", str(problem)
    uid = series.slices[0].series_uid
    own = [peer for peer in peers if peer.uid in (uid, "")]
    findings = {peer.name: compare(volume, peer) for peer in own}
    if any(not finding for finding in findings.values()):
        return "agreed", ""
    by_file = check_files(series, volume)
    seen = "; ".join(f"{name[-30:]}: {finding}" for name, finding in findings.items()) or "it converts nothing"
    if by_file:
        return "differs", f"{seen}; and {by_file}"
    return "by file", seen


def folders(root: Path) -> list[Path]:
    """Folders with files of their own."""
    return sorted({file.parent for file in root.rglob("*") if file.is_file()})


def main() -> int:
    warnings.simplefilter("ignore")
    root = shared_data() / "dicom"
    counts: Counter[str] = Counter()
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    print(f"{'series':<62} {'shape':<22} outcome")
    for folder in folders(root):
        try:
            found = [series for series in find_series(sorted(f for f in folder.iterdir() if f.is_file()))]
        except ResMedError:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            peers = convert(folder, Path(scratch))
            for number, series in enumerate(found):
                if series.kind != "image":
                    counts["no image"] += 1
                    continue
                outcome, reason = judge(series, peers)
                counts[outcome] += 1
                name = f"{folder.relative_to(root)} {number + 1}/{len(found)}"
                print(f"{name:<62} {'x'.join(map(str, series.shape)):<22} {outcome}", flush=True)
                if reason:
                    reasons[outcome].append(f"{name}: {reason}")
    for outcome, lines in reasons.items():
        print(f"\n{outcome}:")
        for line in lines:
            print(f"  {line}")
    print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return counts["differs"]


if __name__ == "__main__":
    sys.exit(main())
