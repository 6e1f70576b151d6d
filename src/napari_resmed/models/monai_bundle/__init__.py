"""Models as MONAI bundles of other people, made into ours; nothing in them is ever run but their network."""

from __future__ import annotations

from napari_resmed.models.monai_bundle.bring_in import import_bundle
from napari_resmed.models.monai_bundle.find import is_bundle, open_bundle

__all__ = ["import_bundle", "is_bundle", "open_bundle"]
