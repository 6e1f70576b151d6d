"""Models that nnU-Net v2 trained, made into ours (Isensee et al., Nature Methods 2021; arXiv 2404.09556)."""

from __future__ import annotations

from napari_resmed.models.nnunet.bring_in import import_nnunet

__all__ = ["import_nnunet"]
