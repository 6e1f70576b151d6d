"""Do our voxels lie where dcm2niix puts them? (none may differ)

Every image series under shared/data/dicom is read by us and converted by dcm2niix (its PyPI package ships the
program); every voxel of ours is looked up at its patient position in the NIfTI file. Places agree within 0.01 mm,
values exactly (or to the digits of the NIfTI header's float32 scale). Echoes, which dcm2niix writes into a file each,
are looked up each in the file that states its echo time. A series is refused with its reason, or checked against the
files themselves where dcm2niix has no answer that could be compared: then the table says why.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
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
# Above the digits of an orthogonal header, under the smallest tilt.
SHEAR = 1e-3
# What our sentence says of images that are there several times.
REPEATED = "images at every place"
# A slope in the NIfTI header has the 24 bits of a float32.
SCALE_DIGITS = 1e-6
# Echo times are printed with two digits or more.
SAME_ECHO_MS = 0.01
# -ba n: leave nothing out of what is said beside the voxels.
OPTIONS = ("-z", "n", "-b", "y", "-ba", "n", "-m", "n")
# -p n: the values that RescaleSlope gives, not Philips' private scale; but then a slope that changes from slice to
# slice is left out, so both are asked.
SCALES = ("n", "y")


@dataclass(frozen=True)
class Peer:
    """One NIfTI file of dcm2niix: values ``(t, z, y, x[, 3])``, affine in our convention, its name and echo time."""

    name: str
    scale: str
    echo_ms: float | None
    stored: np.ndarray
    affine: np.ndarray
    slope: float
    intercept: float


def convert(files: Sequence[Path], into: Path) -> list[Peer]:
    """What dcm2niix makes of files that lie in a folder of their own."""
    source = into / "in"
    source.mkdir()
    for number, file in enumerate(files):
        (source / f"{number:05d}_{file.name}").symlink_to(file)
    for scale in SCALES:
        out = into / scale
        out.mkdir()
        command = [dcm2niix.bin, *OPTIONS, "-p", scale, "-f", f"p{scale}_%s_%f", "-o", str(out), str(source)]
        subprocess.run(command, capture_output=True, check=False)
    return [_load(file, scale) for scale in SCALES for file in sorted((into / scale).glob("*.nii"))]


def _load(file: Path, scale: str) -> Peer:
    image: Any = nibabel.load(file)
    beside = file.with_suffix(".json")
    said = json.loads(beside.read_text()) if beside.exists() else {}
    stored = np.asarray(image.dataobj.get_unscaled())
    colours = len(stored.dtype.names or ())
    if colours:
        stored = np.stack([stored[name] for name in stored.dtype.names], axis=-1)
    spatial = image.shape + (1,) * (4 - len(image.shape))
    data = stored.reshape(*spatial, *((colours,) if colours else ()))
    return Peer(
        file.stem,
        scale,
        1000 * said["EchoTime"] if "EchoTime" in said else None,
        np.moveaxis(data, (0, 1, 2, 3), (3, 2, 1, 0)),
        geometry.ras_to_lps(image.affine),
        float(image.dataobj.slope),
        float(image.dataobj.inter),
    )


def by_time(volume: Volume) -> np.ndarray:
    """Our values as ``(t, z, y, x[, 3])``."""
    data = volume.data if "t" in volume.axes else volume.data[None]
    return np.moveaxis(data, 1, -1) if "c" in volume.axes else data


def turned(volume: Volume, peer: Peer, placed: bool) -> np.ndarray | str:
    """The peer's array in our voxel order, or why their grids are not the same.

    Where the file does not say where the image lies (not ``placed``), dcm2niix invents another place than we do: then
    only the directions of rows and columns count.
    """
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
    if off > NEAR_MM and placed:
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


def compare(volume: Volume, peer: Peer, placed: bool = True) -> str:
    """Empty where every voxel agrees, else how they differ."""
    theirs = turned(volume, peer, placed)
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


def compare_echoes(volume: Volume, peers: Sequence[Peer], placed: bool = True) -> str:
    """Empty where each of our times is that file of the peer's, of one time, that states its echo time."""
    findings = []
    for scale in SCALES:
        finding = ""
        for index, echo_ms in enumerate(volume.meta["echo_times_ms"]):
            one = Volume(volume.data[index], volume.affine, volume.axes[1:])
            own = [
                peer
                for peer in peers
                if peer.scale == scale and peer.echo_ms is not None and abs(peer.echo_ms - echo_ms) < SAME_ECHO_MS
            ]
            found = compare(one, own[0], placed) if len(own) == 1 else f"{len(own)} files"
            finding = finding or (found and f"{found} of the echo of {echo_ms:g} ms")
        findings.append(finding)
    return "" if "" in findings else "; ".join(findings)


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
        if not np.array_equal(ours[index], expected):
            return f"other values than in {image.path.name}"
        at = (volume.affine @ (index % positions, 0, 0, 1))[:3]
        if image.position and np.abs(at - image.position).max() > NEAR_MM:
            return f"{np.abs(at - image.position).max():.3g} mm from the position in {image.path.name}"
    return ""


def judge(series: Series) -> tuple[str, str]:
    """``agreed``, ``by file``, ``refused`` or ``differs``, and the reason."""
    if series.problem:
        return "refused", series.problem
    try:
        volume = read_series(series)
    except ResMedError as problem:
        return "refused", str(problem)
    with tempfile.TemporaryDirectory() as scratch:
        peers = convert(series.files, Path(scratch))
        placed = bool(series.slices[0].position)
        findings = {peer.name: compare(volume, peer, placed) for peer in peers}
        if "echo_times_ms" in volume.meta:
            findings = {"echoes": compare_echoes(volume, peers, placed)}
            if not findings["echoes"]:
                return "agreed", f"{volume.frames} echoes, each with its own file"
    if any(not finding for finding in findings.values()):
        return "agreed", "" if placed else "the files say nothing of a place: voxels compared, dcm2niix invents a place"
    by_file = check_files(series, volume)
    seen = "; ".join(sorted(set(findings.values()))) or "it converts nothing"
    if by_file:
        return "differs", f"{seen}; and {by_file}"
    return "by file", f"{why(series, volume)} (dcm2niix: {seen})"


def why(series: Series, volume: Volume) -> str:
    """What is known of dcm2niix where it gives something else than the files say."""
    if geometry.shear_cosine(volume.affine) > SHEAR:
        return "a tilted gantry: dcm2niix leaves the shear out of its first file and resamples the second"
    return "not explained"


def files_by_series(folder: Path) -> list[Series]:
    """The series of a folder; where the same image is there several times, each file for itself."""
    found = find_series(sorted(file for file in folder.iterdir() if file.is_file()))
    apart = []
    for series in found:
        alone = series.kind == "image" and series.problem and REPEATED in series.problem
        apart += [one for file in series.files for one in find_series([file])] if alone else [series]
    return apart


def main() -> int:
    warnings.simplefilter("ignore")
    root = shared_data() / "dicom"
    counts: Counter[str] = Counter()
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    print(f"{'series':<60} {'shape':<16} outcome")
    for folder in sorted({file.parent for file in root.rglob("*") if file.is_file()}):
        try:
            found = files_by_series(folder)
        except ResMedError:
            continue  # no DICOM in it
        for number, series in enumerate(found):
            outcome, reason = judge(series) if series.kind == "image" else ("no image", "")
            counts[outcome] += 1
            if outcome == "no image":
                continue
            name = f"{folder.relative_to(root)} {number + 1}/{len(found)}"
            print(f"{name:<60} {'x'.join(map(str, series.shape)):<16} {outcome}", flush=True)
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
