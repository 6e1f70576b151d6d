"""Names and colours of labels inside a NIfTI header.

The extension is Connectome Workbench's label table (NIfTI extension code 30, "caret"), the same XML that
TotalSegmentator writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import nibabel as nib

from napari_resmed.labels import Label, LabelSet

__all__ = ["extension", "read"]

_CARET = 30
# Control characters that no XML text may hold (XML 1.0, section 2.2): one of them would cost the whole table.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read(extensions: Iterable[Any]) -> tuple[Label, ...]:
    """The labels that a header's extensions name; empty where there are none or they are unreadable."""
    for entry in extensions:
        # `get_content` refuses codes that nibabel has no class for; older versions have nothing else.
        content = entry.content if hasattr(entry, "content") else entry.get_content()
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        text = text.strip("\0 \n\r\t")
        # No entity definitions from files: they are how a small XML text becomes a large one.
        if "<CaretExtension" not in text or "<!DOCTYPE" in text or "<!ENTITY" in text:
            continue
        try:
            root = ElementTree.fromstring(text)
            return tuple(_labels(root))
        except (ElementTree.ParseError, ValueError, TypeError):
            continue
    return ()


def _labels(root: ElementTree.Element) -> Iterable[Label]:
    seen: set[int] = set()
    for node in root.iter("Label"):
        value = int(node.get("Key", "0"))
        if value < 1 or value in seen:
            continue
        seen.add(value)
        red, green, blue = (
            min(255, max(0, round(float(node.get(part, "0.5")) * 255))) for part in ("Red", "Green", "Blue")
        )
        yield Label(value, (node.text or "").strip() or f"label {value}", (red, green, blue))


def extension(labels: LabelSet) -> Any:
    """A NIfTI header extension that names the labels."""
    root = ElementTree.Element("CaretExtension")
    information = ElementTree.SubElement(root, "VolumeInformation", Index="0")
    table = ElementTree.SubElement(information, "LabelTable")
    for label in labels:
        parts = {part: f"{value / 255:.6f}" for part, value in zip(("Red", "Green", "Blue"), label.colour, strict=True)}
        node = ElementTree.SubElement(table, "Label", {"Key": str(label.value), **parts, "Alpha": "1.0"})
        node.text = _NOT_XML.sub("", label.name)
    ElementTree.SubElement(information, "StudyMetaDataLinkSet")
    ElementTree.SubElement(information, "VolumeType").text = "Label"
    text = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return nib.nifti1.Nifti1Extension(_CARET, text)
