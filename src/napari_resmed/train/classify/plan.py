"""Everything training a classifier decides before it begins: readable, editable, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.labels import LabelSet
from napari_resmed.models.model import CLASSIFICATION, Model
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.classify.batches import BALANCES
from napari_resmed.train.classify.rates import OPTIMISERS
from napari_resmed.train.loop import CURVES, Schedule
from napari_resmed.train.written_plan import WrittenPlan

__all__ = ["ClassPlan"]

Shape = tuple[int, int, int]

_MAY_BE_ZERO = ("seed", "weight_decay", "label_smoothing", "focus", "frozen_share")
_SHARES = ("label_smoothing", "frozen_share", "layer_decay")


@dataclass(frozen=True)
class ClassPlan(WrittenPlan):
    """One training, decided.

    Parameters
    ----------
    name:
        Of the model that comes out.
    classes, channels:
        What it will answer, and what it will be given.
    network, arguments, preparation, patch, fit:
        As in :class:`napari_resmed.models.model.Model`.
    batch:
        Images a step.
    augmentation:
        What is done to an image at random; its shift counts in voxels of the network's grid.
    mirror_axes:
        Axes ``(0 z, 1 y, 2 x)`` along which an image is mirrored at random; none where nobody said that it may be.
    balance:
        What is done about classes of unequal size: ``"none"``, ``"sampling"`` (each is drawn as often), ``"weights"``
        (a rare one counts more), ``"focal"`` (what is answered well counts less).
    label_smoothing, focus:
        As in :func:`napari_resmed.train.classify.loss.class_loss`; ``focus`` counts where the balance is focal.
    optimiser, layer_decay, frozen_share:
        As in :func:`napari_resmed.train.classify.rates.make_optimiser`.
    minutes, steps:
        How long: one of them is None.
    curve, learning_rate, weight_decay, check_every, patience:
        As in :class:`napari_resmed.train.loop.Schedule`.
    training, held_out:
        Names of the cases.
    left_out:
        Case and reason.
    device, precision:
        As chosen: ``"auto"`` is decided when it runs.
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
    augmentation: Augmentation = field(default_factory=Augmentation)
    mirror_axes: tuple[int, ...] = ()
    balance: str = "none"
    label_smoothing: float = 0.0
    focus: float = 2.0
    optimiser: str = "adamw"
    layer_decay: float = 1.0
    frozen_share: float = 0.0
    minutes: float | None = None
    steps: int | None = None
    curve: str = "cosine"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    check_every: int = 100
    patience: float = 0.4
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    base: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_common(
            ("batch", "steps", "check_every", "seed"),
            ("minutes", "learning_rate", "weight_decay", "patience", "focus", *_SHARES),
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
        if not set(self.mirror_axes) <= {0, 1, 2}:
            raise InputError(f"the plan's mirror_axes are {list(self.mirror_axes)}, expected 0 (z), 1 (y) or 2 (x)")
        self.model()  # refuses classes and channels that are not the network's

    @property
    def flat(self) -> bool:
        """Whether the network takes single slices."""
        return self.arguments.get("spatial_dims") == 2

    def schedule(self, seconds: float | None) -> Schedule:
        """The loop's schedule; ``seconds`` is what is left of the minutes."""
        return Schedule(
            steps=self.steps,
            seconds=None if self.steps is not None else seconds,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            check_every=self.check_every,
            patience=self.patience,
            curve=self.curve,
        )

    def model(self, **facts: Any) -> Model:
        """The model this plan describes; ``facts`` are further fields of it."""
        return Model(
            name=self.name,
            network=self.network,
            arguments=dict(self.arguments),
            preparation=self.preparation,
            patch=self.patch,
            labels=LabelSet(),
            channels=self.channels,
            mirror_axes=self.mirror_axes,
            task=CLASSIFICATION,
            classes=self.classes,
            fit=self.fit,
            **facts,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ClassPlan:
        """Read what :meth:`to_json` wrote, or what a person made of it.

        Raises
        ------
        InputError
            If a name is unknown or missing, or a value makes no sense.
        """
        cls._check_names(values)
        try:
            plain = dict(values)
            plain["preparation"] = Preparation.from_json(plain["preparation"])
            if "augmentation" in plain:
                plain["augmentation"] = Augmentation.from_json(plain["augmentation"])
            z, y, x = (int(size) for size in plain["patch"])
            plain["patch"] = (z, y, x)
            for name in ("classes", "channels", "training", "held_out", "mirror_axes"):
                plain[name] = tuple(plain.get(name, ()))
            plain["left_out"] = tuple((str(case), str(reason)) for case, reason in plain.get("left_out", ()))
            return cls(**plain)
        except ResMedError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise InputError(f"the plan is incomplete or wrong at {problem}") from problem
