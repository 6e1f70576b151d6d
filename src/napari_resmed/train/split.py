"""Which cases are held out: never a patient on both sides, every structure on the held-out side where possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_resmed.errors import InputError

__all__ = ["SHARE", "Split", "folds", "one_side", "split_cases", "usual_share"]

# What nnU-Net's five folds hold out.
SHARE = 0.2
# Where there are many patients, a smaller share tells as much, and the others had better be learnt from.
SHARE_OF_MANY, MANY = 0.1, 40


def usual_share(patients: int) -> float:
    """Share of the patients to hold out, unless somebody says otherwise."""
    return SHARE if patients <= MANY else max(SHARE_OF_MANY, SHARE * MANY / patients)


@dataclass(frozen=True)
class Split:
    """Names of the cases that are learnt from, and of those that are held out to tell how well that goes.

    ``validation`` is empty where there is a single patient: then a part of the image has to be held out.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]


def split_cases(
    names: Sequence[str],
    groups: Sequence[str] = (),
    given: Sequence[str] = (),
    seed: int = 0,
    share: float | None = None,
    structures: Mapping[str, Sequence[int]] | None = None,
    beside: Collection[str] = (),
) -> Split:
    """Hold out some patients.

    What was decided stays decided: cases given to validation are all that is held out, cases given to test are in
    neither part. Where nobody decided, a share of the undecided patients is drawn; where all were given to training,
    of those, as something is always held out.

    Parameters
    ----------
    names:
        Cases, each once.
    groups:
        The patient of each, as ``case.patient``; empty: every case is a patient of its own.
    given:
        The split of each, one of :data:`napari_resmed.case.SPLITS`; empty: nobody decided.
    seed:
        The same split for the same cases and seed, in whatever order the cases come.
    share:
        Of the patients to hold out, at least one; None: :func:`usual_share`.
    structures:
        By case, the structures that were annotated and are there. Each that two or more patients have is brought into
        both parts where that is possible, by exchanging patients or holding out one more.
    beside:
        Cases unlike those that are drawn from, label maps without an image: the share is of the other patients, of whom
        one at least is learnt from where they are several.

    Returns
    -------
    Split
        Names in the order given.

    Raises
    ------
    InputError
        If one patient's cases were given to different parts, or lengths or share do not fit.
    """
    patients = _patients(names, groups)
    decided = dict(zip(names, given or [""] * len(names), strict=True))
    of_patient = {patient: _decided(cases, decided) for patient, cases in patients.items()}
    counted = {patient for patient, cases in patients.items() if not all(name in beside for name in cases)}
    usual = usual_share(sum(of_patient[patient] != "test" for patient in counted or of_patient))
    share = usual if share is None else share
    if not 0 < share < 1:
        raise InputError(f"found a held-out share of {share}, expected more than 0 and less than 1")
    learning = [patient for patient, part in of_patient.items() if part in ("", "train")]
    held = [patient for patient, part in of_patient.items() if part == "validation"]
    if not held and len(learning) > 1:
        undecided = [patient for patient in learning if not of_patient[patient]]
        like = len(counted.intersection(learning))
        of = like if like > 1 else len(learning)
        drawn = undecided or [patient for patient in learning if patient in counted] or learning
        held = _draw(drawn, learning, patients, seed, max(1, round(share * of)), of - 1, structures or {})
    kept = {name for patient in learning if patient not in held for name in patients[patient]}
    out = {name for patient in held for name in patients[patient]}
    return Split(tuple(name for name in names if name in kept), tuple(name for name in names if name in out))


def one_side(
    names: Sequence[str], groups: Sequence[str], given: Sequence[str], same: Sequence[Sequence[str]]
) -> list[str]:
    """The patient of each case, where cases of the same image count as one patient's.

    Patients that were given to different parts stay apart: what was decided stays decided.

    Parameters
    ----------
    names, groups, given:
        As of :func:`split_cases`; each as long as the other.
    same:
        Names of the cases that hold the same image, each time two or more.
    """
    patients = {name: group or name for name, group in zip(names, groups, strict=True)}
    parts: dict[str, set[str]] = {}
    for name, part in zip(names, given, strict=True):
        parts.setdefault(patients[name], set()).update({part} - {""})
    joined_to: dict[str, str] = {}

    def now(patient: str) -> str:
        while patient in joined_to:
            patient = joined_to[patient]
        return patient

    for members in same:
        joined = {now(patients[name]) for name in members}
        together = set().union(*(parts[patient] for patient in joined))
        if len(together) < 2:
            first = now(patients[members[0]])
            joined_to.update(dict.fromkeys(joined - {first}, first))
            parts[first] = together
    return [now(patients[name]) for name in names]


def folds(
    names: Sequence[str],
    groups: Sequence[str] = (),
    k: int = 5,
    seed: int = 0,
    structures: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Split, ...]:
    """Hold out every patient once, in ``k`` parts of nearly equal numbers of cases, of each class where patients allow.

    Parameters
    ----------
    names, groups, seed:
        As of :func:`split_cases`.
    k:
        How many parts.
    structures:
        By case, its classes: patients of the rarest are dealt out first, each to the part with the fewest of them.

    Raises
    ------
    InputError
        If there are fewer than ``k`` patients, or ``k`` is less than 2.
    """
    patients = _patients(names, groups)
    if not 2 <= k <= len(patients):
        raise InputError(
            f"found {len(patients)} patients for {k} folds; expected at least 2 folds and a patient for each"
        )
    parts: list[list[str]] = [[] for _ in range(k)]
    there = structures or {}
    shown = {patient: Counter(v for name in of for v in there.get(name, ())) for patient, of in patients.items()}
    owners = Counter(value for values in shown.values() for value in values)
    inside: list[Counter[int]] = [Counter() for _ in range(k)]

    def rarest(patient: str) -> tuple[int, int]:
        return min(((owners[value], value) for value in shown[patient]), default=(0, 0))

    order = sorted(_shuffled(list(patients), seed), key=lambda patient: (rarest(patient), -len(patients[patient])))
    for patient in order:
        value = rarest(patient)[1]
        place = min(range(k), key=lambda part: (inside[part][value], len(parts[part])))
        parts[place].extend(patients[patient])
        inside[place].update(shown[patient])
    return tuple(
        Split(tuple(name for name in names if name not in part), tuple(name for name in names if name in part))
        for part in map(set, parts)
    )


def _patients(names: Sequence[str], groups: Sequence[str]) -> dict[str, list[str]]:
    if len(set(names)) < len(names) or (groups and len(groups) != len(names)):
        raise InputError(
            f"found {len(names)} cases with {len(set(names))} names and {len(groups)} groups; expected one each"
        )
    patients: dict[str, list[str]] = {}
    for name, group in zip(names, groups or names, strict=True):
        patients.setdefault(group or name, []).append(name)
    return patients


def _decided(cases: Sequence[str], decided: Mapping[str, str]) -> str:
    """Where a patient belongs; undecided cases follow the patient's decided ones."""
    parts = {decided[name] for name in cases} - {""}
    if len(parts) > 1:
        told, given = ", ".join(cases[:2]), " and ".join(sorted(parts))
        raise InputError(f"cases of one patient ({told}) were given to {given}; choose one of them")
    return parts.pop() if parts else ""


def _draw(
    undecided: Sequence[str],
    learning: Sequence[str],
    patients: Mapping[str, Sequence[str]],
    seed: int,
    wanted: int,
    most: int,
    structures: Mapping[str, Sequence[int]],
) -> list[str]:
    """Patients to hold out: by lot, then corrected for structures that fell on one side, never more than ``most``."""
    wanted = min(len(undecided), most, wanted)
    lot = _shuffled(undecided, seed)
    shown = {patient: {v for name in patients[patient] for v in structures.get(name, ())} for patient in learning}
    left = Counter(value for patient in learning for value in shown[patient])

    def may_go(patient: str) -> bool:
        return all(left[value] > 1 for value in shown[patient])

    held: list[str] = []
    for patient in lot:
        if len(held) < wanted and may_go(patient):
            held.append(patient)
            left.subtract(shown[patient])
    if not held:  # every patient is the only one with something
        return lot[:wanted]
    for value in sorted(left, key=lambda value: (left[value], value)):
        if any(value in shown[patient] for patient in held):
            continue
        coming = next((patient for patient in lot if value in shown[patient] and may_go(patient)), None)
        if coming is None:
            continue
        going = next((p for p in reversed(held) if _is_spare(p, held, shown)), None)
        if going is None and len(held) == most:
            continue
        if going is not None:
            held.remove(going)
            left.update(shown[going])
        held.append(coming)
        left.subtract(shown[coming])
    return held


def _is_spare(patient: str, held: Sequence[str], shown: Mapping[str, set[int]]) -> bool:
    """Whether the others that are held out show all that this one does."""
    others = set().union(*(shown[other] for other in held if other != patient))
    return shown[patient] <= others


def _shuffled(patients: Sequence[str], seed: int) -> list[str]:
    """In an order that hangs on the names and the seed alone."""
    ordered = sorted(patients)
    return [ordered[place] for place in np.random.default_rng(seed).permutation(len(ordered))]
