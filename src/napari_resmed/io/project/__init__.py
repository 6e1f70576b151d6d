"""A project of many cases on disk: nnU-Net's raw layout plus one index.

No window, no network: lists, states, locks and files. See ``docs/decisions/0002-project-layout.md``.
"""

from __future__ import annotations

from napari_resmed.io.project.add import add_images
from napari_resmed.io.project.cases import (
    NO_LABELS,
    Written,
    accept,
    read_images,
    read_labels,
    reopen,
    write_labels,
    write_prediction,
)
from napari_resmed.io.project.create import create_project
from napari_resmed.io.project.index import read_index
from napari_resmed.io.project.matching import in_labels_of
from napari_resmed.io.project.place import find_project_of, suggest_folder
from napari_resmed.io.project.project import (
    Project,
    ProjectCase,
    is_project,
    list_cases,
    open_project,
    read_label_set,
    write_label_set,
)
from napari_resmed.io.project.state import State
from napari_resmed.io.project.suggest import suggest_next
from napari_resmed.io.project.uncertainty import case_uncertainty

__all__ = [
    "NO_LABELS",
    "Project",
    "ProjectCase",
    "State",
    "Written",
    "accept",
    "add_images",
    "case_uncertainty",
    "create_project",
    "find_project_of",
    "in_labels_of",
    "is_project",
    "list_cases",
    "open_project",
    "read_images",
    "read_index",
    "read_label_set",
    "read_labels",
    "reopen",
    "suggest_folder",
    "suggest_next",
    "write_label_set",
    "write_labels",
    "write_prediction",
]
