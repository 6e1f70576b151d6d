"""Everything training decides before it begins: readable, editable, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.patches import Sampling
from napari_resmed.train.rates import OPTIMISERS
from napari_resmed.train.written_plan import WrittenPlan

__all__ = ["AS_ASKED", "Plan"]

Shape = tuple[int, int, int]

# The reason for what a person decided.
AS_ASKED = "as asked for"

_MAY_BE_ZERO = ("seed", "weight_decay", "structure_share", "synthetic")


@dataclass(frozen=True)
class Plan(WrittenPlan):
    """One training, decided.

    Parameters
    ----------
    name:
        Of the model that comes out.
    labels, channels:
        Structures it will answer, and what it will be given.
    network, arguments, background_classes:
        As in :class:`napari_resmed.models.model.Model`.
    preparation:
        Spacing and intensities.
    patch, batch, structure_share:
        As in :class:`napari_resmed.train.patches.Sampling`.
    synthetic:
        Share of the patches whose images are painted from the labels; see :mod:`napari_resmed.train.painting`.
    augmentation:
        What is done to a patch at random, unless it is painted.
    mirror_axes:
        Axes along which a mirrored image gives the mirrored answer; empty where left and right are labelled.
    mirror_pairs:
        Values of labels that are each other's mirror image, exchanged in a patch that is mirrored along x, and in what
        the model answers to a mirrored window.
    cleanup:
        What the model does to a label after the network has answered, by its value; held-out figures are
        with it, where all of an image is known.
    minutes, steps:
        How long: one of them is None.
    optimiser:
        One of :data:`napari_resmed.train.rates.OPTIMISERS`.
    learning_rate, weight_decay, check_every, patience:
        As in :class:`napari_resmed.train.loop.Schedule`.
    training, held_out:
        Names of the cases. Nothing held out: a block of each is.
    left_out:
        Case and reason.
    memory_mb:
        How much of the prepared data may be in memory.
    device, precision:
        As chosen: ``"auto"`` is decided when it runs.
    devices:
        Processes that share each batch.
    seed:
        Of every random choice.
    base:
        Name of the model it starts from; empty for none.
    reasons:
        Why each thing was decided so.
    """

    name: str
    labels: LabelSet
    channels: tuple[str, ...]
    network: str
    arguments: Mapping[str, Any]
    preparation: Preparation
    patch: Shape
    batch: int
    training: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    background_classes: int = 1
    structure_share: float = 0.67
    synthetic: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    mirror_axes: tuple[int, ...] = ()
    mirror_pairs: tuple[tuple[int, int], ...] = ()
    cleanup: Mapping[int, Cleanup] = field(default_factory=dict)
    minutes: float | None = None
    steps: int | None = None
    optimiser: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    check_every: int = 100
    patience: float = 0.4
    memory_mb: float = 2048
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    seed: int = 0
    base: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_common(
            ("batch", "steps", "check_every", "devices", "background_classes", "seed"),
            ("minutes", "learning_rate", "weight_decay", "patience", "memory_mb", "structure_share", "synthetic"),
            _MAY_BE_ZERO,
        )
        for name in ("structure_share", "synthetic"):
            if getattr(self, name) > 1:
                raise InputError(f"the plan's {name} is {getattr(self, name)}, expected 0 to 1")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"the plan's optimiser is {self.optimiser!r}, expected {', '.join(OPTIMISERS)}")
        paired = [value for pair in self.mirror_pairs for value in pair]
        if len(set(paired)) < len(paired) or not set(paired) <= set(self.labels.values):
            raise InputError(
                f"the plan's mirror_pairs are {[list(pair) for pair in self.mirror_pairs]}, expected pairs of the "
                "labels' values, each value once"
            )
        if self.augmentation.deformation.mirror and 2 not in self.mirror_axes and not paired:
            raise InputError(
                "the plan mirrors patches along x though its mirror_axes leave that out and no labels are named in "
                "mirror_pairs; set mirror to false under deformation in its augmentation too"
            )
        multiples = edge_multiples(self.network, self.arguments)
        if min(self.patch) < 1 or any(size % multiple for size, multiple in zip(self.patch, multiples, strict=True)):
            raise InputError(
                f"the plan's patch is {list(self.patch)}, expected multiples of {', '.join(map(str, multiples))}, by "
                "which its network makes it coarser"
            )
        self.model()  # refuses labels and channels that are not the network's

    @property
    def sampling(self) -> Sampling:
        """Where patches are taken."""
        number = {value: place for place, value in enumerate(self.labels.values, 1)}
        pairs = tuple((number[one], number[other]) for one, other in self.mirror_pairs)
        return Sampling(
            self.patch, self.preparation.spacing_mm, self.batch, self.structure_share, pairs, self.synthetic
        )

    @property
    def a_step(self) -> str:
        """What a step sees, in words."""
        size = "×".join(str(edge) for edge in self.patch)
        return f"{self.batch} {'patches' if self.batch > 1 else 'patch'} of {size} voxels"

    def model(self, **facts: Any) -> Model:
        """The model this plan describes; ``facts`` are further fields of it."""
        sides = {}
        if self.mirror_pairs and self.augmentation.deformation.mirror:
            sides = {"mirror_axes": (*self.mirror_axes, 2), "mirror_pairs": self.mirror_pairs}
        ours = {"labels": self.labels, "background_classes": self.background_classes, "cleanup": dict(self.cleanup)}
        return self._model(**ours, **sides, **facts)
