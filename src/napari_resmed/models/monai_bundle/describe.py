"""A bundle's configuration and metadata as one of our models, without its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.labels import LabelSet
from napari_resmed.models.modality import dicom_word
from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle.configuration import Component, Configuration
from napari_resmed.models.monai_bundle.find import Bundle
from napari_resmed.models.monai_bundle.network import describe_network, find_network
from napari_resmed.models.monai_bundle.postprocessing import Answer, describe_answer
from napari_resmed.models.monai_bundle.preprocessing import Axes, describe_preparation
from napari_resmed.models.monai_bundle.weights import loader_within
from napari_resmed.models.monai_bundle.windows import BundleWindows, describe_windows
from napari_resmed.models.torchscript import TORCHSCRIPT
from napari_resmed.prepare.preparation import Preparation

__all__ = ["describe_bundle"]

# What a bundle's metadata says of a model whose answer is a segmentation.
_FORMATS = ("segmentation", "labels")


def describe_bundle(bundle: Bundle, name: str, *, scripted: bool = False) -> Model:
    """The model that a bundle describes.

    Parameters
    ----------
    bundle:
        As read.
    name:
        What the model will be called.
    scripted:
        Whether the network comes as TorchScript, so that its description is not needed.

    Raises
    ------
    ModelError
        If something in it has no equal here, or would have to be run; it is named.
    """
    formats = bundle.metadata.get("network_data_format")
    if not isinstance(formats, Mapping):
        task = bundle.metadata.get("task", "unsaid")
        raise ModelError(f"metadata.json has no network_data_format and its task is {task!r}; expected a segmentation")
    image, answer = _only(formats.get("inputs"), "image"), _only(formats.get("outputs"), "pred")
    _check_task(answer)
    functions: dict[str, Callable[..., Any]] = {
        "torch.load": loader_within(bundle.folder),
        "torch.device": str,
        "torch.from_numpy": _as_it_is,
    }
    configuration = Configuration(bundle.inference, functions)
    windows = describe_windows(configuration)
    classes, channels = _count(answer, "answers"), _count(image, "takes")
    if scripted:
        network, arguments = TORCHSCRIPT, {"in_channels": channels, "out_channels": classes}
    else:
        network, arguments = describe_network(find_network(configuration))
        classes = int(arguments.get("out_channels", arguments.get("num_classes", classes)))
        channels = int(arguments.get("in_channels", channels))
    order = _order(windows, arguments)
    preparation = describe_preparation(_transforms(configuration, "preprocessing"), order)
    voxel = None if preparation.own_spacing or preparation.size else _product(preparation.spacing_mm)
    names = answer.get("channel_def") or {}
    meaning = describe_answer(_transforms(configuration, "postprocessing"), classes, names, voxel)
    return _model(
        bundle,
        name,
        network,
        arguments,
        preparation,
        _patch(windows, order, preparation),
        meaning,
        windows,
        _channels(image, channels),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _only(entries: Any, usual: str) -> Mapping[str, Any]:
    if not isinstance(entries, Mapping) or not entries:
        raise ModelError("metadata.json does not say what the network takes and answers (network_data_format)")
    if usual not in entries and len(entries) > 1:
        raise ModelError(f"the network takes or answers {', '.join(entries)}, expected one {usual}")
    found = entries[usual] if usual in entries else next(iter(entries.values()))
    if not isinstance(found, Mapping):
        raise ModelError(f"metadata.json says {found!r} of {usual}, expected its channels")
    return found


def _check_task(answer: Mapping[str, Any]) -> None:
    said = str(answer.get("format", answer.get("type", "")))
    if said.lower() not in _FORMATS:
        raise ModelError(f"the network answers {said or 'something unsaid'}, expected a segmentation")


def _count(entry: Mapping[str, Any], does: str) -> int:
    number = entry.get("num_channels")
    if not isinstance(number, int) or number < 1:
        raise ModelError(f"metadata.json says that the network {does} {number!r} channels, expected a number")
    return number


def _order(windows: BundleWindows, arguments: Mapping[str, Any]) -> Axes:
    """For each axis of our grid which of MONAI's it is: of slices, that along which they are taken comes first."""
    flat = arguments.get("spatial_dims") == 2
    if not flat:
        if windows.along is not None or len(windows.size) == 2:
            raise ModelError("the inferer takes slices, but the network is 3D")
        return 0, 1, 2
    if len(windows.size) == 3:
        raise ModelError("the inferer takes volumes, but the network is 2D")
    along = 2 if windows.along is None else windows.along
    if along not in (0, 1, 2):
        raise ModelError(f"the inferer takes slices along the axis {along}, expected 0, 1 or 2")
    a, b = (axis for axis in (0, 1, 2) if axis != along)
    return along, a, b


def _patch(windows: BundleWindows, order: Axes, preparation: Preparation) -> tuple[int, int, int]:
    size = windows.size
    if not size:
        # The whole image is one window, if it always has the same size.
        if not preparation.size or sum(edge == 0 for edge in preparation.size) > (order != (0, 1, 2)):
            raise ModelError("the network sees the whole image at once, whatever its size; expected windows")
        a, b, c = (edge or 1 for edge in preparation.size)
        return a, b, c
    if len(size) == 2:
        return 1, size[0], size[1]
    return size[0], size[1], size[2]


def _transforms(configuration: Configuration, name: str) -> Sequence[Any]:
    if name not in configuration:
        return []
    found = configuration.get(name)
    if isinstance(found, Component):
        if found.name != "Compose":
            return [found]
        found = found.get("transforms", [])
    if not isinstance(found, list | tuple):
        raise ModelError(f"the {name} is {found!r}, expected a list of transforms")
    return found


def _channels(image: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """What the input channels are: of one its modality, of several what they are called."""
    names = image.get("channel_def") or {}
    modality = dicom_word(str(image.get("modality") or "image"))
    if count == 1:
        return (modality,)
    return tuple(str(names.get(str(number)) or f"{modality} {number}") for number in range(count))


def _product(edges: Sequence[float]) -> float:
    a, b, c = edges
    return a * b * c


def _model(
    bundle: Bundle,
    name: str,
    network: str,
    arguments: Mapping[str, Any],
    preparation: Preparation,
    patch: tuple[int, int, int],
    meaning: Answer,
    windows: BundleWindows,
    channels: tuple[str, ...],
) -> Model:
    labels: LabelSet = meaning.labels
    return Model(
        name=name,
        network=network,
        arguments=arguments,
        preparation=preparation,
        patch=patch,
        labels=labels,
        channels=channels,
        version=str(bundle.metadata.get("version", "unknown")),
        description=" ".join(str(bundle.metadata.get("description", "")).split()),
        training={
            "imported_from": "MONAI bundle",
            "bundle": str(bundle.metadata.get("name", bundle.called)),
            "version": str(bundle.metadata.get("version", "")),
        },
        regions=meaning.regions,
        region_order=meaning.region_order,
        cleanup=meaning.cleanup,
        overlap=windows.overlap,
    )
