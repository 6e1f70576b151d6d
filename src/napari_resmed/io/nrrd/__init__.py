"""NRRD files, with their voxels inside or in a file beside."""

from __future__ import annotations

from napari_resmed.io.nrrd.read import SUFFIXES, open_nrrd

__all__ = ["SUFFIXES", "open_nrrd"]
