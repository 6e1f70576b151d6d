"""Which image a segmentation or structure set belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.values import text

__all__ = ["Reference", "reference_of"]


@dataclass(frozen=True)
class Reference:
    """What an object says of the images that it was made from.

    Parameters
    ----------
    series, images:
        SeriesInstanceUIDs and SOPInstanceUIDs.
    frames:
        FrameOfReferenceUIDs: in which patient coordinates it is drawn.
    """

    series: frozenset[str]
    images: frozenset[str]
    frames: frozenset[str]

    def rank(self, image: Series) -> int | None:
        """How sure it is that an image is meant: 0 it is named, 1 it shares the coordinates; None it is not."""
        if image.kind != "image" or not image.slices:
            return None
        first = image.slices[0]
        if first.series_uid in self.series or any(one.uid in self.images for one in image.slices):
            return 0
        return 1 if first.frame_of_reference and first.frame_of_reference in self.frames else None

    def candidates(self, images: Sequence[Series]) -> list[Series]:
        """The images that may be meant and can be read, the surest first."""
        ranked = [(rank, image) for image in images if not image.problem and (rank := self.rank(image)) is not None]
        return [image for _, image in sorted(ranked, key=lambda pair: pair[0])]

    def why_none(self, images: Sequence[Series]) -> str:
        """Why there is no candidate."""
        broken = any(self.rank(image) is not None for image in images)
        return f"the image that it refers to {'forms no regular volume' if broken else 'is not in its folder'}"


def reference_of(header: Any) -> Reference:
    """Collect all that an object refers to, wherever in its header it does."""
    found = list(_references(header, _PATHS))
    if not any(tag in ("SeriesInstanceUID", "ReferencedSOPInstanceUID") for tag, _ in found):
        # Every frame says so too, but there may be thousands.
        found += _references(header, _FRAME_PATHS)
    return Reference(
        frozenset(uid for tag, uid in found if tag == "SeriesInstanceUID"),
        frozenset(uid for tag, uid in found if tag == "ReferencedSOPInstanceUID"),
        frozenset(uid for tag, uid in found if "FrameOfReferenceUID" in tag),
    )


# Sequences on the way to a reference: those that a segmentation makes in common, and those of a structure set and
# its contours; then those of a segmentation's frames.
_PATHS = (
    "ReferencedSeriesSequence",
    "ReferencedInstanceSequence",
    "SourceImageSequence",
    "ReferencedFrameOfReferenceSequence",
    "RTReferencedStudySequence",
    "RTReferencedSeriesSequence",
    "ContourImageSequence",
    "StructureSetROISequence",
    "ROIContourSequence",
    "ContourSequence",
)
_FRAME_PATHS = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DerivationImageSequence",
    "SourceImageSequence",
)
_TAGS = ("SeriesInstanceUID", "ReferencedSOPInstanceUID", "FrameOfReferenceUID", "ReferencedFrameOfReferenceUID")


def _references(item: Any, paths: Sequence[str], top: bool = True) -> Iterator[tuple[str, str]]:
    for tag in _TAGS:
        # The object's own series is not one that it refers to.
        if (uid := text(item, tag)) and not (top and tag == "SeriesInstanceUID"):
            yield tag, uid
    for name in paths:
        for below in item.get(name) or ():
            yield from _references(below, paths, top=False)
