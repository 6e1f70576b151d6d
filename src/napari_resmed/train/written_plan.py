"""What plans of every kind have in common: checked numbers, a schedule, and a file that people read and edit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.loop import Schedule

__all__ = ["WrittenPlan"]


class WrittenPlan:
    """Base of the plans, which are frozen dataclasses with at least these fields."""

    # Whose entries are of cases, by name.
    _OF_CASES: ClassVar[tuple[str, ...]] = ("training", "held_out", "left_out")
    # What a batch is of.
    _SEEN: ClassVar[str] = "patches"

    name: str
    channels: tuple[str, ...]
    network: str
    arguments: Mapping[str, Any]
    preparation: Preparation
    patch: tuple[int, int, int]
    batch: int
    mirror_axes: tuple[int, ...]
    training: tuple[str, ...]
    held_out: tuple[str, ...]
    minutes: float | None
    steps: int | None
    learning_rate: float
    weight_decay: float
    check_every: int
    patience: float
    device: str
    precision: str
    devices: int
    seed: int
    base: str

    @property
    def a_step(self) -> str:
        """What a step sees, in words."""
        raise NotImplementedError

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

    def _model(self, **facts: Any) -> Model:
        """The model that comes out; ``facts`` are what is not said by every plan."""
        return Model(
            name=self.name,
            network=self.network,
            arguments=dict(self.arguments),
            preparation=self.preparation,
            patch=self.patch,
            channels=self.channels,
            **{"mirror_axes": self.mirror_axes, **facts},
        )

    def _check_common(self, whole: tuple[str, ...], real: tuple[str, ...], may_be_zero: tuple[str, ...]) -> None:
        """Refuse numbers that make no sense, by the names of their fields, and cases on both sides."""
        if (self.minutes is None) == (self.steps is None):
            raise InputError("a plan needs either minutes or steps, not both and not none")
        for name in whole:
            self._check(name, int, "a whole number", may_be_zero)
        for name in real:
            self._check(name, int | float, "a number", may_be_zero)
        if not self.training:
            raise InputError("the plan learns from no case")
        both = sorted(set(self.training) & set(self.held_out))
        if both:
            raise InputError(f"the plan both learns from and holds out {both[0]}; choose one of them")
        if self.batch % self.devices:
            raise InputError(
                f"a batch of {self.batch} {self._SEEN} cannot be shared by {self.devices} devices; take a multiple"
            )
        if not set(self.mirror_axes) <= {0, 1, 2}:
            raise InputError(f"the plan's mirror_axes are {list(self.mirror_axes)}, expected 0 (z), 1 (y) or 2 (x)")

    def _check(self, name: str, kind: Any, expected: str, may_be_zero: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value is None and name in ("minutes", "steps", "search"):
            return
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(f"the plan's {name} is {value!r}, expected {expected}")
        least = "0 or more" if name in may_be_zero else "more than 0"
        if not (0 <= value < math.inf) or (value == 0 and name not in may_be_zero):
            raise InputError(f"the plan's {name} is {value}, expected {least}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, in reading order."""
        plain: dict[str, Any] = {}
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            if hasattr(value, "to_json"):
                value = value.to_json()
            elif isinstance(value, Mapping):
                value = {str(key): one.to_json() if hasattr(one, "to_json") else one for key, one in value.items()}
            elif isinstance(value, tuple):
                value = [list(item) if isinstance(item, tuple) else item for item in value]
            plain[entry.name] = value
        return plain

    def without_names(self) -> dict[str, Any]:
        """The plan as a model may carry it: cases are counted, for file names can be patients' names."""
        return {**self.to_json(), **{name: len(getattr(self, name, ())) for name in self._OF_CASES}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote, or what a person made of it.

        Raises
        ------
        InputError
            If a name is unknown or missing, or a value makes no sense.
        """
        known = {entry.name for entry in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"the plan has an entry {unknown[0]!r}, expected {', '.join(sorted(known))}")
        try:
            plain = dict(values)
            plain["preparation"] = Preparation.from_json(plain["preparation"])
            if "augmentation" in plain:
                plain["augmentation"] = Augmentation.from_json(plain["augmentation"])
            if "labels" in plain:
                plain["labels"] = LabelSet.from_json(plain["labels"])
            z, y, x = (int(size) for size in plain["patch"])
            plain["patch"] = (z, y, x)
            for name in set(plain) & {"classes", "channels", "training", "held_out", "mirror_axes"}:
                plain[name] = tuple(plain[name])
            for name in set(plain) & {"left_out", "unusual"}:
                plain[name] = tuple((str(case), str(reason)) for case, reason in plain[name])
            if "mirror_pairs" in plain:
                plain["mirror_pairs"] = tuple((int(one), int(other)) for one, other in plain["mirror_pairs"])
            if "cleanup" in plain:
                plain["cleanup"] = {int(value): Cleanup.from_json(wish) for value, wish in plain["cleanup"].items()}
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
    def load(cls, path: Path) -> Self:
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
