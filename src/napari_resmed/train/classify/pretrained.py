"""MONAI's own pretrained networks: fetched by MONAI, and only where a person said that it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.train.classify.monais import DENSENETS, EFFICIENTNETS, MEDICALNET, PREFIX, PRETRAINED
from napari_resmed.train.classify.recognise import recognise

__all__ = ["fetch_weights"]


def fetch_weights(base: str, allowed: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights by name, and the arguments of the network they are of.

    Parameters
    ----------
    base:
        ``"monai:"`` and one of :data:`napari_resmed.train.classify.monais.PRETRAINED`.
    allowed:
        Whether a person said that they may be fetched from the network.

    Raises
    ------
    InputError
        If the name is unknown, or nobody said so.
    ModelError
        If a package is missing that MONAI needs for it.
    WorkError
        If they cannot be fetched.
    """
    name = base.removeprefix(PREFIX)
    if name not in PRETRAINED:
        raise InputError(f"found {base!r}, expected {PREFIX} and one of {', '.join(PRETRAINED)}")
    if not allowed:
        raise InputError(
            f"the weights of {base} would be fetched from the internet; allow it with --download, or give a file"
        )
    try:
        weights = dict(_makers()[name]().state_dict())
    except ImportError as problem:  # MONAI's OptionalImportError among them
        raise ModelError(f"{base} needs a package that is not installed: {problem}") from problem
    except Exception as problem:  # whatever the libraries below raise where there is no way to the internet
        said = " ".join(str(problem).split())
        raise WorkError(f"the weights of {base} could not be fetched: {said or type(problem).__name__}") from problem
    known = recognise(weights) or {"spatial_dims": 2, "backbone": name, "backbone_arguments": {}}
    return weights, {key: known[key] for key in ("spatial_dims", "backbone", "backbone_arguments")}


def _makers() -> dict[str, Callable[[], nn.Module]]:
    """Each of MONAI's with its own switch on."""
    from monai.networks import nets
    from monai.networks.nets.resnet import get_medicalnet_pretrained_resnet_args

    def resnet(name: str) -> nn.Module:
        bias, shortcut = get_medicalnet_pretrained_resnet_args(int(name.removeprefix("resnet")))
        made: nn.Module = getattr(nets, name)(
            pretrained=True,
            spatial_dims=3,
            n_input_channels=1,
            feed_forward=False,
            bias_downsample=bool(bias),
            shortcut_type=shortcut,
        )
        return made

    def densenet(name: str) -> nn.Module:
        made: nn.Module = getattr(nets, DENSENETS[name])(2, 3, 1000, pretrained=True, progress=False)
        return made

    def efficientnet(name: str) -> nn.Module:
        made: nn.Module = nets.EfficientNetBN(name, pretrained=True, progress=False, spatial_dims=2, in_channels=3)
        return made

    return {
        **{name: lambda name=name: resnet(name) for name in MEDICALNET},  # type: ignore[misc]
        **{name: lambda name=name: densenet(name) for name in DENSENETS},  # type: ignore[misc]
        **{name: lambda name=name: efficientnet(name) for name in EFFICIENTNETS},  # type: ignore[misc]
    }
