"""Data on disk that a model is trained on: one layout a file."""

from __future__ import annotations

from napari_resmed.io.datasets.load import ChannelsError, GridError, load_case, load_image, load_labels
from napari_resmed.io.datasets.recognise import read_dataset

__all__ = ["ChannelsError", "GridError", "load_case", "load_image", "load_labels", "read_dataset"]
