"""Names, colours and standard codes of the structures that ``brain-mr`` answers."""

from __future__ import annotations

from napari_resmed.labels import Code, Label, LabelSet
from recipes.brain_mr.anatomy import STRUCTURES

# Colours chosen one after the other, each as far as possible (CIE76, and as people with protanopia and
# deuteranopia see them, Machado 2009) from all before: the nearest pair is 18 apart.
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


def labels() -> LabelSet:
    """The label set; values count from 1 in the order of ``STRUCTURES``."""
    return LabelSet(
        tuple(
            Label(
                value,
                name,
                _COLOURS[name],
                Code("SCT", *_CODES[name]) if name in _CODES else None,
            )
            for value, name in enumerate(STRUCTURES, 1)
        )
    )
