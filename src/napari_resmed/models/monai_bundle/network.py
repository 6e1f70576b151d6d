"""The network of a MONAI bundle, if it is one of those that are known here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from napari_resmed.errors import ModelError
from napari_resmed.models.monai_bundle.configuration import Component, Configuration
from napari_resmed.nets import NETWORKS

__all__ = ["BUNDLE_NETWORKS", "describe_network", "find_network"]

# By MONAI's names, of which some have several.
BUNDLE_NETWORKS: Mapping[str, str] = {
    **dict.fromkeys(("UNet", "Unet"), "UNet"),
    **dict.fromkeys(("DynUNet", "DynUnet", "Dynunet"), "DynUNet"),
    **dict.fromkeys(("BasicUNet", "BasicUnet", "Basicunet", "basicunet"), "BasicUNet"),
    **dict.fromkeys(("FlexibleUNet", "FlexUNet"), "FlexibleUNet"),
    **{name: name for name in ("SegResNet", "SegResNetDS", "AttentionUnet", "VNet", "HighResNet", "DiNTS")},
    **{name: name for name in ("UNETR", "SwinUNETR")},
}
# Arguments of older versions that say nothing the network does not find out itself, or only speed up its training.
_GONE = {"SwinUNETR": ("img_size",), "FlexibleUNet": ("pretrained",), "SegResNetDS": ("dsdepth",)}
_RENAMED = {"dimensions": "spatial_dims"}


def find_network(configuration: Configuration) -> Component:
    """The entry that describes the network.

    Raises
    ------
    ModelError
        If there is none, or it is an expression.
    """
    for name in ("network_def", "network", "net"):
        if name in configuration:
            found = configuration.get(name)
            if isinstance(found, Component):
                return found
            raise ModelError(f"{name} is {found!r}, expected a network with its _target_")
    raise ModelError("the configuration describes no network_def")


def describe_network(component: Component) -> tuple[str, dict[str, Any]]:
    """Name and arguments in :data:`napari_resmed.nets.NETWORKS`.

    Raises
    ------
    ModelError
        If it is none of these, or an argument is no plain value.
    """
    if component.name not in BUNDLE_NETWORKS:
        known = ", ".join(sorted(set(BUNDLE_NETWORKS.values())))
        raise ModelError(f"the network {component.target} is none that this program knows; it knows {known}")
    name = BUNDLE_NETWORKS[component.name]
    if name == "DiNTS":
        return name, _describe_dints(component)
    arguments = {
        _RENAMED.get(key, key): _plain(component, key) for key in component.given if key not in _GONE.get(name, ())
    }
    module, attribute = NETWORKS[name]
    parameters = inspect.signature(getattr(import_module(module), attribute)).parameters
    if unknown := sorted(arguments.keys() - parameters.keys()):
        raise ModelError(f"the network {name} is given {unknown[0]}, which MONAI's has not")
    for wanted in ("spatial_dims", "in_channels", "out_channels"):
        # What is left to MONAI's own version today should not change with the next.
        if (
            wanted not in arguments
            and wanted in parameters
            and parameters[wanted].default is not inspect.Parameter.empty
        ):
            arguments[wanted] = parameters[wanted].default
    return name, arguments


def _describe_dints(component: Component) -> dict[str, Any]:
    space = component.get("dints_space")
    if not isinstance(space, Component) or space.name != "TopologyInstance":
        raise ModelError("the network DiNTS has no TopologyInstance as its dints_space")
    paths = [np.asarray(code).astype(int).tolist() for code in space.get("arch_code") or ()]
    if len(paths) != 2:
        raise ModelError("the network DiNTS comes without the paths that were searched for (arch_code)")
    arguments = {key: _plain(component, key) for key in component.given - {"dints_space", "node_a"}}
    arguments["space"] = {key: _plain(space, key) for key in space.given - {"arch_code", "device", "cell"}}
    nodes = component.get("node_a")
    return {**arguments, "arch_code": paths, "node_a": None if nodes is None else np.asarray(nodes).tolist()}


def _plain(component: Component, name: str) -> Any:
    """An argument that a JSON file can hold."""
    return _checked(component.get(name), f"{component.target} is given {name}")


def _checked(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _checked(one, where) for key, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [_checked(one, where) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    said = value.target if isinstance(value, Component) else type(value).__name__
    raise ModelError(f"{where} as {said}, expected plain values")
