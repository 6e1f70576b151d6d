"""The page of a report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from string import Template

from napari_resmed.review.metrics import METRICS, LabelScore, Metric
from napari_resmed.review.page_style import STYLE_SHEET
from napari_resmed.review.pictures import PREDICTION_COLOUR, TRUTH_COLOUR, Picture
from napari_resmed.review.scores import Evaluation, LabelSummary

__all__ = ["Shown", "page"]

# Cells of the table of every case and label; more stand in metrics.csv alone, or the page would not open.
MOST_CELLS = 20_000

_BY_KEY = {metric.key: metric for metric in METRICS}
_IN_TABLE = tuple(
    _BY_KEY[key]
    for key in (
        "dice",
        "iou",
        "precision",
        "recall",
        "surface_dice",
        "hausdorff_95_mm",
        "mean_surface_distance_mm",
        "volume_error_ml",
        "volume_error_percent",
        "absolute_volume_error_percent",
    )
)
_IN_CASES = tuple(_BY_KEY[key] for key in ("dice", "surface_dice", "hausdorff_95_mm", "mean_surface_distance_mm"))
_MARKS = {"missed": "missed", "false alarm": "false alarm", "absent": "–", "not annotated": "n/a"}


@dataclass(frozen=True)
class Shown:
    """A picture of a case, and what stands below it."""

    case: str
    mean_dice: float | None
    worst: str
    picture: Picture


def page(evaluation: Evaluation, plots: Sequence[tuple[Metric, str]], pictures: Sequence[Shown]) -> str:
    """The whole page.

    Parameters
    ----------
    evaluation:
        What was found.
    plots:
        Metrics with their ``<svg>``.
    pictures:
        The worst cases, worst first.
    """
    return _PAGE.substitute(
        style=STYLE_SHEET,
        title=f"{escape(evaluation.predictions)} against {escape(evaluation.truth)}",
        about=_about(evaluation),
        tiles="".join(_tiles(evaluation)),
        notes=_notes(evaluation),
        labels=_label_table(evaluation),
        plots="".join(f"<figure><h3>{escape(_heading(metric))}</h3>{svg}</figure>" for metric, svg in plots),
        pictures=_pictures(pictures),
        cases=_case_table(evaluation),
        cells=_cell_table(evaluation),
        tolerance=f"{evaluation.tolerance_mm:g}",
        ignored=f" Voxels that the truth marks with {evaluation.ignore} are not known and were left out."
        if evaluation.ignore is not None
        else "",
        truth_colour=TRUTH_COLOUR,
        prediction_colour=PREDICTION_COLOUR,
    )


def _about(evaluation: Evaluation) -> str:
    made_by = evaluation.made_by or {}
    parts = [
        _plural(len(evaluation.cases), "case"),
        _plural(len(evaluation.labels), "label"),
        str(made_by.get("time", "")).replace("T", " ").replace("+00:00", " UTC"),
        str(made_by.get("program", "")),
        "For research. Not for diagnosis.",
    ]
    return " · ".join(escape(part) for part in parts if part)


def _tiles(evaluation: Evaluation) -> Iterable[str]:
    for key in ("dice", "surface_dice", "hausdorff_95_mm", "absolute_volume_error_percent"):
        metric = _BY_KEY[key]
        yield _tile(_with_unit(evaluation.mean[key], metric), f"mean {_lower(_title(metric, evaluation))}")
    for words, count in (
        ("missed", sum(label.missed for label in evaluation.labels)),
        ("false alarm" + "s", sum(label.false_alarms for label in evaluation.labels)),
    ):
        yield _tile(str(count), words)


def _tile(figure: str, words: str) -> str:
    return f"<div><b>{figure}</b><span>{escape(words)}</span></div>"


def _notes(evaluation: Evaluation) -> str:
    if not evaluation.warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in evaluation.warnings)
    return f'<section class="notes"><h2>Before you trust these figures</h2><ul>{items}</ul></section>'


def _label_table(evaluation: Evaluation) -> str:
    annotated = any(label.not_annotated for label in evaluation.labels)
    heading = "".join(f"<th>{_title(metric, evaluation)}{_unit(metric)}</th>" for metric in _IN_TABLE)
    counts = "<th>compared</th><th>missed</th><th>false alarms</th><th>absent</th>"
    if annotated:
        counts += "<th>not annotated</th>"
    rows = "".join(_label_row(label, annotated) for label in evaluation.labels)
    mean = "".join(f"<td>{_number(evaluation.mean[metric.key], metric)}</td>" for metric in _IN_TABLE)
    blanks = "<td></td>" * (5 if annotated else 4)
    return (
        f'<table><thead><tr><th class="name">Label</th>{counts}{heading}</tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th class="name">Mean over labels</th>{blanks}{mean}</tr></tfoot></table>'
    )


def _label_row(label: LabelSummary, annotated: bool) -> str:
    cells = []
    for metric in _IN_TABLE:
        found = label.statistics[metric.key]
        spread = "" if found.std is None else f"<small> ± {_number(found.std, metric)}</small>"
        told = f"median {_number(found.median, metric)}, {_number(found.min, metric)} to {_number(found.max, metric)}"
        words = f"{told}, {_plural(found.cases, 'case')}" if found.cases else "no case has this figure"
        cells.append(f'<td title="{words}">{_number(found.mean, metric)}{spread}</td>')
    counts = [label.compared, label.missed, label.false_alarms, label.absent]
    if annotated:
        counts.append(label.not_annotated)
    wrong = (1, 2)
    numbers = "".join(
        f'<td class="{"wrong" if place in wrong and count else "count"}">{count}</td>'
        for place, count in enumerate(counts)
    )
    name = f"{escape(label.name)}<small> {label.value}</small>"
    return f'<tr><th class="name">{name}</th>{numbers}{"".join(cells)}</tr>'


def _pictures(pictures: Sequence[Shown]) -> str:
    if not pictures:
        return ""
    figures = []
    for shown in pictures:
        drawn = shown.picture
        where = f"{drawn.plane} slice {drawn.slice} of {drawn.slices}, where most voxels are wrong"
        source = base64.b64encode(drawn.png).decode()
        dice = "no Dice" if shown.mean_dice is None else f"mean Dice {shown.mean_dice:.3f}"
        figures.append(
            f'<figure class="case"><img alt="{escape(shown.case)}: {escape(where)}" '
            f'src="data:image/png;base64,{source}"><figcaption><b>{escape(shown.case)}</b><br>{dice}'
            f"{escape(shown.worst)}<br><small>{where}</small></figcaption></figure>"
        )
    heading = "The worst cases" if len(pictures) > 1 else "Where it is worst"
    return (
        f"<section><h2>{heading}</h2><p>Lowest mean Dice first. "
        '<span class="key truth"></span> truth, wide line '
        '<span class="key prediction"></span> prediction, narrow line. Outlines follow the voxels.</p>'
        f'<div class="pictures">{"".join(figures)}</div></section>'
    )


def _case_table(evaluation: Evaluation) -> str:
    heading = "".join(f"<th>{_title(metric, evaluation)}{_unit(metric)}</th>" for metric in _IN_CASES)
    rows = []
    ordered = sorted(evaluation.cases, key=lambda case: (case.mean("dice") is None, case.mean("dice") or 0.0))
    for case in ordered:
        found = [score.status for score in case.labels]
        figures = "".join(f"<td>{_number(case.mean(metric.key), metric)}</td>" for metric in _IN_CASES)
        numbers = "".join(
            f'<td class="{"wrong" if count else "count"}">{count}</td>'
            for count in (found.count("missed"), found.count("false alarm"))
        )
        file = escape(case.prediction) if case.prediction else "<i>no prediction</i>"
        rows.append(f'<tr><th class="name">{escape(case.name)}</th>{figures}{numbers}<td class="file">{file}</td></tr>')
    return (
        f'<table><thead><tr><th class="name">Case</th>{heading}<th>missed</th><th>false alarms</th>'
        f'<th class="file">Prediction</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _cell_table(evaluation: Evaluation) -> str:
    if len(evaluation.cases) * len(evaluation.labels) > MOST_CELLS:
        return "<p>There are too many cases and labels to show each here: metrics.csv has them all.</p>"
    heading = "".join(f'<th class="turned"><span>{escape(label.name)}</span></th>' for label in evaluation.labels)
    rows = "".join(
        f'<tr><th class="name">{escape(case.name)}</th>{"".join(_cell(score) for score in case.labels)}</tr>'
        for case in evaluation.cases
    )
    return (
        "<details><summary>Dice of every case and label</summary>"
        "<p>The darker, the worse. A dash: neither map has it. n/a: not annotated.</p>"
        f'<table class="cells"><thead><tr><th class="name">Case</th>{heading}</tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def _cell(score: LabelScore) -> str:
    if score.dice is None or score.status != "compared":
        return f'<td class="{"wrong" if score.dice is not None else "count"}">{_MARKS[score.status]}</td>'
    # One hue that only gets darker: readable in any colour vision, and in print.
    share = (1 - score.dice) ** 0.7
    red, green, blue = (round(255 + (dark - 255) * share) for dark in (0, 60, 110))
    ink = "#fff" if share > 0.5 else "inherit"
    return f'<td style="background:rgb({red},{green},{blue});color:{ink}">{score.dice:.2f}</td>'


def _heading(metric: Metric) -> str:
    return f"{metric.title}{f', {metric.unit}' if metric.unit else ''}"


def _title(metric: Metric, evaluation: Evaluation) -> str:
    if metric.key == "surface_dice":
        return f"{metric.title} at {evaluation.tolerance_mm:g} mm"
    return metric.title


def _lower(title: str) -> str:
    """Inside a sentence; names of people keep their capital."""
    return title if title.startswith(("Dice", "Hausdorff", "IoU")) else title[0].lower() + title[1:]


def _unit(metric: Metric) -> str:
    return f"<small> {metric.unit}</small>" if metric.unit else ""


def _with_unit(figure: float | None, metric: Metric) -> str:
    return _number(figure, metric) + (f"<small> {metric.unit}</small>" if metric.unit and figure is not None else "")


def _number(figure: float | None, metric: Metric) -> str:
    if figure is None:
        return "–"
    text = f"{figure:.{metric.decimals}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


_PAGE = Template("""<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation: $title</title>
<style>
$style.key.truth { border-top: 5px solid $truth_colour; }
.key.prediction { border-top: 2px solid $prediction_colour; }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<div class="about">$about</div>
<div class="tiles">$tiles</div>
</header>
$notes
<section>
<h2>By label</h2>
<p>Mean ± standard deviation over cases. Rest the pointer on a figure for median, range and number of cases.</p>
<div class="scroll">$labels</div>
</section>
<section>
<h2>Every case</h2>
<p>Each point is a case; boxes show the quartiles and the median. A cross is a structure that was missed, or found
where there is none; it has no distance.</p>
<div class="plots">$plots</div>
</section>
$pictures
<section>
<h2>By case</h2>
<p>Mean over the labels of a case, the worst first.</p>
<div class="scroll">$cases</div>
<div class="scroll">$cells</div>
</section>
<section>
<h2>What the figures mean</h2>
<dl>
<dt>Dice, IoU</dt><dd>Overlap of the voxels, 0 to 1: twice the shared voxels over the sum of both, and the shared over
those of either.</dd>
<dt>Precision, recall</dt><dd>Share of the predicted voxels that are true, and of the true ones that were
predicted.</dd>
<dt>Surface Dice</dt><dd>Share of both surfaces that lies within $tolerance mm of the other (after Nikolov et al.
2018). Surfaces are border voxels, each counted alike; distances run between voxel centres in the patient.</dd>
<dt>Hausdorff 95 %</dt><dd>95 % of one surface lie nearer to the other than this; the larger of both directions.</dd>
<dt>Mean surface distance</dt><dd>Mean distance to the other surface, over both surfaces together.</dd>
<dt>Volume error</dt><dd>Predicted less true volume: positive where too much was found. The absolute error leaves the
sign out, so that in a mean too much does not make up for too little.</dd>
<dt>Missed, false alarm</dt><dd>The truth alone, or the prediction alone, has the structure: Dice, IoU and surface Dice
are 0 and count; there is no distance, so the means of distances are over fewer cases.</dd>
<dt>Absent, not annotated</dt><dd>Neither has the structure, or nobody looked for it: no figure, and nothing
counts.$ignored</dd>
<dt>Means</dt><dd>Over the cases of a label, then over labels, each label alike.</dd>
</dl>
</section>
</body>
</html>
""")
