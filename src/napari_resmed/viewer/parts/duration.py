"""Durations in words."""

from __future__ import annotations

__all__ = ["duration"]


def duration(seconds: float) -> str:
    """E.g. ``"8 s"``, ``"3 min 20 s"``, ``"2 h"``; never less than a second."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    large, small = (whole // 60, whole % 60) if whole < 3600 else (whole // 3600, whole % 3600 // 60)
    first, second = ("min", "s") if whole < 3600 else ("h", "min")
    return f"{large} {first} {small} {second}" if small else f"{large} {first}"
