"""Tell what images as a whole are."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Progress, Started
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.classes import load_channels
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.predict.classes import class_attention, class_heat, class_probabilities
from napari_resmed.predict.machine import Machine, choose_machine, is_out_of_memory
from napari_resmed.predict.warm import warm_network
from napari_resmed.prepare.fixed_size import restore_fixed
from napari_resmed.review.quality import Usual, look_at_image
from napari_resmed.train.classify.images import prepared_image
from napari_resmed.volume import Volume

__all__ = ["Classification", "Classified", "classify"]


@dataclass(frozen=True, eq=False)
class Classified:
    """What was said of one image.

    Parameters
    ----------
    path:
        The file, or the volume's name.
    predicted:
        The class; empty where the image could not be used.
    probabilities:
        By class.
    quality:
        ``"good"``, or what is unusual about the image; or why it could not be used.
    heat:
        Where it speaks for the predicted class, ``zyx`` in the image's geometry; None where that was not asked for.
    counted:
        How much each modality, by name, or each slice of the network's grid, by number, counted; empty for a network
        that sees all together.
    """

    path: str
    predicted: str
    probabilities: dict[str, float]
    quality: str
    heat: Volume | None = None
    counted: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it could not be used."""
        return not self.predicted


@dataclass(frozen=True)
class Classification:
    """What was said of all.

    Parameters
    ----------
    model, classes:
        Who said it, and between what it chose.
    images:
        One each, in the order given.
    seconds:
        All in all.
    """

    model: str
    classes: tuple[str, ...]
    images: tuple[Classified, ...]
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """A table: ``path, predicted, p_<class>..., quality``."""
        return [
            {
                "path": image.path,
                "predicted": image.predicted,
                **{f"p_{name}": _rounded(image.probabilities.get(name)) for name in self.classes},
                "quality": image.quality,
            }
            for image in self.images
        ]


def classify(
    images: Sequence[Path | str | Volume | Case],
    model: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    tta: bool = False,
    explain: bool = False,
) -> Generator[Event, None, Classification]:
    """Classify images, one by one.

    Parameters
    ----------
    images:
        Files, folders of DICOM files, images of archives, or volumes; cases, where an image is several files.
    model:
        A name from the catalogue, or a model folder.
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    tta:
        Average over mirrored passes, where the model was trained for it.
    explain:
        Whether to tell where each image speaks for its class.

    Raises
    ------
    InputError
        If a parameter cannot be used. An image that cannot is told in :attr:`Classified.quality`.
    ModelError
        If the model is unknown, damaged, or does not classify.
    WorkError
        If memory runs out.
    """
    begin = time.perf_counter()
    known = find_model(model)
    if not known.classifies:
        raise ModelError(f"the model {known.name} tells where something is, not what an image is; segment with it")
    yield Started(f"Classifying {len(images)} image{'s' if len(images) != 1 else ''}")
    machine = choose_machine(device, precision)
    network = warm_network(known, machine)
    found: list[Classified] = []
    try:
        for number, source in enumerate(images):
            done = number / len(images)
            spent = time.perf_counter() - begin
            yield Progress("Classifying", done, spent * (1 - done) / done if done else None)
            found.append(_one(source, number, known, network, machine, tta, explain))
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise WorkError(f"out of memory on {machine.device}; close other programs, or use the CPU") from problem
    finally:
        forget_archives()
    return Classification(known.name, known.classes, tuple(found), round(time.perf_counter() - begin, 3))


def _one(
    source: Path | str | Volume | Case,
    number: int,
    model: Model,
    network: torch.nn.Module,
    machine: Machine,
    tta: bool,
    explain: bool,
) -> Classified:
    case = source if isinstance(source, Case) else _alone(source, number)
    name = str(case.images[0]) if isinstance(case.images[0], Path) else case.name
    try:
        channels = load_channels(case, Dataset((case,), channels=model.channels))
        image = prepared_image(channels, model.preparation, model.patch, model.fit)
    except InputError as problem:
        return Classified(name, "", {}, f"not usable: {problem}")
    shares = class_probabilities(network, image, model, machine, tta)
    best = int(shares.argmax())
    attention = class_attention(network, image, model, machine)
    heat = None
    if explain:
        of_patch, channel = class_heat(network, image, model, best, attention)
        seen = channels[channel] or next(one for one in channels if one is not None)
        restored = restore_fixed(of_patch, seen, model.preparation, model.fit)
        heat = Volume(restored, seen.affine, "zyx", name=f"{name} {model.classes[best]}")
    return Classified(
        name,
        model.classes[best],
        dict(zip(model.classes, shares.tolist(), strict=True)),
        Usual.from_json(model.training.get("quality")).judge(look_at_image(image.numpy(), channels)),
        heat,
        {} if attention is None else _counted(model, attention.tolist()),
    )


def _counted(model: Model, attention: Sequence[float]) -> dict[str, float]:
    names = model.channels if model.network == "BranchClassifier" else map(str, range(len(attention)))
    return {name: round(share, 6) for name, share in zip(names, attention, strict=True)}


def _alone(source: Path | str | Volume, number: int) -> Case:
    if isinstance(source, Volume):
        return Case(source.name or f"image {number + 1}", (source,))
    return Case(str(source), (Path(source),))


def _rounded(share: float | None) -> float | str:
    return "" if share is None else round(share, 6)
