"""How wide a dock begins: as wide as it has to fit."""

from __future__ import annotations

__all__ = ["DOCK_WIDTH"]

DOCK_WIDTH = 320
