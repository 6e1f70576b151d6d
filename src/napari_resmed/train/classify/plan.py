"""Everything training a classifier decides before it begins: readable, editable, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.models.model import CLASSIFICATION, Model
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.classify.batches import BALANCES
from napari_resmed.train.loop import CURVES, Schedule
from napari_resmed.train.rates import OPTIMISERS
from napari_resmed.train.written_plan import WrittenPlan

__all__ = ["ClassPlan"]

Shape = tuple[int, int, int]

_MAY_BE_ZERO = ("seed", "frames", "weight_decay", "label_smoothing", "focus", "frozen_share", "crop")
_SHARES = ("label_smoothing", "frozen_share", "layer_decay", "crop")


@dataclass(frozen=True)
class ClassPlan(WrittenPlan):
    """One training, decided.

    Parameters
    ----------
    name:
        Of the model that comes out.
    classes, channels:
        What it will answer, and what it will be given.
    network, arguments, preparation, patch, fit, frames:
        As in :class:`napari_resmed.models.model.Model`.
    batch:
        Images a step.
    augmentation:
        What is done to an image at random; its shift counts in voxels of the network's grid.
    crop:
        Largest share of every edge that is cut away at random, what is left being made as large as the whole.
    mirror_axes:
        Axes ``(0 z, 1 y, 2 x)`` along which an image is mirrored at random; none where nobody said that it may be.
    balance:
        What is done about classes of unequal size: ``"none"``, ``"sampling"`` (each is drawn as often), ``"weights"``
        (a rare one counts more), ``"focal"`` (what is answered well counts less).
    label_smoothing, focus:
        As in :func:`napari_resmed.train.classify.loss.class_loss`; ``focus`` counts where the balance is focal.
    optimiser, layer_decay, frozen_share:
        As in :func:`napari_resmed.train.rates.make_optimiser`.
    minutes, steps:
        How long: one of them is None.
    curve, learning_rate, weight_decay, check_every, patience:
        As in :class:`napari_resmed.train.loop.Schedule`.
    training, held_out:
        Names of the cases.
    left_out:
        Case and reason.
    unusual:
        Case and what is unusual about its image, compared with the others that can be used.
    search:
        Minutes that go into looking for better hyper-parameters first; None for none, and once they were found.
    device, precision:
        As chosen: ``"auto"`` is decided when it runs.
    devices:
        Processes that share each batch.
    seed:
        Of every random choice.
    base:
        Name of the model or file it starts from; empty for none.
    reasons:
        Why each thing was decided so.
    """

    name: str
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    network: str
    arguments: Mapping[str, Any]
    preparation: Preparation
    patch: Shape
    fit: str
    batch: int
    training: tuple[str, ...]
    held_out: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    unusual: tuple[tuple[str, str], ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    crop: float = 0.0
    mirror_axes: tuple[int, ...] = ()
    balance: str = "none"
    label_smoothing: float = 0.0
    focus: float = 2.0
    optimiser: str = "adamw"
    layer_decay: float = 1.0
    frozen_share: float = 0.0
    minutes: float | None = None
    steps: int | None = None
    search: float | None = None
    curve: str = "cosine"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    check_every: int = 100
    patience: float = 0.4
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    seed: int = 0
    base: str = ""
    frames: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)

    _OF_CASES: ClassVar[tuple[str, ...]] = (*WrittenPlan._OF_CASES, "unusual")
    _SEEN: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        self._check_common(
            ("batch", "steps", "check_every", "devices", "seed", "frames"),
            ("minutes", "search", "learning_rate", "weight_decay", "patience", "focus", *_SHARES),
            _MAY_BE_ZERO,
        )
        for name in _SHARES:
            if getattr(self, name) > 1:
                raise InputError(f"the plan's {name} is {getattr(self, name)}, expected 0 to 1")
        for name, known in (("balance", BALANCES), ("optimiser", OPTIMISERS), ("curve", CURVES)):
            if getattr(self, name) not in known:
                raise InputError(f"the plan's {name} is {getattr(self, name)!r}, expected {', '.join(known)}")
        if not self.held_out:
            raise InputError("the plan holds no case out; at least one patient of each class tells how good it is")
        self.model()  # refuses classes and channels that are not the network's

    @property
    def flat(self) -> bool:
        """Whether images, or the frames of series, are single slices."""
        return self.patch[0] == 1

    @property
    def a_step(self) -> str:
        """What a step sees, in words."""
        return f"{self.batch} image{'s' if self.batch > 1 else ''}"

    def schedule(self, seconds: float | None) -> Schedule:
        """The loop's schedule; ``seconds`` is what is left of the minutes."""
        return replace(super().schedule(seconds), curve=self.curve)

    def model(self, **facts: Any) -> Model:
        """The model this plan describes; ``facts`` are further fields of it."""
        return self._model(
            labels=LabelSet(), task=CLASSIFICATION, classes=self.classes, fit=self.fit, frames=self.frames, **facts
        )
