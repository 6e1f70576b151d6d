"""Which images make up a case: each one, or where they are of several modalities those of a patient."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cases_of", "trouble_of_modalities"]


def cases_of(patients: Sequence[str], modalities: Sequence[str]) -> list[list[int]]:
    """Places of the images of every case, in the order of their first.

    Parameters
    ----------
    patients:
        Of every image; empty: unknown, and no other's.
    modalities:
        Of every image; empty where all are of one kind: then each is a case.
    """
    cases: dict[tuple[str, int], list[int]] = {}
    for place, (patient, modality) in enumerate(zip(patients, modalities, strict=True)):
        together = bool(patient and modality)
        cases.setdefault((patient, -1) if together else ("", place), []).append(place)
    return list(cases.values())


def trouble_of_modalities(
    names: Sequence[str], classes: Sequence[str], patients: Sequence[str], modalities: Sequence[str]
) -> str:
    """What keeps images from being cases of several modalities, in one sentence; empty where nothing does.

    Parameters
    ----------
    names, classes, patients, modalities:
        Of every image that is learnt from, in one order; patients and modalities as in :func:`cases_of`.
    """
    if not any(modalities):
        return ""
    without = next((name for name, modality in zip(names, modalities, strict=True) if not modality), None)
    if without is not None:
        return f"“{without}” has no modality; type one for each image, or for none."
    cases = cases_of(patients, modalities)
    if len(set(modalities)) > 1 and all(len(case) == 1 for case in cases):
        return "No patient has images of two modalities; type whose each image is."
    for case in cases:
        of_case = [modalities[place] for place in case]
        twice = next((modality for modality in of_case if of_case.count(modality) > 1), None)
        if twice is not None:
            return (
                f"{patients[case[0]]} has two images “{twice}”; leave one out, or learn from a table, in "
                "which each visit is a line."
            )
        said = sorted({classes[place] for place in case})
        if len(said) > 1:
            return f"{patients[case[0]]} is “{said[0]}” in one image and “{said[1]}” in another; a patient is one."
    return ""
