"""``napari-resmed classify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.case import Case
from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import InputError
from napari_resmed.models.catalogue import find_model

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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirrored passes, where the model allows it.")
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Tell what images as a whole are: the class, how probable each is, and whether the image looks as usual."""
    from napari_resmed.io.datasets.classes.table import read_unlabelled
    from napari_resmed.io.images_in import images_in
    from napari_resmed.io.tables import write_table
    from napari_resmed.io.whole_file import check_place

    with loading.whole():
        from napari_resmed.jobs.classify import classify as job  # brings torch, which other commands do without

    tables = [path for path in images if path.suffix.lower() == ".csv"]
    others = images_in([path for path in images if path not in tables])
    channels = find_model(model).channels
    found: list[Path | Case] = [*others, *(case for path in tables for case in read_unlabelled(path, channels))]
    # Before any work is done, so that a wrong place costs no waiting.
    if out is not None:
        check_place(out)
    if explain is not None:
        _check_folder(explain)
    done = run(job(found, model, device=device, precision=precision, tta=tta, explain=explain is not None))
    rows = done.rows()
    if out is not None:
        write_table(rows, out)
    if explain is not None:
        from napari_resmed.io import write

        explain.mkdir(exist_ok=True)
        for image, target in zip(done.images, _targets(done.images, explain), strict=True):
            if image.heat is not None:
                write(image.heat, target)
    if as_json:
        told = [{**row, "counted": image.counted} for row, image in zip(rows, done.images, strict=True)]
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


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder for the heat maps")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"cannot write to {folder}: its parent folder does not exist; create it first")


def _targets(images: Sequence[Any], folder: Path) -> list[Path]:
    """A file for each heat map; the number tells those of one name apart."""
    stems = [Path(image.path).name.split(".")[0] or f"image{number}" for number, image in enumerate(images)]
    return [
        folder / f"{stem}{f'_{number + 1}' if stems.count(stem) > 1 else ''}_heat.nii.gz"
        for number, stem in enumerate(stems)
    ]
