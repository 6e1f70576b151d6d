"""What a classifier says of one image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_resmed.models.model import Model
from napari_resmed.nets.classifiers import BranchClassifier, SequenceClassifier
from napari_resmed.predict.belt import NotFiniteError
from napari_resmed.predict.machine import Machine

__all__ = ["as_batch", "class_attention", "class_probabilities"]


def class_probabilities(
    network: nn.Module, image: Tensor, model: Model, machine: Machine, mirrored: bool = False
) -> NDArray[np.float64]:
    """Calibrated probabilities of an image.

    Parameters
    ----------
    network:
        The model's.
    image:
        Prepared: float32 ``(c, [t,] z, y, x)``.
    model, machine:
        What, and where.
    mirrored:
        Average over mirrored passes along the axes the model was trained for.

    Returns
    -------
    NDArray
        ``(class,)``, summing to 1.

    Raises
    ------
    NotFiniteError
        If its scores are not finite.
    """
    axes = [axis - 3 for axis in model.mirror_axes] if mirrored else []
    ways = [image, *(image.flip(axis) for axis in axes)]
    with (
        torch.inference_mode(),
        torch.autocast(machine.device.type, machine.dtype, enabled=machine.precision != "fp32"),
    ):
        # On the CPU, for Apple's GPUs know no double precision.
        scores = [network(as_batch(way).to(machine.device)).cpu().double() for way in ways]
    shares = torch.stack([torch.softmax(score / model.temperature, 1) for score in scores]).mean(0)
    if not shares.isfinite().all():
        raise NotFiniteError(
            "the network answered with scores that are not finite, which say nothing of a class; choose the precision "
            "fp32, or get the model anew"
        )
    found: NDArray[np.float64] = shares[0].numpy()
    return found


def class_attention(network: nn.Module, image: Tensor, model: Model, machine: Machine) -> NDArray[np.float32] | None:
    """How much each slice (or frame), or each modality, counted: ``(count,)``, summing to 1.

    None for a network without attention. Parameters as of :func:`class_probabilities`.
    """
    if not isinstance(network, SequenceClassifier | BranchClassifier):
        return None
    with torch.inference_mode():
        _, weights = network.answer(as_batch(image).to(machine.device))
    found: NDArray[np.float32] = weights[0].float().cpu().numpy()
    return found


def as_batch(image: Tensor) -> Tensor:
    """A prepared image ``(c, [t,] z, y, x)`` as a network takes it: slices that are alone have no z."""
    return image.squeeze(-3)[None]
