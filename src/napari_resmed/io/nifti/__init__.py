"""NIfTI files to volumes and back, exactly.

NIfTI stores x first and points to Right, Anterior, Superior; in this folder that is turned into the house's
``(z, y, x)`` and LPS.
"""

from __future__ import annotations

from napari_resmed.io.nifti.read import is_nifti, peek_nifti, read_nifti
from napari_resmed.io.nifti.write import write_nifti

__all__ = ["is_nifti", "peek_nifti", "read_nifti", "write_nifti"]
