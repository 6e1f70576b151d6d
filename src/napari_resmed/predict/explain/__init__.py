"""Why a classifier says what it says: which places of an image, seen by which layer, speak for a class."""

from __future__ import annotations

__all__ = ["GRAD_CAM", "GRAD_CAM_PLUS", "METHODS", "OCCLUSION"]

GRAD_CAM, GRAD_CAM_PLUS, OCCLUSION = "grad-cam", "grad-cam++", "occlusion"
METHODS = (GRAD_CAM, GRAD_CAM_PLUS, OCCLUSION)
