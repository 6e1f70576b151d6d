"""ITK's own formats, NRRD and MetaImage: LPS already, so nothing turns but the order of axes.

They are written through SimpleITK. They are read by us, for a damaged header must end in a sentence and not in a
crash of the viewer, and damaged voxels must be noticed.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io import metaimage, nrrd
from napari_resmed.io.nrrd.complete import complete_header
from napari_resmed.io.stored_image import StoredImage
from napari_resmed.io.whole_file import check_place
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["SUFFIXES", "open_itk", "read_itk", "write_itk"]

SUFFIXES = (*nrrd.SUFFIXES, *metaimage.SUFFIXES)

# Header noise, as of float32 cosines or quaternions, is written as it is; above it (0.006 degrees) a volume
# is sheared, which readers of these formats may take for a rotation or refuse.
SHEAR_COSINE = 1e-4


def open_itk(path: Path | str) -> StoredImage:
    """Describe a NRRD or MetaImage file by its header.

    Raises
    ------
    InputError
        If there is no such file, or its header cannot be.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"found no file {path.name}, expected a NRRD or MetaImage file; check the path")
    return nrrd.open_nrrd(path) if path.suffix.lower() in nrrd.SUFFIXES else metaimage.open_metaimage(path)


def read_itk(path: Path | str) -> Volume:
    """Read a NRRD or MetaImage file.

    Returns
    -------
    Volume
        A 2D image gets one z; vector pixels become channels, a fourth dimension time.

    Raises
    ------
    InputError
        If there is no such file, it is no such image, damaged, cut off, or of more than four dimensions.
    """
    return open_itk(path).read()


def write_itk(volume: Volume, path: Path | str) -> None:
    """Write a NRRD or MetaImage file; the whole file or nothing.

    Voxels keep their type (booleans become bytes, half floats single), label maps are compressed. The formats
    with a separate data file (``.nhdr``, ``.mhd``) put it beside, under the same name.

    Raises
    ------
    InputError
        If the ending is unknown, nothing can be written there, another image has its voxels in a file of that
        name, or the volume is sheared.
    WorkError
        If the file cannot be written there, e.g. because the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot write {path.name}: expected one of the endings {', '.join(SUFFIXES)}")
    _check_encodable(path)
    check_place(path)
    shear = geometry.shear_cosine(volume.affine)
    if shear > SHEAR_COSINE:
        degrees = float(np.degrees(np.arcsin(min(1.0, shear))))
        raise InputError(
            f"cannot write {path.name}: the volume is sheared by {degrees:.2g} degrees, which this format "
            "does not hold; write NIfTI (.nii.gz) instead"
        )
    image = _image(volume)
    try:
        # A folder beside the target: a header and its data file keep their names, and move without copying.
        folder = Path(tempfile.mkdtemp(prefix=".part-", dir=path.parent))
    except OSError as problem:
        raise WorkError(f"could not write {path.name}: {_reason(problem)}") from problem
    try:
        part = folder / path.name
        said = str(volume.meta.get("colour", ""))
        colour = said if len(said) == volume.channels and volume.data.dtype == np.uint8 else ""
        if colour and part.suffix.lower() in metaimage.SUFFIXES:
            image.SetMetaData(metaimage.COLOUR, colour)
        _simpleitk().WriteImage(image, str(part), useCompression=isinstance(volume, LabelMap))
        if part.suffix.lower() in (".nrrd", ".nhdr"):
            complete_header(part, colour)
        written = sorted(folder.iterdir(), key=lambda file: file == part)
        _check_not_anothers(path, written)
        # The header last: until it is there, a reader finds the old image or none.
        for file in written:
            file.replace(path.parent / file.name)
    except OSError as problem:
        raise WorkError(f"could not write {path.name}: {_reason(problem)}; nothing was left there") from problem
    except RuntimeError as problem:
        full = shutil.disk_usage(folder).free < volume.data.nbytes
        reason = "the disk is full" if full else "the place does not take the file"
        raise WorkError(f"could not write {path.name}: {reason}; nothing was left there") from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _simpleitk() -> Any:
    # Only to write: it takes a tenth of a gigabyte.
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what matters is reported as an error in our words
    return sitk


def _check_encodable(path: Path) -> None:
    """Refuse names that are no UTF-8, as those of old discs: SimpleITK ends the whole program over them."""
    try:
        str(path).encode()
    except UnicodeEncodeError as problem:
        raise InputError(
            f"cannot write {path.suffix} there: the path holds letters in another encoding than UTF-8, which this "
            "format's library does not take; choose another place, or write NIfTI (.nii.gz)"
        ) from problem


def _check_not_anothers(path: Path, written: Sequence[Path]) -> None:
    """Refuse to put voxels over those of another header: ``a.mhd`` and ``a.nhdr`` both have theirs in ``a.raw``."""
    if path.exists():
        return  # written again
    for file in written:
        if (path.parent / file.name).exists():
            raise InputError(
                f"cannot write {path.name}: its voxels would replace {file.name}, which belongs to another image; "
                "choose another name"
            )


def _image(volume: Volume) -> Any:
    data: NDArray[Any] = volume.data
    if data.dtype.kind == "b":
        data = data.astype(np.uint8)
    elif data.dtype == np.float16:
        data = data.astype(np.float32)
    elif data.dtype.kind == "f" and data.dtype.itemsize > 8:
        data = data.astype(np.float64)
    if "c" in volume.axes:
        data = np.moveaxis(data, volume.axes.index("c"), -1)
    native = data.astype(data.dtype.newbyteorder("="), copy=False)
    image = _simpleitk().GetImageFromArray(np.ascontiguousarray(native), isVector="c" in volume.axes)
    size = image.GetDimension()
    spacing = volume.spacing_mm
    direction, origin = np.eye(size), np.zeros(size)
    direction[:3, :3] = (volume.affine[:3, :3] / spacing)[:, ::-1]
    origin[:3] = volume.affine[:3, 3]
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(origin.tolist())
    image.SetSpacing([*spacing[::-1], *[1.0] * (size - 3)])
    return image


def _reason(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        return "the disk is full"
    return (problem.strerror or "the place does not take the file").lower()
