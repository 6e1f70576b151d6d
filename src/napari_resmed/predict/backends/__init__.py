"""Programs that run a network: torch always, faster ones where they are installed and prove to agree with it."""

from __future__ import annotations

from napari_resmed.predict.backends.choose import BACKENDS, Backend, choose_backend

__all__ = ["BACKENDS", "Backend", "choose_backend"]
