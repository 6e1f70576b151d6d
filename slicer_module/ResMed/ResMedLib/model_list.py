"""A list of models in the panel: names, and what the chosen one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["SCRATCH", "ModelList"]

SCRATCH = "nothing (from scratch)"


class ModelList:
    """Models in a combo box; the chosen name is kept in the scene.

    Parameters
    ----------
    host:
        The module's widget: its ``parameters``.
    combo, note:
        The ``QComboBox``, and the ``QLabel`` under it.
    parameter:
        Under which name the choice is kept.
    read:
        Gives the models to choose from; called once the core is there.
    none:
        What is said where there is no model.
    scratch:
        Whether the first entry is none.
    """

    def __init__(
        self,
        host: Any,
        combo: Any,
        note: Any,
        parameter: str,
        read: Callable[[], list[Any]],
        *,
        none: str = "",
        scratch: bool = False,
    ) -> None:
        self._host, self._combo, self._note, self._parameter = host, combo, note, parameter
        self._read, self._none, self._scratch = read, none, scratch
        self._models: list[Any] = []
        self._filling = False
        combo.connect("currentIndexChanged(int)", self._on_chosen)
        combo.connect("activated(int)", self._on_chosen)  # picking what is shown is a choice, too

    @property
    def chosen(self) -> Any:
        """The model, a :class:`napari_resmed.models.model.Model`; None where there is none."""
        place = self._combo.currentIndex - self._scratch
        return self._models[place] if 0 <= place < len(self._models) else None

    @property
    def folder(self) -> str:
        """Where the chosen one lies; empty where there is none."""
        return str(self.chosen.folder) if self.chosen is not None else ""

    def fill(self) -> None:
        """Read the models anew; the one that is kept in the scene stays, else the one that is shown, or no model."""
        shown = self.chosen.name if self.chosen is not None and not self._scratch else ""
        self._models = self._read()
        self._filling = True
        self._combo.clear()
        for name in [SCRATCH] * self._scratch + [model.name for model in self._models]:
            self._combo.addItem(name)
        self._filling = False
        self._show(self._kept() or shown)

    def propose(self, one_of: Callable[[list[Any]], Any]) -> None:
        """Show the model that ``one_of`` takes, the shown one first among them, until a person chooses."""
        if self.chosen is not None and not self._kept():
            self._show(one_of([self.chosen, *self._models]).name)

    def choose(self, name: str) -> None:
        """Choose by name, and keep it; the first where there is none of that name."""
        self._show(name)
        self._keep()
        self._describe()

    def _show(self, name: str) -> None:
        names = [model.name for model in self._models]
        place = names.index(name) + self._scratch if name in names else 0
        self._filling = True
        self._combo.currentIndex = place if names or self._scratch else -1
        self._filling = False
        self._describe()

    def _on_chosen(self, _: int = 0) -> None:
        if not self._filling:
            self._keep()
            self._describe()

    def _kept(self) -> str:
        """The name that is kept in the scene; empty where there is no such model, e.g. on another machine."""
        name = self._named()
        return name if name in [model.name for model in self._models] else ""

    def _named(self) -> str:
        return getattr(self._host.parameters, self._parameter) if self._host.parameters is not None else ""

    def _keep(self) -> None:
        if self._host.parameters is not None:
            setattr(self._host.parameters, self._parameter, self.chosen.name if self.chosen is not None else "")

    def _describe(self) -> None:
        model = self.chosen
        lost = self._named()
        gone = bool(lost) and not self._kept()
        if gone and self._scratch:
            said = f"The model {lost}, chosen in this scene, is none to start from here"
            self._note.text = f"{said}; choose another one, or train from scratch"
        elif gone and self._models:
            self._note.text = f"The model {lost}, chosen in this scene, is not installed here; choose another one"
        elif model is None:
            self._note.text = self._none
        elif model.classifies:
            self._note.text = f"{', '.join(model.channels)}: {', '.join(model.classes)}"
        else:
            self._note.text = f"{', '.join(model.channels)}, {len(model.labels)} structures"
            self._note.toolTip = model.description
