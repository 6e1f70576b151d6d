"""A data set in figures: what the plan of a training is derived from, and which cases it does without.

The idea, and pooling the intensities of structures over cases, are nnU-Net's (Isensee et al., Nature Methods 2021).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.datasets import load_image
from napari_resmed.labels import LabelSet
from napari_resmed.train.case_facts import CaseFacts, Examined, Intensities, LeftOut, examine, is_named
from napari_resmed.train.dirty import unlike_the_others
from napari_resmed.train.same_images import Same, find_same, image_digest, kept_for_test, notes_of_same

__all__ = ["ChannelFacts", "Fingerprint", "fingerprint", "usable"]

# Voxels per channel that are pooled over all cases; memory does not grow with their number.
MOST_POOLED = 2_000_000
# From this share of cases on, cases of the other kind are no slip but half of the data.
MIXED_SHARE = 0.4
# A value that nobody named is a structure where at least two cases have it; below so many cases, one is enough.
FEW_CASES = 4


@dataclass(frozen=True)
class ChannelFacts:
    """One channel over all cases, every case weighing the same: all voxels, and those of structures."""

    name: str
    image: Intensities
    foreground: Intensities | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        inside = entry["foreground"]
        return cls(entry["name"], Intensities(**entry["image"]), Intensities(**inside) if inside else None)


@dataclass(frozen=True)
class Fingerprint:
    """A data set in figures; axes run towards Superior, Posterior, Left.

    Parameters
    ----------
    name:
        The data set's.
    labels:
        The structures: as the data set names them, or as they were found in its labels.
    cases:
        The usable ones.
    left_out:
        The others, each with its reason.
    channels:
        Intensities pooled over cases.
    spacing_mm:
        Median of every axis.
    median_shape, largest_shape:
        Voxels along every axis, each on its case's own spacing.
    median_size_mm:
        Edges of the image.
    dimensions:
        3, or 2 where every image is a single slice.
    class_shares:
        Share of every value (0: background) in the known voxels of the cases where it was looked for.
    annotated_in:
        In how many cases each structure was looked for.
    present_in:
        In how many it is.
    notes:
        What a person should know though nothing was left out for it, one sentence each.
    same_images:
        Names of cases whose images are equal, voxel for voxel; those of the test split are among them.
    """

    name: str
    labels: LabelSet
    cases: tuple[CaseFacts, ...]
    left_out: tuple[LeftOut, ...]
    channels: tuple[ChannelFacts, ...]
    spacing_mm: tuple[float, float, float]
    median_shape: tuple[int, int, int]
    largest_shape: tuple[int, int, int]
    median_size_mm: tuple[float, float, float]
    dimensions: int
    class_shares: Mapping[int, float]
    annotated_in: Mapping[int, int]
    present_in: Mapping[int, int]
    notes: tuple[str, ...] = ()
    same_images: Same = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file; no paths."""
        return {
            "name": self.name,
            "labels": self.labels.to_json(),
            "cases": [case.to_json() for case in self.cases],
            "left_out": [asdict(case) for case in self.left_out],
            "channels": [channel.to_json() for channel in self.channels],
            **{name: list(getattr(self, name)) for name in _TRIPLES},
            "dimensions": self.dimensions,
            **{name: {str(key): value for key, value in getattr(self, name).items()} for name in _BY_VALUE},
            "notes": list(self.notes),
            "same_images": [list(names) for names in self.same_images],
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InputError
            If a part is missing or of another form.
        """
        try:
            triples = {name: _three(entry[name]) for name in _TRIPLES}
            by_value = {name: {int(key): value for key, value in entry[name].items()} for name in _BY_VALUE}
            return cls(
                name=entry["name"],
                labels=LabelSet.from_json(entry["labels"]),
                cases=tuple(CaseFacts.from_json(case) for case in entry["cases"]),
                left_out=tuple(LeftOut(**case) for case in entry["left_out"]),
                channels=tuple(ChannelFacts.from_json(channel) for channel in entry["channels"]),
                dimensions=int(entry["dimensions"]),
                notes=tuple(entry["notes"]),
                same_images=tuple(tuple(names) for names in entry.get("same_images", ())),
                spacing_mm=triples["spacing_mm"],
                median_shape=triples["median_shape"],
                largest_shape=triples["largest_shape"],
                median_size_mm=triples["median_size_mm"],
                class_shares=by_value["class_shares"],
                annotated_in=by_value["annotated_in"],
                present_in=by_value["present_in"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise InputError("this is no fingerprint of a data set that can be read; make it again") from problem


_TRIPLES = ("spacing_mm", "median_shape", "largest_shape", "median_size_mm")
_BY_VALUE = ("class_shares", "annotated_in", "present_in")


def fingerprint(dataset: Dataset) -> Generator[tuple[int, int], None, Fingerprint]:
    """Look at every case, one at a time.

    Parameters
    ----------
    dataset:
        Cases on disk or at hand. Of those of the split ``"test"`` the images are read, to tell that nothing is learnt
        from the same ones, and nothing else.

    Yields
    ------
    tuple
        Cases looked at, and all there are.

    Returns
    -------
    Fingerprint
        With the cases that had to be left out, and why.

    Raises
    ------
    InputError
        If the whole cannot be trained on: two structures of one name, no case, none that is usable, nothing painted, a
        single class, 2D and 3D mixed half and half, or numbers of channels.
    """
    cases = [case for case in dataset.cases if case.split != "test"]
    if not cases:
        raise InputError(f"{_called(dataset)} has no cases to train on; it needs at least one with labels")
    _refuse_one_name_twice(dataset.labels)
    tests = [case for case in dataset.cases if case.split == "test"]
    count = len(cases) + len(tests)
    examined = []
    samples = max(1, min(10_000, MOST_POOLED // len(cases)))
    for number, case in enumerate(cases, 1):
        examined.append(examine(case, dataset, samples))
        yield number, count
    digests = {entry.facts.name: entry.digest for entry in examined if entry.facts}
    for number, case in enumerate(tests, len(cases) + 1):
        # What cannot be read is no trouble of training's.
        with suppress(InputError):
            digests[case.name] = image_digest(load_image(case, dataset))
        yield number, count
    return _summary(dataset, examined, digests)


def usable(dataset: Dataset, facts: Fingerprint) -> Dataset:
    """The data set without what was left out, with the structures that were found.

    Cases of the split ``"test"`` stay.
    """
    left_out = {case.case for case in facts.left_out}
    return replace(
        dataset, cases=tuple(case for case in dataset.cases if case.name not in left_out), labels=facts.labels
    )


def _summary(dataset: Dataset, examined: Sequence[Examined], digests: Mapping[str, int]) -> Fingerprint:
    left_out = {entry.left_out.case: entry.left_out for entry in examined if entry.left_out}
    good = {entry.facts.name: entry.facts for entry in examined if entry.facts}
    # The test split first: what belongs to it has no say in anything.
    for name, reason in kept_for_test(_with_tests(dataset, good), find_same(digests.items())).items():
        left_out[name] = LeftOut(name, "test", reason)
        good.pop(name)
    _refuse_mixed_channels(dataset, left_out, len(good))
    _refuse_without_cases(dataset, list(left_out.values()), len(good))
    labels, strange = _settle_labels(dataset, list(good.values()))
    dimensions, other = _settle_dimensions(list(good.values()))
    for case in (*strange, *other):
        left_out.setdefault(case.case, case)
        good.pop(case.case, None)
    for case in unlike_the_others(list(good.values()), labels):
        left_out[case.case] = case
        good.pop(case.case)
    _refuse_without_cases(dataset, list(left_out.values()), len(good))
    cases = [
        replace(case, voxels={v: n for v, n in case.voxels.items() if v == 0 or v in labels}) for case in good.values()
    ]
    _refuse_one_class(cases, labels)
    pooled = [entry for entry in examined if entry.facts and entry.facts.name in good]
    shapes = np.array([case.grid_shape for case in cases])
    sides = _with_tests(dataset, good)
    same = find_same((case.name, digests[case.name]) for case in sides if case.name in digests)
    return Fingerprint(
        name=dataset.name,
        labels=labels,
        cases=tuple(cases),
        left_out=tuple(left_out[case.name] for case in dataset.cases if case.name in left_out),
        channels=tuple(_channel(name, number, pooled) for number, name in enumerate(dataset.channels)),
        spacing_mm=_three(np.median([case.spacing_mm for case in cases], 0).tolist()),
        median_shape=_three(np.rint(np.median(shapes, 0)).astype(int).tolist()),
        largest_shape=_three(shapes.max(0).tolist()),
        median_size_mm=_three(np.median([case.size_mm for case in cases], 0).tolist()),
        dimensions=dimensions,
        class_shares=_class_shares(cases, labels),
        annotated_in={v: sum(_is_annotated(case, v) for case in cases) for v in labels.values},
        present_in={v: sum(bool(case.voxels.get(v)) for case in cases) for v in labels.values},
        notes=(*notes_of_same(sides, same), *_notes(cases, labels)),
        same_images=same,
    )


def _with_tests(dataset: Dataset, good: Collection[str]) -> list[Case]:
    """The cases that can be used, and those of the test split."""
    return [case for case in dataset.cases if case.name in good or case.split == "test"]


def _settle_labels(dataset: Dataset, cases: Sequence[CaseFacts]) -> tuple[LabelSet, list[LeftOut]]:
    """The structures, and the cases with values that stand for none."""
    if is_named(dataset):
        return dataset.labels, []
    found = Counter(value for case in cases for value, count in case.voxels.items() if value and count)
    least = 1 if len(cases) <= FEW_CASES else 2
    kept = [value for value, times in found.items() if times >= least]
    known = LabelSet(tuple(label for label in dataset.labels if label.value in kept)).completed(kept)
    strange = []
    for case in cases:
        odd = [value for value, count in case.voxels.items() if value and count and value not in kept]
        if odd:
            values = ", ".join(map(str, odd[:5]))
            reason = (
                f"its labels hold the value{'s' * (len(odd) > 1)} {values}, which no other case has; the others hold "
                f"{', '.join(map(str, sorted(kept)[:10])) or 'none in common'}"
            )
            strange.append(LeftOut(case.name, "values", reason))
    return known, strange


def _settle_dimensions(cases: Sequence[CaseFacts]) -> tuple[int, list[LeftOut]]:
    """How many dimensions most cases have, and the cases that have others."""
    flat = [case for case in cases if case.dimensions == 2]
    few, many = sorted((len(flat), len(cases) - len(flat)))
    if few and few >= MIXED_SHARE * (few + many):
        raise InputError(
            f"the cases are mixed: {len(flat)} of a single slice (2D), {len(cases) - len(flat)} of a volume (3D); "
            "train them apart"
        )
    usual = 2 if len(flat) > len(cases) - len(flat) else 3
    reason = {3: "it is a single slice (2D) among volumes", 2: "it is a volume (3D) among single slices"}[usual]
    return usual, [LeftOut(case.name, "dimensions", reason) for case in cases if case.dimensions != usual]


def _refuse_one_name_twice(labels: LabelSet) -> None:
    """Figures are told by name."""
    values: dict[str, int] = {}
    for label in labels:
        if label.name in values:
            raise InputError(
                f"the label values {values[label.name]} and {label.value} are both called {label.name!r}; give each "
                "structure a name of its own"
            )
        values[label.name] = label.value


def _refuse_mixed_channels(dataset: Dataset, left_out: Mapping[str, LeftOut], good: int) -> None:
    other = [case for case in left_out.values() if case.kind == "channels"]
    if good and len(other) >= MIXED_SHARE * (len(other) + good):
        raise InputError(
            f"the cases are mixed: {good} with the channels {', '.join(dataset.channels)}, {len(other)} without "
            f"({other[0].case}: {other[0].reason}); train them apart"
        )


def _refuse_without_cases(dataset: Dataset, left_out: Sequence[LeftOut], good: int) -> None:
    if good:
        return
    if all(case.kind == "no labels" for case in left_out):
        raise InputError(f"no case of {_called(dataset)} has labels; paint some first")
    if all(case.kind in ("no labels", "empty") for case in left_out):
        raise InputError(f"nothing is painted in any case of {_called(dataset)}; paint a structure first")
    told = "; ".join(f"{case.case}: {case.reason}" for case in left_out[:3])
    more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    raise InputError(f"no case of {_called(dataset)} can be used: {told}{more}")


def _refuse_one_class(cases: Sequence[CaseFacts], labels: LabelSet) -> None:
    found = [value for value in (0, *labels.values) if any(case.voxels.get(value) for case in cases)]
    if len(found) > 1:
        return
    if not found or found == [0]:
        raise InputError("no structure is there in any case, only background; there is nothing to learn")
    raise InputError(
        f"only one class is there, {labels[found[0]].name}; paint background too, or mark slices as complete"
    )


def _class_shares(cases: Sequence[CaseFacts], labels: LabelSet) -> dict[int, float]:
    shares = {}
    for value in (0, *labels.values):
        looked = [case for case in cases if value == 0 or _is_annotated(case, value)]
        known = sum(sum(case.voxels.values()) for case in looked)
        shares[value] = sum(case.voxels.get(value, 0) for case in looked) / known if known else 0.0
    return shares


def _is_annotated(case: CaseFacts, value: int) -> bool:
    return case.annotated is None or value in case.annotated


def _channel(name: str, number: int, examined: Sequence[Examined]) -> ChannelFacts:
    # Labels in the place of an image say nothing of intensities, unless there is nothing else.
    pooled = [entry for entry in examined if entry.facts and entry.facts.has_image] or examined
    facts = [entry.facts for entry in pooled if entry.facts]
    everywhere = _pool([entry.image_sample for entry in pooled], number)
    least = min(case.image[number].minimum for case in facts)
    most = max(case.image[number].maximum for case in facts)
    image = Intensities.of(everywhere, (least, most))
    assert image is not None  # every case brings voxels
    return ChannelFacts(name, image, Intensities.of(_pool([entry.foreground_sample for entry in pooled], number)))


def _pool(samples: Sequence[NDArray[np.float32] | None], number: int) -> NDArray[np.float32]:
    return np.concatenate([sample[number] for sample in samples if sample is not None])


def _notes(cases: Sequence[CaseFacts], labels: LabelSet) -> tuple[str, ...]:
    notes = []
    modalities = Counter(case.modality for case in cases if case.modality)
    if len(modalities) > 1:
        said = ", ".join(f"{number} {modality}" for modality, number in modalities.most_common())
        notes.append(f"the images are of different kinds: {said}")
    absent = [label.name for label in labels if not any(case.voxels.get(label.value) for case in cases)]
    if absent:
        notes.append(f"no case shows {', '.join(absent)}")
    return tuple(notes)


def _called(dataset: Dataset) -> str:
    return dataset.name or "the data set"


def _three(values: Sequence[Any]) -> tuple[Any, Any, Any]:
    first, second, third = values
    return first, second, third
