"""Data on disk in which each image has a class: one layout a file."""

from __future__ import annotations

from napari_resmed.io.datasets.classes.load import load_channels
from napari_resmed.io.datasets.classes.recognise import dataset_of_classes, read_classes

__all__ = ["dataset_of_classes", "load_channels", "read_classes"]
