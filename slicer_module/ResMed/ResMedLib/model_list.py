"""A list of models in the panel: names, and what the chosen one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["SCRATCH", "ModelList"]

SCRATCH = "nothing (from scratch)"


class ModelList:
    """Models of one task in a combo box; the chosen name is kept in the scene.

    Parameters
    ----------
    combo, note:
        The ``QComboBox``, and the ``QLabel`` under it, or None.
    task:
        ``"segmentation"`` or ``"classification"``.
    kept:
        Called with a name when the person chooses.
    scratch:
        Whether the first entry is none.
    """

    def __init__(self, combo: Any, note: Any, task: str, kept: Callable[[str], None], *, scratch: bool = False) -> None:
        self._combo, self._note, self._task, self._kept, self._scratch = combo, note, task, kept, scratch
        self._models: list[Any] = []
        self._filling = False
        combo.connect("currentIndexChanged(int)", self._on_chosen)

    @property
    def chosen(self) -> Any:
        """The model, a :class:`napari_resmed.models.model.Model`; None where there is none."""
        place = self._combo.currentIndex - self._scratch
        return self._models[place] if 0 <= place < len(self._models) else None

    def fill(self) -> list[str]:
        """Read the models anew; the chosen one stays. Needs the core.

        Returns
        -------
        list of str
            One sentence for every folder that was left out.
        """
        from napari_resmed.models.catalogue import list_models

        before = self.chosen.name if self.chosen is not None else ""
        self._models, problems = list_models(self._task)
        self._filling = True
        self._combo.clear()
        for name in [SCRATCH] * self._scratch + [model.name for model in self._models]:
            self._combo.addItem(name)
        self._filling = False
        self.choose(before)
        return problems

    def choose(self, name: str) -> None:
        """Choose by name; the first where there is none of that name."""
        names = [model.name for model in self._models]
        place = names.index(name) + self._scratch if name in names else 0
        self._filling = True
        self._combo.currentIndex = place if names or self._scratch else -1
        self._filling = False
        self._describe()

    def _on_chosen(self, _: int = 0) -> None:
        if not self._filling:
            self._kept(self.chosen.name if self.chosen is not None else "")
            self._describe()

    def _describe(self) -> None:
        if self._note is None:
            return
        model = self.chosen
        if model is None:
            self._note.text = "No model of this kind is installed."
        elif model.classifies:
            self._note.text = f"{', '.join(model.channels)}: {', '.join(model.classes)}"
        else:
            self._note.text = f"{', '.join(model.channels)}, {len(model.labels)} structures"
            self._note.toolTip = model.description
