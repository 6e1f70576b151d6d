"""What the header says, in a person's words."""

from __future__ import annotations

import warnings
from typing import Any

import pydicom

from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.values import text

__all__ = ["describe"]

# Our word, the tag, the unit.
_FACTS = (
    ("Protocol", "ProtocolName", ""),
    ("Body part", "BodyPartExamined", ""),
    ("Patient position", "PatientPosition", ""),
    ("Manufacturer", "Manufacturer", ""),
    ("Scanner", "ManufacturerModelName", ""),
    ("Software", "SoftwareVersions", ""),
    ("Field strength", "MagneticFieldStrength", "T"),
    ("Sequence", "SequenceName", ""),
    ("Scanning sequence", "ScanningSequence", ""),
    ("Repetition time", "RepetitionTime", "ms"),
    ("Echo time", "EchoTime", "ms"),
    ("Inversion time", "InversionTime", "ms"),
    ("Flip angle", "FlipAngle", "°"),
    ("Tube voltage", "KVP", "kV"),
    ("Tube current", "XRayTubeCurrent", "mA"),
    ("Exposure", "Exposure", "mAs"),
    ("Kernel", "ConvolutionKernel", ""),
    ("Gantry tilt", "GantryDetectorTilt", "°"),
    ("Contrast agent", "ContrastBolusAgent", ""),
    ("Radiopharmaceutical", "Radiopharmaceutical", ""),
    ("Decay correction", "DecayCorrection", ""),
    ("View", "ViewPosition", ""),
    ("Laterality", "ImageLaterality", ""),
    ("Slice thickness", "SliceThickness", "mm"),
    ("Units", "Units", ""),
    ("Rescale type", "RescaleType", ""),
    ("Window centre", "WindowCenter", ""),
    ("Window width", "WindowWidth", ""),
    ("Bits stored", "BitsStored", ""),
    ("Colours", "PhotometricInterpretation", ""),
    ("Image type", "ImageType", ""),
)
# These tell who, where and when (PS3.15 E.1): shown only to a person who asks.
_IDENTITY = (
    ("Patient's name", "PatientName", ""),
    ("Patient ID", "PatientID", ""),
    ("Birth date", "PatientBirthDate", ""),
    ("Sex", "PatientSex", ""),
    ("Age", "PatientAge", ""),
    ("Study date", "StudyDate", ""),
    ("Series date", "SeriesDate", ""),
    ("Accession number", "AccessionNumber", ""),
    ("Study", "StudyDescription", ""),
    ("Institution", "InstitutionName", ""),
    ("Referring physician", "ReferringPhysicianName", ""),
    ("Operator", "OperatorsName", ""),
    ("Study UID", "StudyInstanceUID", ""),
    ("Series UID", "SeriesInstanceUID", ""),
)
# Of one time; where they change from time to time, "Times" tells them.
_LISTED = {"EchoTime": "echo_times_ms", "InversionTime": "inversion_times_ms", "FlipAngle": "flip_angles_deg"}
# Longer texts are cut: a table cell is no place for them.
_MOST_LETTERS = 200


def describe(series: Series, identity: bool = False) -> dict[str, str]:
    """Facts of a series that a person wants to see, in order, each as ``{words: value with unit}``.

    Parameters
    ----------
    series:
        Any series, readable or not. Its first file is opened for its header; absent facts are left out, and
        a file that has become unreadable adds nothing.
    identity:
        Whether to tell who the patient is, where and when.
    """
    facts: dict[str, str] = {}
    if series.description:
        facts["Description"] = series.description
    if series.modality:
        facts["Modality"] = series.modality
    if series.shape:
        facts["Size"] = " × ".join(str(size) for size in series.shape) + f" ({', '.join(series.axes)})"
        facts["Spacing"] = " × ".join(f"{mm:.4g}" for mm in series.spacing_mm) + " mm (z, y, x)"
    if series.times:
        facts["Times"] = series.times
    facts["Files"] = str(len(series.files))
    header = _header(series)
    if header is None:
        return facts
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    wanted = (*_FACTS, *(_IDENTITY if identity else ()))
    for words, tag, unit in wanted:
        value = _value(header, tag)
        if value and _LISTED.get(tag, "") not in series.parameters:
            facts[words] = f"{value} {unit}".strip() if unit != "°" else f"{value}°"
    if syntax is not None:
        facts["Encoding"] = str(getattr(syntax, "name", syntax))
    return facts


def _header(series: Series) -> Any:
    if not series.files:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(
                series.files[0],
                stop_before_pixels=True,
                force=True,
                specific_tags=[tag for _, tag, _ in (*_FACTS, *_IDENTITY)] + ["SpecificCharacterSet"],
            )
    except Exception:  # pydicom meets a broken file with any of a dozen kinds; the list says what is wrong
        return None


def _value(header: Any, tag: str) -> str:
    try:
        value = text(header, tag).replace("\\", ", ")
    except Exception:  # a value that cannot be parsed is not shown
        return ""
    return value if len(value) <= _MOST_LETTERS else value[:_MOST_LETTERS] + "…"
