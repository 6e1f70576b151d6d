"""What plans of every kind have in common: checked numbers, and a file that people read and edit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from napari_resmed.errors import InputError
from napari_resmed.io.whole_file import whole_file

__all__ = ["WrittenPlan"]


class WrittenPlan:
    """Base of the plans, which are frozen dataclasses with at least these fields."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]
    minutes: float | None
    steps: int | None

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

    def _check(self, name: str, kind: Any, expected: str, may_be_zero: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value is None and name in ("minutes", "steps"):
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
                value = dict(value)
            elif isinstance(value, tuple):
                value = [list(item) if isinstance(item, tuple) else item for item in value]
            plain[entry.name] = value
        return plain

    def without_names(self) -> dict[str, Any]:
        """The plan as a model may carry it: cases are counted, for file names can be patients' names."""
        return {**self.to_json(), **{name: len(getattr(self, name)) for name in ("training", "held_out", "left_out")}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote, or what a person made of it.

        Raises
        ------
        InputError
            If a name is unknown or missing, or a value makes no sense.
        """
        raise NotImplementedError

    @classmethod
    def _check_names(cls, values: Mapping[str, Any]) -> None:
        known = {entry.name for entry in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"the plan has an entry {unknown[0]!r}, expected {', '.join(sorted(known))}")

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
