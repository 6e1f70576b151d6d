"""The part of the Train tab that says what was painted over which volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ResMedLib.cases import TrainCase, add_case, cases_of, remove_case
from ResMedLib.only_painted import is_only_painted, say_only_painted
from ResMedLib.progress import ProgressArea

__all__ = ["PaintedSource"]


class PaintedSource:
    """Segmentations over volumes, one or several cases; and what is unpainted in each of them.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``parameter_node``, ``has_core``,
        ``ensure_core``.
    progress:
        Where problems are told.
    propose_base:
        Called with the name of the model that made what is chosen.
    """

    # As the job calls it.
    task = "segment"

    def __init__(self, host: Any, progress: ProgressArea, propose_base: Callable[[str], None]) -> None:
        self._host, self._progress, self._propose_base = host, progress, propose_base
        self.ui = host.ui
        self._rows: list[str] = []
        self._views: list[str] = []
        self._seen = ""  # the segmentation that was last proposed for
        self._brought = ""  # the volume that it brought
        self._showing = False
        self.ui.addCaseButton.connect("clicked()", self.add)
        self.ui.removeCaseButton.connect("clicked()", self.remove)
        self.ui.casesList.connect("itemClicked(QListWidgetItem*)", self.show_selected)
        self.ui.casesList.connect("itemActivated(QListWidgetItem*)", self.show_selected)
        self.ui.onlyPaintedCheckBox.connect("toggled(bool)", self.say_only_painted)
        self.ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._propose)
        self.ui.completeSliceButton.connect("clicked()", self.mark_slice)
        self.ui.completePaintedButton.connect("clicked()", self.mark_painted)
        self.ui.unmarkSlicesButton.connect("clicked()", self.unmark)

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self._cases())

    @property
    def names(self) -> list[str]:
        """What will be learnt, for a model's name: not known before it is looked at."""
        return []

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen, and the list to the scene."""
        parameters = self._host.parameters
        segmentation = parameters.segmentation if parameters is not None else None
        chosen = self._is_chosen()
        self.ui.addCaseButton.enabled = chosen
        kept = cases_of(self._host.parameter_node) if self._host.parameter_node is not None else []
        rows = [_row(case) for case in kept]
        # Filled anew only where it changed: the selected row stays.
        if rows != self._rows:
            row = self.ui.casesList.currentRow if len(rows) == len(self._rows) else -1
            self._rows = rows
            self.ui.casesList.clear()
            for text in rows:
                self.ui.casesList.addItem(text)
            self.ui.casesList.currentRow = row
        self.ui.removeCaseButton.enabled = bool(kept)
        only_painted = segmentation is not None and is_only_painted(segmentation)
        self._showing = True
        self.ui.onlyPaintedCheckBox.enabled = segmentation is not None
        self.ui.onlyPaintedCheckBox.checked = only_painted
        self._showing = False
        self.ui.completeSlices.visible = only_painted
        self.ui.completeSliceButton.enabled = self.ui.completePaintedButton.enabled = chosen
        if chosen and only_painted and self._host.has_core:
            self._refresh_slices()

    def take(self, parameters: Any) -> None:
        """Other choices are about to be shown, of a scene that was opened: they stay as they were saved."""
        self._seen = parameters.segmentation.GetID() if parameters.segmentation is not None else ""
        self._brought = ""

    def add(self) -> None:
        """Keep the chosen segmentation and volumes as a case."""
        add_case(self._host.parameter_node, self._chosen())
        self.refresh()

    def remove(self) -> None:
        """Forget the case that is selected."""
        remove_case(self._host.parameter_node, self.ui.casesList.currentRow)
        self.refresh()

    def show_selected(self, _: Any = None) -> None:
        """Choose what the selected case is made of, to look at it or to say something of it."""
        kept, row = cases_of(self._host.parameter_node), self.ui.casesList.currentRow
        if 0 <= row < len(kept):
            case, chosen = kept[row], self._host.parameters
            self._seen = case.segmentation.GetID()  # nothing is to be proposed for it
            chosen.segmentation = case.segmentation
            volumes = [*case.volumes, None, None, None, None]
            chosen.trainVolume, chosen.trainChannel2, chosen.trainChannel3, chosen.trainChannel4, *_ = volumes
            self.refresh()

    def say_only_painted(self, only_painted: bool) -> None:
        """Whether what is not painted in the chosen segmentation is unknown."""
        parameters = self._host.parameters
        if not self._showing and parameters is not None and parameters.segmentation is not None:
            say_only_painted(parameters.segmentation, only_painted)
            self.refresh()

    def mark_slice(self) -> None:
        """The slice that the chosen view shows is complete; once more takes the mark away."""

        def marked(segmentation: Any, source: Any) -> str:
            from ResMedLib.complete_slices import complete_slices, mark, shown_slice, slice_views

            (view,) = (one for one in slice_views() if one.GetLayoutName() == self.ui.sliceViewComboBox.currentText)
            here = shown_slice(source, view)
            new = here not in complete_slices(segmentation, source)
            mark(segmentation, source, [here], new)
            return f"Slice {here[1]} is {'complete' if new else 'not complete any more'}."

        self._mark(marked)

    def mark_painted(self) -> None:
        """Every slice on which something is painted is complete."""

        def marked(segmentation: Any, source: Any) -> str:
            from ResMedLib.complete_slices import mark, painted_slices
            from ResMedLib.painted import labels_of, values_of

            slices = painted_slices(labels_of(segmentation, source, values_of([segmentation]))[0])
            mark(segmentation, source, slices)
            return f"{len(slices)} painted slices are complete."

        self._mark(marked)

    def unmark(self) -> None:
        """Take all marks away."""
        from ResMedLib.complete_slices import unmark

        unmark(self._host.parameters.segmentation)
        self.refresh()

    def train(self, name: str, hear: Callable[[Any], None], **options: Any) -> Any:
        """Begin to learn from the cases, as they are now."""
        from ResMedLib.parameters import IMAGES
        from ResMedLib.train import train

        return train(self._cases(), name, hear, synthetic=IMAGES[self._host.parameters.images], **options)

    def _cases(self) -> list[TrainCase]:
        """The cases that are kept; while there is none, what is chosen."""
        node = self._host.parameter_node
        if node is None:
            return []
        return cases_of(node) or ([self._chosen()] if self._is_chosen() else [])

    def _is_chosen(self) -> bool:
        """Whether the choices are a case: without a volume where training paints images."""
        from ResMedLib.parameters import IMAGES

        chosen = self._host.parameters
        if chosen is None or chosen.segmentation is None:
            return False
        return chosen.trainVolume is not None or IMAGES[chosen.images] is not None

    def _chosen(self) -> TrainCase:
        chosen = self._host.parameters
        if chosen.trainVolume is None:
            return TrainCase(chosen.segmentation, ())
        further = (chosen.trainChannel2, chosen.trainChannel3, chosen.trainChannel4)
        return TrainCase(chosen.segmentation, (chosen.trainVolume, *(one for one in further if one is not None)))

    def _mark(self, change: Callable[[Any, Any], str]) -> None:
        if not self._host.ensure_core():
            return
        from napari_resmed.errors import ResMedError
        from ResMedLib.painted import lying_on

        case = self._chosen()
        try:
            with lying_on(case.segmentation, case.volumes[:1]) as source:
                self._progress.say(change(case.segmentation, source))
        except ResMedError as problem:
            self._progress.say(f"{problem}.")
        self.refresh()

    def _refresh_slices(self) -> None:
        from ResMedLib.complete_slices import count, slice_views

        views = [view.GetLayoutName() for view in slice_views()]
        if views != self._views:
            self._views = views
            self.ui.sliceViewComboBox.clear()
            for view in views:
                self.ui.sliceViewComboBox.addItem(view)
        self.ui.completeSliceButton.enabled = bool(views)
        marked = count(self._host.parameters.segmentation)
        self.ui.unmarkSlicesButton.enabled = marked > 0
        said = f"{marked} marked: what is unpainted there is background."
        self.ui.completeSlicesLabel.text = said if marked else "Mark slices on which nothing is left to paint."

    def _propose(self, _: Any = None) -> None:
        """The volume a segmentation was drawn over, if any, and the model that made it, if one did."""
        node, parameters = self.ui.segmentationSelector.currentNode(), self._host.parameters
        if node is None or parameters is None or node.GetID() == self._seen or not self._host.has_core:
            return
        self._seen = node.GetID()
        # Before anything else is kept: every change shows all that is kept, and would take the choice back.
        parameters.segmentation = node
        from ResMedLib.painted import reference_of
        from ResMedLib.segmentations import made_by

        reference = reference_of(node)
        shown = parameters.trainVolume
        # What the segmentation before brought is not this one's; what the person chose may be.
        if reference is not None or (shown is not None and shown.GetID() == self._brought):
            if reference is not shown:
                # Of another patient, they would be learnt from as this one's where their grids are equal.
                parameters.trainChannel2 = parameters.trainChannel3 = parameters.trainChannel4 = None
            parameters.trainVolume = reference
            self._brought = reference.GetID() if reference is not None else ""
        made = made_by(node)
        # One that answered parts of the image, cut out, is no better a beginning for the whole than none.
        if made.get("model") and "parts" not in made:
            self._propose_base(made["model"])


def _row(case: TrainCase) -> str:
    over = f"over {' + '.join(volume.GetName() for volume in case.volumes)}" if case.volumes else "without an image"
    return f"{case.segmentation.GetName()} {over}" + (", only paint" if is_only_painted(case.segmentation) else "")
