"""A folder with what an evaluation found: a page to read, a table, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.files import read
from napari_resmed.io.tables import write_table
from napari_resmed.io.whole_file import check_place, whole_folder
from napari_resmed.review.compare_files import Measure, read_maps
from napari_resmed.review.page import Shown, page
from napari_resmed.review.pairing import Pair, image_of
from napari_resmed.review.pictures import picture
from napari_resmed.review.plots import PLOTTED, metric_plot
from napari_resmed.review.scores import CaseScores, Evaluation
from napari_resmed.volume import Volume

__all__ = ["FILES", "check_report_place", "write_report"]

FILES = ("report.html", "metrics.csv", "metrics.json")
# Cases whose pictures are shown: two rows on a wide screen.
PICTURES = 6


def check_report_place(folder: Path) -> None:
    """Refuse, before any work is done, a place that a report cannot be written to.

    Raises
    ------
    InputError
        If it is a file, holds anything that is no part of an earlier report, or nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a new folder for the report; choose another name")
    if folder.is_dir():
        others = sorted({entry.name for entry in folder.iterdir()} - set(FILES))
        if others:
            raise InputError(
                f"{folder} holds {others[0]}, which is no part of a report; choose a new or empty folder, or an "
                "earlier report's"
            )
    # Of a folder that is there, a name that is certainly free stands for it.
    check_place(folder.absolute().parent / f".{folder.name}-report" if folder.is_dir() else folder)


def write_report(
    evaluation: Evaluation,
    folder: Path,
    pairs: Mapping[str, Pair],
    measure: Measure,
    images: Path | None = None,
) -> Generator[float, None, None]:
    """Write ``report.html``, ``metrics.csv`` and ``metrics.json``, all or nothing; yields the share that is done.

    Parameters
    ----------
    evaluation:
        What was found.
    folder:
        A new or empty folder, or an earlier report, which goes when the new one is there.
    pairs:
        The files of every case, by its name, for the pictures.
    measure:
        How they were compared.
    images:
        The images: a file, or a folder where they are named like the truth.

    Raises
    ------
    InputError
        If the place cannot be used.
    WorkError
        If writing fails.
    """
    check_report_place(folder)
    worst = _worst(evaluation)
    pictures = []
    for number, case in enumerate(worst):
        yield number / (len(worst) + 1)
        pictures.append(_shown(case, evaluation, pairs[case.name], measure, images))
    yield len(worst) / (len(worst) + 1)
    plots = [(metric, metric_plot(evaluation, metric)) for metric in PLOTTED]
    with whole_folder(folder) as part:
        (part / "report.html").write_text(page(evaluation, plots, pictures), encoding="utf-8")
        write_table(evaluation.rows(), part / "metrics.csv")
        text = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (part / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _worst(evaluation: Evaluation) -> list[CaseScores]:
    """The cases with the lowest mean Dice, lowest first."""
    known = [(dice, case) for case in evaluation.cases if (dice := case.mean("dice")) is not None]
    return [case for _, case in sorted(known, key=lambda entry: (entry[0], entry[1].name))[:PICTURES]]


def _shown(case: CaseScores, evaluation: Evaluation, pair: Pair, measure: Measure, images: Path | None) -> Shown:
    maps = read_maps(pair, resample=measure.resample)
    compared = [score.value for score in case.labels if score.dice is not None]
    known = np.ones(maps.truth.shape, bool) if measure.ignore is None else maps.truth.data != measure.ignore
    truth = np.where(known & np.isin(maps.truth.data, compared), maps.truth.data, 0)
    prediction = np.where(known & np.isin(maps.prediction, compared), maps.prediction, 0)
    low = min((score for score in case.labels if score.dice is not None), key=lambda score: score.dice or 0.0)
    names = {label.value: label.name for label in evaluation.labels}
    worst = f"; lowest {names[low.value]} {low.dice:.3f}" if len(compared) > 1 else ""
    return Shown(
        case.name,
        case.mean("dice"),
        worst,
        picture(truth, prediction, maps.truth.affine, _image(pair, images)),
    )


def _image(pair: Pair, images: Path | None) -> Volume | None:
    path = image_of(pair.truth, images) if images is not None else None
    return read(path) if path is not None else None
