"""What is kept in memory within a budget: what was not used for the longest time goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Kept"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values by key; thread-safe.

    What it takes to put or to find one does not grow with their number.

    Parameters
    ----------
    budget_bytes:
        How much may be kept. What was put last is, however large.
    """

    def __init__(self, budget_bytes: float) -> None:
        self._budget = budget_bytes
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return self._nbytes

    def __iter__(self) -> Iterator[Key]:
        """The keys of what is kept now, what was used last at the end."""
        with self._lock:
            return iter(tuple(self._kept))

    def get(self, key: Key) -> Value | None:
        """A value, used now; None where it is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value, nbytes: int) -> None:
        """Keep a value of this size in the place of what the key had, and let others go where there is no room."""
        with self._lock:
            self._drop(key)
            self._kept[key] = value, nbytes
            self._nbytes += nbytes
            while self._nbytes > self._budget and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def drop(self, key: Key) -> None:
        """Keep it no longer, if it is."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()
            self._nbytes = 0

    def _drop(self, key: Key) -> None:
        _, nbytes = self._kept.pop(key, (None, 0))
        self._nbytes -= nbytes
