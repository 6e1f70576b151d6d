"""What kind of image a channel is, in DICOM's words."""

from __future__ import annotations

__all__ = ["dicom_word"]

_WORDS = {"MRI": "MR", "MR": "MR", "CT": "CT", "PET": "PT", "PT": "PT", "US": "US"}


def dicom_word(said: str) -> str:
    """DICOM's word for a usual name of a modality; any other name as it is."""
    return _WORDS.get(said.upper(), said)
