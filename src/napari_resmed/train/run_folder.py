"""Where an unfinished training lies: all it needs to go on after a stop, a crash or a power cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io import write
from napari_resmed.io.whole_file import reason, whole_file
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.train.case_facts import CaseFacts
from napari_resmed.volume import Volume

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """A folder beside the model that is being made.

    ``plan.json`` and ``dataset.json`` say what is done with which files, ``cases/`` holds what came from a viewer
    and not from files, ``prepared/`` the cases on the network's grid, ``checkpoint.pt`` where the loop is.
    """

    path: Path

    @classmethod
    def beside(cls, model: Path) -> RunFolder:
        """The one that belongs to a model folder."""
        return cls(model.parent / f".{model.name}.training")

    @property
    def model_name(self) -> str:
        """Name of the model folder it belongs to."""
        return self.path.name.removeprefix(".").removesuffix(".training")

    @property
    def plan(self) -> Path:
        """The decisions."""
        return self.path / "plan.json"

    @property
    def checkpoint(self) -> Path:
        """Weights, optimiser, schedule, history."""
        return self.path / "checkpoint.pt"

    @property
    def prepared(self) -> Path:
        """Cases on the network's grid."""
        return self.path / "prepared"

    @property
    def base(self) -> Path:
        """The weights training began with."""
        return self.path / "base.pt"

    @property
    def search(self) -> Path:
        """What was tried of hyper-parameters."""
        return self.path / "search.json"

    @property
    def trial(self) -> Path:
        """Where the loop of a trial is."""
        return self.path / "trial.pt"

    @property
    def stop(self) -> Path:
        """Its being there asks processes that train together to stop."""
        return self.path / "stop"

    @property
    def trouble(self) -> Path:
        """Why a process of those that train together could not go on."""
        return self.path / "trouble.json"

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to go on with."""
        return self.plan.is_file() and (self.path / "dataset.json").is_file()

    @property
    def classifies(self) -> bool:
        """Whether what lies here is the training of a classifier; a damaged one is told of when it is gone on with."""
        try:
            return self.is_unfinished and bool(self.read_dataset().classes)
        except InputError:
            return False

    def begin(self) -> bool:
        """Make it, empty; an unfinished one that lay there is kept as ``.old``. Returns whether there was one.

        Raises
        ------
        WorkError
            If it cannot be made.
        """
        set_aside = False
        shutil.rmtree(self._discarded, ignore_errors=True)
        try:
            if self.path.exists():
                set_aside = self.checkpoint.is_file()
                if set_aside:
                    shutil.rmtree(self._old, ignore_errors=True)
                    self.path.rename(self._old)
                else:
                    shutil.rmtree(self.path)
            self.path.mkdir(parents=True)
        except OSError as problem:
            raise WorkError(f"could not make {self.path}: {reason(problem)}") from problem
        return set_aside

    def give_up(self, set_aside: bool) -> None:
        """Undo :meth:`begin`, which returned ``set_aside``."""
        shutil.rmtree(self.path, ignore_errors=True)
        if set_aside:
            with suppress(OSError):
                self._old.rename(self.path)

    def discard(self) -> None:
        """Remove it; one that was set aside for it takes its place again.

        Raises
        ------
        WorkError
            If that cannot be done; it is whole then, or has been removed in part under a name that nobody looks for.
        """
        at = self._discarded
        try:
            if self._discarded.exists():  # of a program that died meanwhile
                shutil.rmtree(self._discarded)
            at = self.path
            self.path.rename(self._discarded)
            at = self._discarded
            if self._old.exists():
                self._old.rename(self.path)
            shutil.rmtree(self._discarded)
        except OSError as problem:
            raise WorkError(f"could not remove {at}: {reason(problem)}") from problem

    def remove(self) -> None:
        """Everything, what was set aside, and what could not be discarded before."""
        for place in (self.path, self._old, self._discarded):
            shutil.rmtree(place, ignore_errors=True)

    @property
    def _old(self) -> Path:
        return self.path.with_name(self.path.name + ".old")

    @property
    def _discarded(self) -> Path:
        return self.path.with_name(self.path.name + ".discarded")

    def keep_dataset(self, dataset: Dataset) -> Dataset:
        """Write down what is learnt from; images and labels that are no files yet become files here.

        Returns
        -------
        Dataset
            The same, with files only.
        """
        cases = tuple(self._with_files(number, case) for number, case in enumerate(dataset.cases))
        kept = replace(dataset, cases=cases)
        with whole_file(self.path / "dataset.json") as part:
            part.write_text(json.dumps(_plain(kept), ensure_ascii=False), encoding="utf-8")
        return kept

    def read_dataset(self) -> Dataset:
        """What :meth:`keep_dataset` wrote.

        Raises
        ------
        InputError
            If it is damaged.
        """
        try:
            return _dataset(json.loads((self.path / "dataset.json").read_text(encoding="utf-8")))
        except (OSError, KeyError, TypeError, ValueError) as problem:
            raise InputError(f"the unfinished training in {self.path} is damaged; start it anew") from problem

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Write down the data set's fingerprint."""
        with whole_file(self.path / "fingerprint.json") as part:
            part.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")

    def read_facts(self) -> tuple[CaseFacts, ...]:
        """The figures of every usable case; none where they were not kept or cannot be read."""
        try:
            facts = json.loads((self.path / "fingerprint.json").read_text(encoding="utf-8"))
            return tuple(CaseFacts.from_json(case) for case in facts["cases"])
        except (OSError, KeyError, TypeError, ValueError):
            return ()

    def facts_without_names(self) -> dict[str, Any]:
        """The fingerprint as a model may carry it: file names can be patients' names."""
        try:
            facts: dict[str, Any] = json.loads((self.path / "fingerprint.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        named = ("name", "cases", "left_out", "notes", "same_images")
        kept = {name: value for name, value in facts.items() if name not in named}
        return {**kept, "cases": len(facts.get("cases", ())), "left_out": len(facts.get("left_out", ()))}

    def _with_files(self, number: int, case: Case) -> Case:
        folder = self.path / "cases"
        folder.mkdir(exist_ok=True)
        images = []
        for channel, image in enumerate(case.images if case.has_image else ()):
            if isinstance(image, Volume):
                path = folder / f"{number:05d}_{channel:04d}.nii"
                write(image, path)
                images.append(path)
            else:
                # A link keeps its own name: what it leads to may have no ending that says what it is.
                images.append(image.absolute())
        labels = case.labels
        if isinstance(labels, LabelMap):
            path = folder / f"{number:05d}_labels.nii.gz"
            write(labels, path)
            labels = path
        elif labels is not None:
            labels = labels.absolute()
        if not case.has_image and labels is not None:
            images.append(labels)  # it stands in the image's place here, too
        return replace(case, images=tuple(images), labels=labels)


def _plain(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "labels": dataset.labels.to_json(),
        "channels": list(dataset.channels),
        "background": dataset.background,
        "ignored": dataset.ignored,
        "classes": list(dataset.classes),
        "cases": [
            {
                "name": case.name,
                "images": [str(image) for image in case.images],
                "labels": None if case.labels is None else str(case.labels),
                "annotated": None if case.annotated is None else list(case.annotated),
                "only_painted": case.only_painted,
                "complete_slices": [list(place) for place in case.complete_slices],
                "split": case.split,
                "group": case.group,
                "class_name": case.class_name,
                "channels": list(case.channels),
            }
            for case in dataset.cases
        ],
    }


def _dataset(values: Mapping[str, Any]) -> Dataset:
    return Dataset(
        cases=tuple(
            Case(
                name=case["name"],
                images=tuple(Path(image) for image in case["images"]),
                labels=None if case["labels"] is None else Path(case["labels"]),
                annotated=None if case["annotated"] is None else tuple(case["annotated"]),
                only_painted=case["only_painted"],
                complete_slices=tuple((int(axis), int(index)) for axis, index in case["complete_slices"]),
                split=case["split"],
                group=case["group"],
                class_name=case.get("class_name", ""),
                channels=tuple(case.get("channels", ())),
            )
            for case in values["cases"]
        ),
        labels=LabelSet.from_json(values["labels"]),
        channels=tuple(values["channels"]),
        background=values["background"],
        ignored=values["ignored"],
        name=values["name"],
        classes=tuple(values.get("classes", ())),
    )
