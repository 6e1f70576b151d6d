"""Segment a volume: from the node to a segmentation node, a table of volumes and, if wanted, where it is unsure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import slicer

from napari_resmed.errors import InputError
from napari_resmed.predict.unsure_table import with_uncertainty
from ResMedLib.engines import shared_engine
from ResMedLib.hierarchy import beside
from ResMedLib.overlays import add_overlay
from ResMedLib.regions import cropped, inside
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.segmentations import add_segmentation
from ResMedLib.tables import add_volume_table
from ResMedLib.undo import step
from ResMedLib.volumes import SHOWN, Source, joined, source_of

__all__ = ["Segmented", "segment"]


@dataclass(frozen=True)
class Segmented:
    """What a segmentation left in the scene.

    Parameters
    ----------
    segmentation, table:
        Nodes.
    uncertainty:
        A volume node, 0 sure to 1; None unless it was asked for.
    structures:
        How many.
    """

    segmentation: Any
    table: Any
    uncertainty: Any
    structures: int


def segment(
    nodes: list[Any],
    model: str,
    on_event: OnEvent,
    *,
    frame: int = SHOWN,
    region: Any = None,
    new_step: bool = True,
    **options: Any,
) -> RunningJob:
    """Segment one volume, or several as the channels of one; returns at once.

    The last event is ``Finished`` with :class:`Segmented`, whose nodes one step of Undo takes away again.

    Parameters
    ----------
    nodes:
        The volume nodes, in the order of the model's channels; not changed.
    model:
        A name or a folder.
    frame:
        Of a sequence; see :func:`ResMedLib.volumes.source_of`.
    region:
        A region of interest: only what lies in it is looked at. None: all.
    new_step:
        Whether the nodes are a step of their own for Undo; else they join the last.
    options:
        Of :func:`napari_resmed.jobs.segment.segment`.

    Raises
    ------
    InputError
        If what is chosen cannot be segmented.
    """
    source = cropped(joined([source_of(node, frame) for node in nodes]), region)
    mask = inside(source, region)
    parameters = {"image": source.volume, "model": model, **options}

    def finish(result: dict[str, Any]) -> Segmented:
        if not slicer.mrmlScene.IsNodePresent(source.node):
            raise InputError("the volume was removed while it was segmented, so its result was dropped")
        if not np.allclose(source_of(source.node, frame).ijk_to_ras, source.ijk_to_ras):
            raise InputError(
                "the volume's geometry was changed while it was segmented (a transform hardened, perhaps), so its "
                "result was dropped; segment it again"
            )
        with step(new=new_step):
            return _show(source, mask, result, frame)

    return RunningJob(shared_engine(), "segment", parameters, finish, on_event)


def _show(source: Source, mask: np.ndarray | None, result: dict[str, Any], frame: int) -> Segmented:
    labels, table = result["labels"], result["table"]
    if mask is not None:
        labels = replace(labels, data=np.where(mask, labels.data, 0).astype(labels.data.dtype))
        table = labels.table()
        if result["uncertainty"] is not None:
            table = with_uncertainty(table, labels.data, result["uncertainty"].data)
    name = f"{source.node.GetName()} {result['model']}"
    if "quick_look_mm" in labels.meta.get("made_by", {}).get("parameters", {}):
        name += " quick look"
    name += f" frame {frame}" if frame != SHOWN else ""
    segmentation = add_segmentation(source, labels, name)
    volumes = add_volume_table(f"{name} volumes", table)
    uncertainty = None
    if result["uncertainty"] is not None:
        uncertainty = add_overlay(source, result["uncertainty"], f"{name} uncertainty")
    made = [node for node in (segmentation, volumes, uncertainty) if node is not None]
    beside(source.node, made)
    return Segmented(segmentation, volumes, uncertainty, len(table))
