"""Whether the training of a segmentation can start from a model."""

from __future__ import annotations

from napari_resmed.models.model import Model
from napari_resmed.nets.size import fits_one_size

__all__ = ["why_no_base"]


def why_no_base(model: Model) -> str:
    """Why it cannot, in one sentence; empty where it can."""
    if model.classifies:
        return f"{model.name} tells what an image is; a segmentation starts from a model that segments"
    if model.regions:
        return (
            f"{model.name} answers structures that overlap, and training knows one label a voxel; start from another "
            "model, or from none"
        )
    if fits_one_size(model.network, model.arguments):
        return (
            f"the network of {model.name} takes windows of one size, or single slices: it can segment, and training "
            "cannot go on from it; start from another model, or from none"
        )
    return ""
