"""The part of the Train tab that says what volumes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ResMedLib.class_cases import class_cases_of, remove_class_case, say_class, told, trouble_with
from ResMedLib.hierarchy import volumes_in
from ResMedLib.progress import ProgressArea

__all__ = ["ClassSource"]


class ClassSource:
    """A class for each volume, or for every volume of a folder.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``parameter_node``.
    progress:
        Where problems are told.
    """

    # As the job calls it.
    task = "classify"

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = host.ui
        self._rows: list[str] = []
        self.ui.addClassButton.connect("clicked()", self.add)
        self.ui.removeClassButton.connect("clicked()", self.remove)

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self._cases())

    @property
    def names(self) -> list[str]:
        """What will be learnt, for a model's name."""
        return sorted({case.class_name for case in self._cases()}, key=str.casefold)

    def refresh(self) -> None:
        """Fit the list to the scene."""
        cases = self._cases()
        rows = [f"{case.volume.GetName()}: {case.class_name}" for case in cases]
        if rows != self._rows:
            self._rows = rows
            self.ui.classCasesList.clear()
            for row in rows:
                self.ui.classCasesList.addItem(row)
        self.ui.removeClassButton.enabled = bool(cases)
        advice = trouble_with(cases) or told(cases)
        self.ui.classAdvice.text = f"{advice[:1].upper()}{advice[1:]}."

    def add(self) -> None:
        """What is chosen is of the class that is typed."""
        volumes = volumes_in(self.ui.classItemComboBox.currentItem())
        name = self._host.parameters.className.strip()
        if not volumes:
            self._progress.say("There is no volume there; choose a volume, or a folder that holds some.")
        elif not name:
            self._progress.say("Type what it is first, in a word or two, e.g. normal or ill.")
        else:
            say_class(self._host.parameter_node, volumes, name)
            self._progress.say(f"Noted {len(volumes)} as {name}.")
            self._host.refresh()

    def remove(self) -> None:
        """Forget the one that is selected."""
        remove_class_case(self._host.parameter_node, self.ui.classCasesList.currentRow)
        self._host.refresh()

    def train(self, name: str, hear: Callable[[Any], None], **options: Any) -> Any:
        """Begin to learn from the volumes, as they are now."""
        from ResMedLib.train_classes import train_classes

        return train_classes(self._cases(), name, hear, **options)

    def _cases(self) -> list[Any]:
        node = self._host.parameter_node
        return class_cases_of(node) if node is not None else []
