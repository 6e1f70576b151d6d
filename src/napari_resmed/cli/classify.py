"""``napari-resmed classify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_resmed.case import Case
from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import InputError
from napari_resmed.io.files import check_not_input
from napari_resmed.models.catalogue import find_model

if TYPE_CHECKING:
    from napari_resmed.jobs.classified import Classified

__all__ = ["classify"]


def classify(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE|DIR...", help="Image files, folders of them, .npz; a CSV of modalities."),
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="A name from `models list`, or a folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A CSV file.")] = None,
    explain: Annotated[
        Path | None, typer.Option(help="A folder for heat maps: where each image speaks for its class.")
    ] = None,
    explain_with: Annotated[
        str, typer.Option(help="How: layer-cam, grad-cam, grad-cam++ or occlusion (slow).")
    ] = "layer-cam",
    explain_layer: Annotated[
        str, typer.Option(help="A layer of the network, e.g. layer3; else the last, by layer-cam several together.")
    ] = "",
    explain_class: Annotated[str, typer.Option(help="For this class, instead of the one that was found.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirrored passes, of a model that knows them.")
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Tell what images as a whole are: the class, how probable each is, and whether the image looks as usual."""
    from napari_resmed.io.datasets.classes.table import read_unlabelled
    from napari_resmed.io.images_in import images_in

    with loading.whole():
        from napari_resmed.jobs.classify import classify as job  # brings torch, which other commands do without

    if out is not None:
        check_not_input(out, images)  # the job knows what a table lists, not the table
    tables = [path for path in images if path.suffix.lower() == ".csv"]
    others = images_in([path for path in images if path not in tables])
    channels = find_model(model).channels
    found: list[Path | Case] = [*others, *(case for path in tables for case in read_unlabelled(path, channels))]
    done = run(
        job(
            found,
            model,
            device=device,
            precision=precision,
            tta=tta,
            method=explain_with,
            layer=explain_layer,
            of=explain_class,
            heat_folder=explain or "",
            table=out or "",
        )
    )
    rows = done.rows()
    if as_json:
        told = [{**row, **_why(image)} for row, image in zip(rows, done.images, strict=True)]
        print_json({"model": done.model, "classes": list(done.classes), "images": told, "seconds": done.seconds})
    elif out is None:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    failed = [image for image in done.images if image.failed]
    for image in failed:
        messages.print(f"{image.path}: {image.quality}", markup=False)
    where = f"Wrote {out}: " if out is not None else ""
    messages.print(f"{where}{len(rows) - len(failed)} images in {done.seconds:.1f} s", markup=False)
    if failed:
        raise InputError(f"{len(failed)} of {len(rows)} images could not be classified; the others are done")


def _why(image: Classified) -> dict[str, Any]:
    """What counted, as far as it was asked for."""
    if not image.explained:
        return {"counted": image.counted}
    # None where nothing speaks for the class.
    along = zip("tzyx"[4 - len(image.strongest) :], image.strongest, strict=True)
    return {
        "counted": image.counted,
        "explained": image.explained,
        "strongest": {axis: {"index": index, "share": round(share, 6)} for axis, (index, share) in along},
        "heat": image.heat_file,
    }
