"""nnU-Net's plans and data set, as what our models say of images and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.labels import LabelSet
from napari_resmed.models.modality import dicom_word
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.prepare.preparation import STORED, Preparation

__all__ = ["describe_channels", "describe_labels", "describe_preparation", "find_configuration"]

_READERS = {
    **dict.fromkeys(("SimpleITKIO", "NibabelIO"), STORED),
    **dict.fromkeys(("SimpleITKIOWithReorient", "NibabelIOWithReorient"), "SAR"),
}
_KINDS = {
    "ZScoreNormalization": "zscore",
    "CTNormalization": "ct",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "unit",
    "RGBTo01Normalization": "byte",
}
_RESAMPLING = {
    "resampling_fn_data": ("resample_data_or_seg_to_shape", {"order": 3, "order_z": 0, "force_separate_z": None}),
    "resampling_fn_probabilities": (
        "resample_data_or_seg_to_shape",
        {"order": 1, "order_z": 0, "force_separate_z": None},
    ),
}


def find_configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration of ``plans.json`` with what it inherits.

    Raises
    ------
    ModelError
        If there is none of that name, it is a cascade's, or it is 2D.
    """
    every = plans["configurations"]
    found: dict[str, Any] = {}
    seen: list[str] = []
    wanted: str | None = name
    while wanted is not None:
        if wanted not in every or wanted in seen:
            raise ModelError(f"plans.json has no configuration {wanted}, expected one of {', '.join(every)}")
        seen.append(wanted)
        found = {**every[wanted], **found}
        wanted = every[wanted].get("inherits_from")
    if found.get("previous_stage"):
        raise ModelError(
            f"{name} is the second stage of a cascade and needs the labels that {found['previous_stage']} gives as "
            "further channels, which this program cannot hand on; import 3d_fullres or 3d_lowres"
        )
    if len(found["patch_size"]) != 3:
        raise ModelError(
            f"{name} is a 2D network, which sees slices one by one; this program's networks see volumes: import "
            "3d_fullres or 3d_lowres"
        )
    if found.get("preprocessor_name", "DefaultPreprocessor") != "DefaultPreprocessor":
        raise ModelError(f"images are prepared by {found['preprocessor_name']}, expected DefaultPreprocessor")
    return found


def describe_channels(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """What each input channel is; in DICOM's word where nnU-Net's is one of the usual."""
    names = dataset.get("channel_names") or dataset["modality"]
    return tuple(dicom_word(str(names[key])) for key in sorted(names, key=int))


def describe_labels(dataset: Mapping[str, Any]) -> tuple[LabelSet, tuple[int, ...]]:
    """The structures, and of regions the label value of each class of the network; the ignore label is none.

    Raises
    ------
    ModelError
        If the values have gaps, or regions no order.
    """
    entries = {name: value for name, value in dataset["labels"].items() if name != "ignore"}
    if any(isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 1 for value in entries.values()):
        names = [name for name, value in entries.items() if value not in (0, [0])]
        order = [int(value) for value in dataset.get("regions_class_order") or ()]
        if len(order) != len(names) or len(set(order)) != len(order):
            raise ModelError(
                f"dataset.json has {len(names)} regions and the regions_class_order {order}, expected a value of its "
                "own for each"
            )
        return _labels(zip(order, names, strict=True)), tuple(order)
    values = {int(value[0] if isinstance(value, Sequence) else value): name for name, value in entries.items()}
    if sorted(values) != list(range(len(entries))):
        raise ModelError(f"dataset.json has the label values {sorted(values)}, expected 0, 1, 2 and so on")
    return _labels((value, name) for value, name in values.items() if value), ()


def _labels(pairs: Any) -> LabelSet:
    return LabelSet.from_json([{"value": value, "name": str(name)} for value, name in pairs])


def describe_preparation(plans: Mapping[str, Any], configuration: Mapping[str, Any], channels: int) -> Preparation:
    """How nnU-Net makes an image ready.

    Raises
    ------
    ModelError
        If a reader, a resampling or a normalization is another than nnU-Net's own.
    """
    reader = str(plans.get("image_reader_writer", "SimpleITKIO"))
    if reader not in _READERS:
        raise ModelError(f"images are read by {reader}, expected one of {', '.join(_READERS)}")
    for name, (usual, options) in _RESAMPLING.items():
        found, chosen = configuration.get(name, usual), configuration.get(f"{name}_kwargs", {})
        if found != usual or any(chosen.get(key, value) != value for key, value in options.items()):
            raise ModelError(f"{name} is {found} with {dict(chosen)}, expected {usual} with {options}")
    z, y, x = (float(mm) for mm in configuration["spacing"])
    a, b, c = (int(axis) for axis in plans.get("transpose_forward", (0, 1, 2)))
    return Preparation(
        (z, y, x),
        orientation=_READERS[reader],
        axes=(a, b, c),
        crop_nonzero=True,
        interpolation="cubic",
        normalization=tuple(_normalization(plans, configuration, channel) for channel in range(channels)),
    )


def _normalization(plans: Mapping[str, Any], configuration: Mapping[str, Any], channel: int) -> Normalization:
    scheme = str(configuration["normalization_schemes"][channel])
    if scheme not in _KINDS:
        raise ModelError(f"channel {channel} is normalized by {scheme}, expected one of {', '.join(_KINDS)}")
    kind = _KINDS[scheme]
    if kind == "ct":
        every = plans.get("foreground_intensity_properties_per_channel") or plans.get(
            "foreground_intensity_properties_by_modality"
        )
        known = (every or {})[str(channel)]
        low, high = float(known["percentile_00_5"]), float(known["percentile_99_5"])
        return Normalization("ct", low=low, high=high, mean=float(known["mean"]), std=float(known["std"]))
    return Normalization(kind, masked=kind == "zscore" and bool(configuration["use_mask_for_norm"][channel]))
