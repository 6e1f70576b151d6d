"""``napari-resmed measure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import InputError
from napari_resmed.io.files import check_not_input
from napari_resmed.io.tables import check_table

__all__ = ["measure"]

# What fits a terminal; the table that is written has everything.
_COLUMNS = {
    "volume_ml": "volume mL",
    "surface_area_mm2": "surface mm²",
    "diameter_3d_mm": "diameter mm",
    "diameter_axial_mm": "axial mm",
}
_OF_IMAGE = {"intensity_mean": "mean", "intensity_sd": "SD"}


def measure(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="A label file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A .csv file for the table.")],
    image: Annotated[
        Path | None, typer.Argument(metavar="[IMAGE]", help="The image on the same grid, for its brightness.")
    ] = None,
    series: Annotated[str, typer.Option(help="Which series of the image's folder; `info` lists them.")] = "",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Measure structures: volume, surface, diameters, where they are, brightness of an image."""
    if out.suffix.lower() == ".dcm":
        raise InputError(f"cannot write {out}: a DICOM report cannot be written yet; choose a file ending in .csv")
    for path in (labels, *([image] if image else [])):
        if not path.exists():
            raise InputError(f"{path} does not exist; expected {'labels' if path is labels else 'an image'}")
    check_table(out)
    check_not_input(out, [labels, *([image] if image else [])])
    with loading.whole():
        from napari_resmed.jobs.measure_file import measure_file  # brings scipy, which other commands do without

    rows = run(measure_file(labels, image, out, series=series))
    if as_json:
        print_json({"output": str(out), "labels": rows})
    else:
        columns = _COLUMNS | (_OF_IMAGE if image else {})
        print_table(("value", "name", *columns.values()), [_shown(row, columns) for row in rows])
    messages.print(f"Wrote {out}", markup=False)


def _shown(row: dict[str, Any], columns: dict[str, str]) -> list[Any]:
    figures = (row[key] for key in columns)
    return [row["value"], row["name"], *("–" if figure is None else round(figure, 3) for figure in figures)]
