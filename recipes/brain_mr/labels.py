"""Names, colours and standard codes of the structures that ``brain-mr`` answers."""

from __future__ import annotations

from napari_resmed.labels import LEFT, RIGHT, Code, Label, LabelSet
from napari_resmed.models.cleanup import Cleanup
from recipes.brain_mr.anatomy import KIND_OF, KINDS, STRUCTURES, value_of

# Colours chosen one after the other, each as far as possible (CIE76, and as people with protanopia and
# deuteranopia see them, Machado 2009) from all before: the nearest pair is 18 apart, with those of the right 12.
_COLOURS = {
    "cerebral cortex": (238, 153, 0),
    "cerebral white matter": (85, 187, 238),
    "lateral ventricle": (85, 0, 255),
    "thalamus": (153, 51, 68),
    "caudate": (102, 255, 204),
    "putamen": (17, 85, 187),
    "pallidum": (187, 34, 0),
    "hippocampus": (238, 238, 136),
    "amygdala": (136, 85, 136),
    "brainstem": (204, 136, 102),
    "cerebellar cortex": (255, 238, 0),
    "cerebellar white matter": (85, 221, 221),
    "third ventricle": (238, 0, 255),
    "fourth ventricle": (221, 119, 153),
    "extra-cerebral CSF": (0, 119, 187),
    "accumbens": (238, 136, 68),
    "ventral diencephalon": (255, 221, 85),
}

# SNOMED CT, from DICOM PS3.16 CID 7140 (Brain Structure for Volumetric Measurement). The ventral diencephalon is
# a region of FreeSurfer's, not of the vocabulary's, and has no code there.
_CODES = {
    "cerebral cortex": ("40146001", "Cerebral Gray Matter"),
    "cerebral white matter": ("68523003", "Cerebral White Matter"),
    "lateral ventricle": ("66720007", "Lateral Ventricle"),
    "thalamus": ("119406000", "Thalamus"),
    "caudate": ("11000004", "Caudate Nucleus"),
    "putamen": ("89278009", "Putamen"),
    "pallidum": ("14738005", "Globus Pallidus"),
    "hippocampus": ("5366008", "Hippocampus"),
    "amygdala": ("4958002", "Amygdala"),
    "brainstem": ("119238007", "Brain Stem"),
    "cerebellar cortex": ("25991003", "Cerebellar Cortex"),
    "cerebellar white matter": ("33060004", "Cerebellar White Matter"),
    "third ventricle": ("49841001", "Third ventricle"),
    "fourth ventricle": ("35918002", "Fourth Ventricle"),
    "extra-cerebral CSF": ("33930006", "Cranial Subarachnoid Space"),
    "accumbens": ("427667007", "Nucleus Accumbens"),
}


# Of the right ones, each akin to the left one's.
_RIGHT = {
    "cerebral cortex": (129, 48, 32),
    "cerebral white matter": (19, 51, 192),
    "lateral ventricle": (123, 36, 143),
    "thalamus": (214, 133, 185),
    "caudate": (71, 209, 147),
    "putamen": (51, 133, 255),
    "pallidum": (219, 182, 111),
    "hippocampus": (228, 255, 180),
    "amygdala": (95, 59, 95),
    "cerebellar cortex": (137, 143, 36),
    "cerebellar white matter": (25, 128, 103),
    "accumbens": (172, 90, 57),
    "ventral diencephalon": (228, 73, 0),
}
_SIDES = {"left": LEFT, "right": RIGHT}
# Of a folded sheet, of fluid where it narrows, and of what thick slices cut apart, pieces are no strays: only crumbs
# are taken away, in mm³. All else is one piece in everyone.
_IN_PIECES = {
    "cerebral cortex": 500.0,
    "cerebral white matter": 500.0,
    "cerebellar white matter": 200.0,
    "lateral ventricle": 50.0,
    "third ventricle": 50.0,
    "fourth ventricle": 50.0,
    "extra-cerebral CSF": 50.0,
    "accumbens": 30.0,
}


def labels() -> LabelSet:
    """The label set; values count from 1 in the order of ``STRUCTURES``."""
    return LabelSet(tuple(_label(value, name) for value, name in enumerate(STRUCTURES, 1)))


def mirror_pairs() -> tuple[tuple[int, int], ...]:
    """Values of left and right of every paired structure."""
    paired = (kind for kind, sides in KINDS.items() if len(sides) == 2)
    return tuple((value_of(f"left {kind}"), value_of(f"right {kind}")) for kind in paired)


def cleanup() -> dict[int, Cleanup]:
    """What is done to each structure after the network has answered."""
    return {
        value: Cleanup(minimum_mm3=_IN_PIECES[kind]) if kind in _IN_PIECES else Cleanup(largest_component=True)
        for value, kind in enumerate(map(KIND_OF.__getitem__, STRUCTURES), 1)
    }


def _label(value: int, name: str) -> Label:
    kind = KIND_OF[name]
    side = None if kind == name else name.split()[0]
    return Label(
        value,
        name,
        _RIGHT[kind] if side == "right" else _COLOURS[kind],
        Code("SCT", *_CODES[kind]) if kind in _CODES else None,
        modifier=None if side is None else _SIDES[side],
    )
