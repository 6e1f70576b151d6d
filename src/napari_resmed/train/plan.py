"""Everything training decides before it begins: readable, editable, saved with the model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelSet
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.loop import Schedule
from napari_resmed.train.patches import Sampling

__all__ = ["Plan"]

Shape = tuple[int, int, int]

_MAY_BE_ZERO = ("seed", "weight_decay", "structure_share")


@dataclass(frozen=True)
class Plan:
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
    augmentation:
        What is done to a patch at random.
    mirror_axes:
        Axes along which a mirrored image gives the mirrored answer; empty where left and right are labelled.
    mirror_pairs:
        Values of labels that are each other's mirror image, exchanged in a patch that is mirrored.
    minutes, steps:
        How long: one of them is None.
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
    augmentation: Augmentation = field(default_factory=Augmentation)
    mirror_axes: tuple[int, ...] = ()
    mirror_pairs: tuple[tuple[int, int], ...] = ()
    minutes: float | None = None
    steps: int | None = None
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
        if (self.minutes is None) == (self.steps is None):
            raise InputError("a plan needs either minutes or steps, not both and not none")
        for name in ("batch", "steps", "check_every", "devices", "background_classes", "seed"):
            self._check(name, int, "a whole number")
        for name in ("minutes", "learning_rate", "weight_decay", "patience", "memory_mb", "structure_share"):
            self._check(name, int | float, "a number")
        if self.structure_share > 1:
            raise InputError(f"the plan's structure_share is {self.structure_share}, expected 0 to 1")
        if self.batch % self.devices:
            raise InputError(
                f"a batch of {self.batch} patches cannot be shared by {self.devices} devices; take a multiple"
            )
        if not self.training:
            raise InputError("the plan learns from no case")
        both = sorted(set(self.training) & set(self.held_out))
        if both:
            raise InputError(f"the plan both learns from and holds out {both[0]}; choose one of them")
        if not set(self.mirror_axes) <= {0, 1, 2}:
            raise InputError(f"the plan's mirror_axes are {list(self.mirror_axes)}, expected 0 (z), 1 (y) or 2 (x)")
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

    def _check(self, name: str, kind: Any, expected: str) -> None:
        value = getattr(self, name)
        if value is None and name in ("minutes", "steps"):
            return
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(f"the plan's {name} is {value!r}, expected {expected}")
        least = "0 or more" if name in _MAY_BE_ZERO else "more than 0"
        if not (0 <= value < math.inf) or (value == 0 and name not in _MAY_BE_ZERO):
            raise InputError(f"the plan's {name} is {value}, expected {least}")

    @property
    def sampling(self) -> Sampling:
        """Where patches are taken."""
        number = {value: place for place, value in enumerate(self.labels.values, 1)}
        pairs = tuple((number[one], number[other]) for one, other in self.mirror_pairs)
        return Sampling(self.patch, self.preparation.spacing_mm, self.batch, self.structure_share, pairs)

    def schedule(self, seconds: float | None) -> Schedule:
        """The loop's schedule; ``seconds`` is what is left of the minutes."""
        return Schedule(
            steps=self.steps,
            seconds=None if self.steps is not None else seconds,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            check_every=self.check_every,
            patience=self.patience,
        )

    def model(self, **facts: Any) -> Model:
        """The model this plan describes; ``facts`` are further fields of it."""
        return Model(
            name=self.name,
            network=self.network,
            arguments=dict(self.arguments),
            preparation=self.preparation,
            patch=self.patch,
            labels=self.labels,
            channels=self.channels,
            mirror_axes=self.mirror_axes,
            background_classes=self.background_classes,
            **facts,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, in reading order."""
        plain: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if hasattr(value, "to_json"):
                value = value.to_json()
            elif isinstance(value, Mapping):
                value = dict(value)
            elif isinstance(value, tuple):
                value = [list(item) if isinstance(item, tuple) else item for item in value]
            plain[entry.name] = value
        return plain

    def without_names(self) -> dict[str, Any]:
        """The plan as a model may carry it: cases are counted, for file names can be patients' names."""
        return {**self.to_json(), **{name: len(getattr(self, name)) for name in ("training", "held_out", "left_out")}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """Read what :meth:`to_json` wrote, or what a person made of it.

        Raises
        ------
        InputError
            If a name is unknown or missing, or a value makes no sense.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"the plan has an entry {unknown[0]!r}, expected {', '.join(sorted(known))}")
        try:
            plain = dict(values)
            plain["labels"] = LabelSet.from_json(plain["labels"])
            plain["preparation"] = Preparation.from_json(plain["preparation"])
            if "augmentation" in plain:
                plain["augmentation"] = Augmentation.from_json(plain["augmentation"])
            z, y, x = (int(size) for size in plain["patch"])
            plain["patch"] = (z, y, x)
            for name in ("channels", "training", "held_out", "mirror_axes"):
                plain[name] = tuple(plain.get(name, ()))
            plain["mirror_pairs"] = tuple((int(one), int(other)) for one, other in plain.get("mirror_pairs", ()))
            plain["left_out"] = tuple((str(case), str(reason)) for case, reason in plain.get("left_out", ()))
            return cls(**plain)
        except ResMedError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise InputError(f"the plan is incomplete or wrong at {problem}") from problem

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        with whole_file(path) as part:
            part.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read it.

        Raises
        ------
        InputError
            If the file is missing, no JSON, or no plan.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
            raise InputError(f"{path.name} cannot be read as a plan: {problem}") from problem
        if not isinstance(values, Mapping):
            raise InputError(f"{path.name} holds no JSON object, expected a plan")
        return cls.from_json(values)
