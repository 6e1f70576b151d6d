"""Where to find a real image on a machine without internet."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from napari_resmed.errors import InputError

__all__ = ["mni152_template"]

_FILE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def mni152_template() -> Path:
    """The MNI152 T1 template that the ``nilearn`` package carries; nilearn itself is not imported.

    Raises
    ------
    InputError
        If nilearn is not installed.
    """
    found = find_spec("nilearn")
    place = Path(found.origin).parent / _FILE if found and found.origin else None
    if place is None or not place.is_file():
        raise InputError(
            "the sample image comes with the package nilearn, which is not installed; "
            'install it with: pip install "napari-resmed[all]"'
        )
    return place
