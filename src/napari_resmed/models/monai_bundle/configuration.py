"""A MONAI configuration as values: references followed, nothing called, nothing imported.

The language is that of MONAI's bundle documentation: ``_target_`` names what would be called, ``@`` refers to another
entry, ``%`` copies one, ``$`` computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.models.monai_bundle.expressions import REFERENCE, evaluate

__all__ = ["Component", "Configuration"]

# References that lead to references; more is a circle.
DEEPEST = 50
# What MONAI reads of an entry beside the arguments.
_WORDS = ("_target_", "_disabled_", "_requires_", "_mode_", "_desc_")


class Component:
    """An entry with a ``_target_``: what would be called, and its arguments, each followed when it is asked for.

    Parameters
    ----------
    configuration:
        Where its references lead.
    entry:
        As it stands.
    """

    def __init__(self, configuration: Configuration, entry: Mapping[str, Any]) -> None:
        self._configuration, self._entry = configuration, entry
        mode = entry.get("_mode_", "default")
        if mode not in ("default", "instantiate"):
            raise ModelError(f"{self.target} is wanted in the mode {mode!r}, expected default")

    @property
    def target(self) -> str:
        """The name that stands there."""
        return str(self._entry["_target_"])

    @property
    def name(self) -> str:
        """What MONAI calls it, without its module.

        Raises
        ------
        ModelError
            If it is no part of MONAI.
        """
        module, _, name = self.target.rpartition(".")
        if module and not module.startswith("monai."):
            raise ModelError(f"{self.target} is no part of MONAI but code of its own, which is never run")
        return name

    @property
    def is_disabled(self) -> bool:
        """Whether it is to be left out."""
        wish = self._configuration.follow(self._entry.get("_disabled_", False))
        return wish.strip().lower() == "true" if isinstance(wish, str) else bool(wish)

    @property
    def given(self) -> set[str]:
        """Names of the arguments that are given."""
        return {name for name in self._entry if name not in _WORDS}

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, followed; the default where it is not given."""
        return self._configuration.follow(self._entry[name]) if name in self._entry else default

    def raw(self, name: str) -> Any:
        """An argument as it stands; None where it is not given."""
        return self._entry.get(name)


class Configuration:
    """All entries of a bundle's configuration.

    Parameters
    ----------
    entries:
        What the file holds.
    functions:
        What ``$`` expressions may call beside plain arithmetic, by dotted name.
    """

    def __init__(self, entries: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        # Wherever it was made, it lies here now.
        self._entries = {**entries, "bundle_root": "."}
        self._functions = functions or {}
        self._deep = 0

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str) -> Any:
        """An entry, followed.

        Raises
        ------
        ModelError
            If there is none, or it cannot be followed.
        """
        return self._look_up(name)

    def follow(self, value: Any) -> Any:
        """A value with its references and expressions replaced by what they mean; a component stays one."""
        self._deep += 1
        try:
            if self._deep > DEEPEST:
                raise ModelError(f"the configuration goes round in circles at {value!r}")
            return self._follow(value)
        finally:
            self._deep -= 1

    def _follow(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            if "_target_" in value:
                return Component(self, value)
            return {str(key): self.follow(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.follow(one) for one in value]
        if isinstance(value, str):
            if value.startswith("$"):
                return evaluate(value, self._look_up, self._functions)
            if found := REFERENCE.fullmatch(value):
                return self._look_up(found[1])
            if value.startswith("%"):
                return self._look_up(value.removeprefix("%"))
        return value

    def _look_up(self, name: str) -> Any:
        value: Any = self._entries
        for part in name.replace("#", "::").split("::"):
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise ModelError(f"the configuration refers to {name}, which it does not have")
            if isinstance(value, str):
                value = self.follow(value)
        return self.follow(value)
