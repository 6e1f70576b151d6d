"""Which program runs a model's network on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_resmed.errors import InputError
from napari_resmed.models.model import Model
from napari_resmed.nets.split import split
from napari_resmed.predict.answers import Network, TwoParts
from napari_resmed.predict.backends import openvino
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.predict.windows import Shape

__all__ = ["BACKENDS", "Backend", "choose_backend"]

BACKENDS = ("auto", "torch", "openvino")
# Windows from which converting a network, once for all, is worth the seconds that it takes.
WORTH_CONVERTING = 30


@dataclass(frozen=True, eq=False)
class Backend:
    """What answers windows.

    Parameters
    ----------
    name:
        ``"torch"`` or ``"openvino"``.
    network:
        Takes and gives tensors ``(batch, channels, z, y, x)``.
    note:
        What a person should know; why it is not the backend that was tried, for one.
    """

    name: str
    network: Network
    note: str = ""


def choose_backend(
    model: Model,
    machine: Machine,
    patch: Shape,
    windows: int,
    wish: str = "auto",
    member: int = 0,
    in_parts: bool = False,
) -> Backend:
    """Load a model's network into the fastest program that agrees with torch.

    Parameters
    ----------
    model, machine:
        What runs, and where.
    patch:
        Size of the windows ``(z, y, x)``.
    windows:
        How many there are: a few are not worth a conversion.
    wish:
        ``"auto"``, ``"torch"`` or ``"openvino"``.
    member:
        Which of a model's several networks.
    in_parts:
        Whether its last layer shall be a part of its own, where it can: the network is then a
        :class:`napari_resmed.predict.answers.TwoParts`.

    Raises
    ------
    InputError
        If the wish is unknown, or cannot be had on this machine.
    ModelError
        If the weights are damaged.
    """
    if wish not in BACKENDS:
        raise InputError(f"the backend is {wish!r}, expected {', '.join(BACKENDS)}")
    network = warm_network(model, machine, member)
    parts = split(network) if in_parts else None
    body, head = parts or (network, None)
    part = "body" if parts else ""

    def whole(answers: Network) -> Network:
        return answers if head is None else TwoParts(answers, head)

    plain = Backend("torch", whole(body))
    if wish == "torch":
        return plain
    there = openvino.is_installed() and machine.device.type == "cpu" and machine.precision in openvino.PRECISIONS
    if not there:
        if wish == "openvino":
            raise InputError(
                "OpenVINO cannot be had: it runs on the CPU, and needs `pip install openvino`; choose the backend torch"
            )
        return plain
    if wish == "auto" and windows < WORTH_CONVERTING and not openvino.is_converted(model, patch, member, part):
        return plain
    try:
        converted = openvino.convert(model, body, machine, patch, member, part)
    except Exception as problem:  # whatever a foreign compiler raises, torch can do it
        return Backend(
            "torch", plain.network, f"OpenVINO cannot run the network ({type(problem).__name__}); torch does"
        )
    if converted.disagrees:
        return replace(plain, note=f"OpenVINO disagrees with torch ({converted.disagrees}); torch runs it")
    if wish == "auto" and not converted.is_faster:
        return plain
    return Backend("openvino", whole(converted))
