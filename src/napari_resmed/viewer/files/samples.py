"""Images to try the plugin on."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.viewer.layers import LayerData

__all__ = ["mni152"]


def mni152() -> list[LayerData]:
    """The MNI152 T1 template (ICBM 2009a, skull-stripped, 1 mm) that the nilearn package carries."""
    from napari.utils.notifications import show_error

    from napari_resmed.errors import ResMedError
    from napari_resmed.io.samples import mni152_template
    from napari_resmed.viewer.files.readers import read_layers

    try:
        path: Path = mni152_template()
    except ResMedError as problem:
        show_error(str(problem))
        return []
    return read_layers(str(path))  # type: ignore[return-value]
