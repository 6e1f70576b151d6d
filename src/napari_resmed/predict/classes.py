"""What a classifier says of one image, and where in the image it looked."""

from __future__ import annotations

import numpy as np
import torch
from monai.visualize.class_activation_maps import GradCAM
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_resmed.models.model import Model
from napari_resmed.nets.classifiers import BranchClassifier, SequenceClassifier
from napari_resmed.predict.machine import Machine

__all__ = ["class_attention", "class_heat", "class_probabilities"]


def class_probabilities(
    network: nn.Module, image: Tensor, model: Model, machine: Machine, mirrored: bool = False
) -> NDArray[np.float64]:
    """Calibrated probabilities of an image.

    Parameters
    ----------
    network:
        The model's.
    image:
        Prepared: float32 ``(c, z, y, x)``.
    model, machine:
        What, and where.
    mirrored:
        Average over mirrored passes along the axes the model was trained for.

    Returns
    -------
    NDArray
        ``(class,)``, summing to 1.
    """
    axes = [axis + 1 for axis in model.mirror_axes] if mirrored else []
    ways = [image, *(image.flip(axis) for axis in axes)]
    with (
        torch.inference_mode(),
        torch.autocast(machine.device.type, machine.dtype, enabled=machine.precision != "fp32"),
    ):
        scores = [network(_as_batch(way, model).to(machine.device)).double() for way in ways]
    shares = torch.stack([torch.softmax(score / model.temperature, 1) for score in scores]).mean(0)
    found: NDArray[np.float64] = shares[0].cpu().numpy()
    return found


def class_attention(network: nn.Module, image: Tensor, model: Model, machine: Machine) -> NDArray[np.float32] | None:
    """How much each slice (or frame), or each modality, counted: ``(count,)``, summing to 1.

    None for a network without attention. Parameters as of :func:`class_probabilities`.
    """
    if not isinstance(network, SequenceClassifier | BranchClassifier):
        return None
    with torch.inference_mode():
        _, weights = network.answer(_as_batch(image, model).to(machine.device))
    found: NDArray[np.float32] = weights[0].float().cpu().numpy()
    return found


def class_heat(
    network: nn.Module, image: Tensor, model: Model, number: int, attention: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], int]:
    """Where an image speaks for a class.

    Of a network that looks at slices one by one, how much each slice counted. Of any other, Grad-CAM of its backbone's
    features (Selvaraju et al., arXiv 1610.02391); where every modality has a branch, of that which counted most.

    Parameters
    ----------
    network:
        The model's.
    image:
        Prepared: float32 ``(c, z, y, x)``.
    model:
        Its description.
    number:
        Of the class.
    attention:
        From :func:`class_attention`.

    Returns
    -------
    heat
        float32 ``(z, y, x)`` of the prepared image, 0 where nothing speaks for the class, 1 where most does.
    channel
        Of the modality that it was found in; 0 where they are seen together.
    """
    channel = 0
    if attention is not None and isinstance(network, SequenceClassifier):
        heat = np.broadcast_to(attention[:, None, None], tuple(image.shape[1:])).copy()
    else:
        channel = 0 if attention is None else int(attention.argmax())
        heat = _gradient_heat(
            network, image, model, number, "backbone" if attention is None else f"backbones.{channel}"
        )
    most = float(heat.max())
    scaled: NDArray[np.float32] = (heat / most if most > 0 else heat).astype(np.float32)
    return scaled, channel


def _gradient_heat(network: nn.Module, image: Tensor, model: Model, number: int, layer: str) -> NDArray[np.float32]:
    device = next(network.parameters()).device
    learning = [weight.requires_grad for weight in network.parameters()]
    network.requires_grad_(True)  # MONAI's hooks hear of no gradient otherwise
    try:
        camera = GradCAM(network, layer, postprocessing=_as_it_is)
        found: Tensor = camera(_as_batch(image, model).to(device), class_idx=number)
    finally:
        for weight, learns in zip(network.parameters(), learning, strict=True):
            weight.requires_grad_(learns)
    heat: NDArray[np.float32] = found.detach().float().cpu().numpy()[0, 0]
    return heat[None] if heat.ndim == 2 else heat


def _as_batch(image: Tensor, model: Model) -> Tensor:
    flat = model.arguments.get("spatial_dims") == 2
    return (image[:, 0] if flat else image)[None]


def _as_it_is(found: Tensor) -> Tensor:
    return found
