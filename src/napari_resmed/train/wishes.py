"""What a person asks for of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_resmed.errors import InputError
from napari_resmed.train.pace import CARE

__all__ = ["DEFAULT_MINUTES", "Wishes"]

DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class Wishes:
    """What the person asked for; see :func:`napari_resmed.jobs.train.train`."""

    minutes: float | None = None
    epochs: int | None = None
    care: str = "normal"
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    memory_mb: float | None = None
    seed: int = 0
    search: float | None = None
    synthetic: float | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and self.epochs is not None:
            raise InputError("found both minutes and epochs; say how long in one of them")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"found {self.minutes} minutes, expected more than 0")
        if self.search is not None and not 0 < self.search < math.inf:
            raise InputError(f"found {self.search} minutes to search, expected more than 0")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"found {self.epochs} epochs, expected at least 1")
        if self.care not in CARE:
            raise InputError(f"found the care {self.care!r}, expected {', '.join(CARE)}")
        if self.devices < 1:
            raise InputError(f"found {self.devices} devices, expected at least 1")
        if self.seed < 0:
            raise InputError(f"found the seed {self.seed}, expected 0 or more")
        if self.synthetic is not None and not 0 <= self.synthetic <= 1:
            raise InputError(f"found a share of {self.synthetic} painted images, expected 0 to 1")
        if self.memory_mb is not None and not self.memory_mb > 0:
            raise InputError(f"found {self.memory_mb} MB of memory, expected more than 0")
