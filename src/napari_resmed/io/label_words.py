"""Words behind an image's name that name its labels."""

from __future__ import annotations

import re

__all__ = ["without_label_word"]

# What programs and people add; Slicer writes "-label" and ".seg".
_WORDS = re.compile(r"[-_.](?:segmentation|seg|labels?|labelmap|mask|gt)$", re.IGNORECASE)


def without_label_word(name: str) -> str:
    """The case that a label file's name, without its ending, may mean: ``CASE`` for ``CASE_seg`` and ``CASE-label``."""
    return _WORDS.sub("", name) or name
