"""The undamaged files: small real ones, in every format that is read."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from napari_resmed.io import write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["Seed", "collect"]


@dataclass
class Seed:
    """A folder with an image in it, the path in it that is opened, and the files that may be damaged."""

    name: str
    kind: str
    folder: Path
    open: Path
    truth: dict[str, Any] = field(default_factory=dict)

    def files(self) -> list[Path]:
        return sorted(file for file in self.folder.rglob("*") if file.is_file())


def collect(shared: Path, place: Path) -> list[Seed]:
    """Copies and conversions, each in a folder of its own."""
    seeds: list[Seed] = []

    def new(name: str, kind: str, file: str = "") -> Path:
        folder = place / name.replace("/", "_")
        folder.mkdir(parents=True)
        seeds.append(Seed(name, kind, folder, folder / file if file else folder))
        return folder / file if file else folder

    odd = shared / "nifti/odd"
    shutil.copy(odd / "5D_small.nii", new("5D", "nifti", "a.nii"))
    shutil.copy(odd / "big.nii.gz", new("big-endian gz", "nifti", "a.nii.gz"))
    new("big-endian", "nifti", "a.nii").write_bytes(gzip.decompress((odd / "big.nii.gz").read_bytes()))
    small = nib.load(shared / "nifti/axis_orders/RAS.nii.gz").slicer[::3, ::3, ::3]
    for ending in (".nii", ".nii.gz"):
        nib.save(small, new(f"scaled{ending}", "nifti", f"a{ending}"))
    nib.save(nib.Nifti2Image(np.asarray(small.dataobj).astype(np.int16), small.affine), new("two", "nifti", "a.nii"))
    nib.save(nib.Nifti1Pair(np.asarray(small.dataobj).astype(np.int16), small.affine), new("pair", "nifti", "a.img"))
    case = sorted((shared / "hippocampus/labels").glob("*.nii.gz"))[0]
    shutil.copy(case, new("labels", "nifti", "label.nii.gz"))
    segmented = sorted((shared / "body").glob("*seg*.nii.gz"))
    if segmented:
        shutil.copy(segmented[0], new("label table", "nifti", "label.nii.gz"))

    data = np.asarray(small.dataobj).T.astype(np.int16)
    volume = Volume(np.ascontiguousarray(data), np.diag([3.0, 2.0, 1.5, 1.0]))
    for ending in (".nrrd", ".nhdr", ".mha", ".mhd"):
        write(volume, new(f"raw{ending}", ending[1:], f"a{ending}"))
        image = sitk.GetImageFromArray(np.stack([data, data // 2], -1), isVector=True)
        path = new(f"compressed vector{ending}", ending[1:], f"a{ending}")
        sitk.WriteImage(image, str(path), useCompression=True)
    text = "NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: {}\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n"
    text += "encoding: ascii\nspace origin: (1,2,3)\n\n{}\n"
    piece = data[:9, :9, :9]
    new("text.nrrd", "nrrd", "a.nrrd").write_text(text.format("9 9 9", " ".join(map(str, piece.ravel()))))
    nib.save(nib.MGHImage(np.asarray(small.dataobj).astype(np.float32), small.affine), new("mgz", "mgh", "a.mgz"))
    nib.save(nib.MGHImage(np.asarray(small.dataobj).astype(np.float32), small.affine), new("mgh", "mgh", "a.mgh"))

    _dicom(shared, new)
    return seeds


def _dicom(shared: Path, new: Any) -> None:
    """Short series of several encodings, an archive, objects."""
    vendors = shared / "dicom/dicom2nifti"
    series = [
        ("generic", vendors / "generic/anatomical/001"),
        ("philips enhanced", vendors / "philips_enhanced"),
        ("siemens", vendors / "siemens/anatomical/001"),
        ("hitachi", vendors / "hitachi/anatomical"),
    ]
    series += [(f"compressed {sort}", vendors / f"generic/compressed_{sort}/001") for sort in ("rle", "jpeg", "j2k")]
    for name, source in series:
        if source.is_dir():
            target = new(name, "dicom")
            for file in sorted(file for file in source.rglob("*") if file.is_file())[:6]:
                shutil.copy(file, target / file.name)
    for sort in ("CT_small", "MR_small", "MR_small_RLE", "JPEG2000", "SC_rgb_jpeg_dcmtk", "US1_J2KR", "liver"):
        file = _pydicom_file(f"{sort}.dcm")
        if file:
            shutil.copy(file, new(sort, "dicom", "a.dcm"))
    first = vendors / "hitachi/anatomical"
    with zipfile.ZipFile(new("study.zip", "zip", "study.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in first.rglob("*") if file.is_file())[:6]:
            archive.write(file, f"study/{file.name}")
    tilted = shared / "dicom/ct_philips_s4010"
    if (tilted / "DIRFILE").is_file():
        index = new("DICOMDIR", "dicomdir", "DICOMDIR")
        shutil.copy(tilted / "DIRFILE", index)
        images = index.parent / "S21570/S4010"  # as the index names them
        images.mkdir(parents=True)
        for file in sorted(tilted.glob("I*")):
            shutil.copy(file, images)
    maps = [np.zeros((6, 7, 8), np.uint8) for _ in range(2)]
    maps[0][1:3], maps[0][4:], maps[1][2:5] = 1, 2, 1
    for name, several in (("one layer", maps[:1]), ("two layers", maps)):
        write([LabelMap(one, np.diag([3.0, 2.0, 1.0, 1.0])) for one in several], new(name, "seg.nrrd", "a.seg.nrrd"))
    objects = shared / "dicom/objects/highdicom"
    for file in sorted(objects.rglob("*.dcm")):
        if file.stat().st_size < 2**19 and file.name.startswith("seg"):
            shutil.copy(file, new(f"object {file.relative_to(objects)}", "object", "a.dcm"))


def _pydicom_file(name: str) -> Path | None:
    from pydicom.data import get_testdata_file

    found = get_testdata_file(name, download=False)
    return Path(str(found)) if found else None
