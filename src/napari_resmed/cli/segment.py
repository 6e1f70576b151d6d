"""``napari-resmed segment``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import CancelledError, InputError, ResMedError, WorkError
from napari_resmed.io.files import check_apart, check_not_input, check_target
from napari_resmed.io.formats import stem
from napari_resmed.io.tables import check_table
from napari_resmed.models.catalogue import find_model

__all__ = ["segment"]


def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files or DICOM folders.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A file (.dcm over DICOM); a folder where there are several.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="A name from `models list`, or a folder.")] = "brain-mr",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    overlap: Annotated[
        float | None,
        typer.Option(help="Share of a window that its neighbour repeats; if not given, the model's, mostly 0.5."),
    ] = None,
    tta: Annotated[bool, typer.Option("--tta", help="Average over mirrored passes: slower, a little better.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A quick look, coarser, with models that know one.")] = False,
    uncertainty: Annotated[Path | None, typer.Option(help="Also write the uncertainty, 0 sure to 1, here.")] = None,
    uncertainty_kind: Annotated[
        str, typer.Option(help="entropy; or variance, between mirrored passes or several networks.")
    ] = "entropy",
    table: Annotated[Path | None, typer.Option(help="Also write the volumes as CSV here.")] = None,
    series: Annotated[str, typer.Option(help="Which series of a DICOM folder; `info` lists them.")] = "",
    cluster: Annotated[str, typer.Option(help="Address of a Dask scheduler, or local:N for N processes.")] = "",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Segment images with a model and write label maps in the images' own geometry."""
    many = len(images) > 1
    if (many or cluster) and (uncertainty or table or series):
        raise InputError("--table, --uncertainty and --series take one image and no cluster")
    pairs = list(zip(images, _targets(images, out), strict=True))
    # Before any work is done, so that a wrong place costs no waiting.
    for image, target in pairs:
        check_target(target, image)
    if uncertainty:
        check_target(uncertainty)
    for target in (*(target for _, target in pairs), *([uncertainty] if uncertainty else [])):
        check_not_input(target, images)
    if table:
        check_not_input(table, images)
    check_apart([*(target for _, target in pairs), *(one for one in (uncertainty, table) if one)])
    if table:
        check_table(table)
    # Its folder: a relative path means nothing to a worker elsewhere, and an unknown name is told once.
    model = str(find_model(model).folder)
    options = {"device": device, "precision": precision, "overlap": overlap, "tta": tta, "quick": quick}
    if uncertainty:
        options["uncertainty_kind"] = uncertainty_kind
    if cluster:
        from napari_resmed.jobs.cluster import segment_on_cluster

        results = segment_on_cluster(pairs, cluster, model, options)
    else:
        results = _here(pairs, model, {**options, "uncertainty": uncertainty, "table": table, "series": series})
    reports: dict[int, dict[str, Any]] = {}
    problems: list[ResMedError] = []
    try:
        for number, result in results:
            if isinstance(result, ResMedError):
                if not many:
                    raise result
                problems.append(result)
                messages.print(f"{images[number].name}: {result}", markup=False)
                continue
            # A worker of a cluster has its own idea of where it stands: what was asked for is what is told.
            reports[number] = {**result, "output": str(pairs[number][1])}
            for warning in reports[number].pop("warnings", ()):  # here they were told on the way
                messages.print(f"Warning: {images[number].name}: {warning}", markup=False)
            if not as_json and not many:
                rows = [(r["value"], r["name"], r["voxels"], round(r["volume_ml"], 2)) for r in result["labels"]]
                print_table(("value", "name", "voxels", "volume mL"), rows)
            messages.print(f"Wrote {pairs[number][1]} in {result['seconds']['total']:.1f} s", markup=False)
    except KeyboardInterrupt as problem:
        if not reports:
            raise
        raise CancelledError(f"stopped; {len(reports)} of {len(images)} images are done and stay") from problem
    if as_json:
        in_order = [reports[number] for number in sorted(reports)]
        print_json(in_order if many else in_order[0])
    if problems:
        worst = InputError if all(problem.exit_code == 2 for problem in problems) else WorkError
        rest = "; the others are done" if reports else ""
        raise worst(f"{len(problems)} of {len(images)} images could not be segmented{rest}")


def _here(
    pairs: list[tuple[Path, Path]], model: str, options: dict[str, Any]
) -> Iterator[tuple[int, dict[str, Any] | ResMedError]]:
    with loading.whole():
        from napari_resmed.jobs.segment_file import segment_file  # brings torch, which other commands do without

    for number, (path, target) in enumerate(pairs):
        try:
            yield number, run(segment_file(path, target, model, **options))
        except ResMedError as problem:
            yield number, problem


def _targets(images: list[Path], out: Path) -> list[Path]:
    """Where each result goes."""
    if len(images) == 1 and not out.is_dir():
        if not out.suffix:
            raise InputError(f"cannot write {out}: expected a file ending like .nii.gz, or an existing folder")
        return [out]
    if not out.is_dir():
        raise InputError(f"{len(images)} images need a folder to write to, and {out} is none; create it first")
    targets = [out / f"{_stem(path)}_seg.nii.gz" for path in images]
    twice = [target.name for target in targets if targets.count(target) > 1]
    if twice:
        raise InputError(f"two images would both be written to {twice[0]}; segment them into separate folders")
    return targets


def _stem(path: Path) -> str:
    """A name for the result: an image file without its ending, a folder (often a UID with dots) as it is."""
    return stem(path.name or path.resolve().name)
