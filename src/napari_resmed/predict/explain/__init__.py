"""Why a classifier says what it says: which places of an image, seen by which layer, speak for a class."""

from __future__ import annotations

__all__ = ["GRAD_CAM", "GRAD_CAM_PLUS", "LAYER_CAM", "METHODS", "OCCLUSION"]

LAYER_CAM, GRAD_CAM, GRAD_CAM_PLUS, OCCLUSION = "layer-cam", "grad-cam", "grad-cam++", "occlusion"
# The first is what is taken where nobody says how.
METHODS = (LAYER_CAM, GRAD_CAM, GRAD_CAM_PLUS, OCCLUSION)
