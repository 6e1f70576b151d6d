"""How long until a DICOM series is open? (at least as fast as the fastest peer; 3 000 files listed in 3 s)

A CT of 300 slices of 512 x 512 is made, uncompressed and in two encodings, and opened by us, by SimpleITK's series
reader, by dicom2nifti and by stacking pydicom's arrays, in turns in one run, files in the system's cache. All must give
the same voxels. Then the headers of 3 000 files with some 200 tags each are listed. Memory is that of a fresh process
which opens the series, above what the same process has without it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless, generate_uid

from napari_resmed.io.dicom import find_series, read_series, write_series
from napari_resmed.volume import Volume

SHAPE = (300, 512, 512)
FILES = 3000
RUNS = 3
# JPEG 2000 takes every decoder ten seconds or more, a busy machine minutes.
RUNS_SLOW = 1
ENCODINGS = {"run-length": RLELossless, "JPEG 2000": JPEG2000Lossless}
PRIVATE_TAGS = 150
SEED = 4

MEMORY = """
import sys
from pathlib import Path
from napari_resmed.io.dicom import find_series, read_series
(series,) = find_series(sys.argv[1])
read_series(find_series(series.files[:2])[0])
def peak_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
before = peak_kb()
volume = read_series(series)
print((peak_kb() - before) * 1024 / volume.data.nbytes)
"""


def make_series(folder: Path) -> None:
    """A cone of soft tissue in air, with the noise of a scan: 12 bits, intercept -1024."""
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = np.where(np.hypot(x, y * 1.3) < 0.8, 1040, 24).astype(np.int16)
    noise = rng.normal(0, 12, (8, *SHAPE[1:])).astype(np.int16)
    data = np.stack([np.clip(body + noise[z % 8] + z % 50, 0, 4095) for z in range(SHAPE[0])]).astype(np.int16)
    affine = np.array([[0, 0, 0.7, -180], [0, 0.7, 0, -180], [1.25, 0, 0, -200], [0, 0, 0, 1]])
    write_series(Volume(data, affine, modality="CT", name="speed"), folder)
    for file in folder.iterdir():
        header = pydicom.dcmread(file)
        header.BitsStored, header.HighBit = 12, 11
        header.RescaleIntercept, header.PixelRepresentation = "-1024", 0
        header.save_as(file)


def compress(source: Path, target: Path, syntax: str) -> None:
    target.mkdir()
    for file in sorted(source.iterdir()):
        image = pydicom.dcmread(file)
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(target / file.name)


def make_many(folder: Path) -> None:
    """3 000 files in 30 series, with as many tags as a scanner writes."""
    write_series(Volume(np.zeros((1, 64, 64), np.int16), np.eye(4)[[2, 1, 0, 3]], modality="CT", name="m"), folder)
    (first,) = folder.iterdir()
    image = pydicom.dcmread(first)
    first.unlink()
    block = image.private_block(0x0019, "ACME 1.0", create=True)
    for number in range(PRIVATE_TAGS):
        block.add_new(number, "LO", f"a private value {number}")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, generate_uid()
    image.ReferencedImageSequence = [item, item]
    for number in range(FILES):
        if number % 100 == 0:
            image.SeriesInstanceUID = generate_uid()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number
        image.ImagePositionPatient = [0, 0, number % 100]
        image.save_as(folder / f"{number:04d}.dcm")


def ours(folder: Path) -> np.ndarray:
    (series,) = find_series(folder)
    return read_series(series).data


def by_simpleitk(folder: Path) -> np.ndarray:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def by_pydicom(folder: Path) -> np.ndarray:
    images = sorted(map(pydicom.dcmread, folder.iterdir()), key=lambda image: float(image.ImagePositionPatient[2]))
    slope, intercept = int(images[0].RescaleSlope), int(images[0].RescaleIntercept)
    return np.stack([image.pixel_array.astype(np.int16) * slope + intercept for image in images])


def by_dicom2nifti(folder: Path) -> np.ndarray:
    import dicom2nifti

    image: Any = dicom2nifti.dicom_series_to_nifti(str(folder), None, reorient_nifti=False)["NII"]
    return np.asarray(image.dataobj).transpose(2, 1, 0)


PEERS: dict[str, Callable[[Path], np.ndarray]] = {
    "ours": ours,
    "SimpleITK": by_simpleitk,
    "pydicom": by_pydicom,
    "dicom2nifti": by_dicom2nifti,
}


def race(folder: Path, truth: np.ndarray, runs: int) -> dict[str, float]:
    """Seconds of each, the median of several turns."""
    seconds: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(runs):
        for name, read in PEERS.items():
            begin = time.perf_counter()
            data = read(folder)
            seconds[name].append(time.perf_counter() - begin)
            same = np.array_equal(data, truth) or np.array_equal(data[:, ::-1], truth)
            if not (same or np.array_equal(data[::-1], truth)):
                print(f"  {name} gives other voxels: {data.dtype} {data.shape}")
            del data
    return {name: statistics.median(turns) for name, turns in seconds.items()}


def report(name: str, folder: Path, truth: np.ndarray, runs: int) -> None:
    seconds = race(folder, truth, runs)
    fastest = min((value, peer) for peer, value in seconds.items() if peer != "ours")
    print(f"{name:<14} " + "  ".join(f"{peer} {value:.2f} s" for peer, value in seconds.items()))
    done = subprocess.run([sys.executable, "-c", MEMORY, str(folder)], capture_output=True, text=True, check=True)
    memory = float(done.stdout.split()[-1])
    print(
        f"{'':<14} of the fastest peer ({fastest[1]}) {seconds['ours'] / fastest[0]:.2f}   memory of the voxels "
        f"{memory:.2f}",
        flush=True,
    )


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_many(root / "many")
        figures = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            found = find_series(root / "many")
            figures.append(time.perf_counter() - begin)
        listed = statistics.median(figures)
        print(f"listing {FILES} files ({len(found)} series)  {listed:.2f} s   of the limit {listed / 3:.2f}")
        make_series(root / "plain")
        truth = by_pydicom(root / "plain")
        report("uncompressed", root / "plain", truth, RUNS)
        for name, syntax in ENCODINGS.items():
            compress(root / "plain", root / name, syntax)
            report(name, root / name, truth, RUNS if syntax == RLELossless else RUNS_SLOW)


if __name__ == "__main__":
    main()
