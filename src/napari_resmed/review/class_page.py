"""The page of a classifier's report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from napari_resmed.review.class_scores import BINS, CLASS_FIGURES, ClassEvaluation
from napari_resmed.review.page_style import STYLE_SHEET

__all__ = ["class_page", "surest_wrong"]

# Wrong answers that are listed, the surest first; all cases stand in metrics.csv.
MOST_WRONG = 30
_OF_ALL = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "mean AUC",
    "f1": "mean F1",
    "calibration_error": "calibration error",
}

Interval = tuple[float, float] | None


def class_page(
    evaluation: ClassEvaluation, plots: Sequence[tuple[str, str]], pictures: Mapping[str, bytes] | None = None
) -> str:
    """The whole page; ``plots`` are headings with their ``<svg>``, ``pictures`` PNGs of some cases by name."""
    tiles = "".join(
        f"<div><b>{_figure(evaluation.mean[key])}</b><span>{words}{_between(evaluation.intervals[key])}</span></div>"
        for key, words in _OF_ALL.items()
    )
    made = evaluation.made_by
    about = " · ".join(
        escape(str(part))
        for part in (
            f"{len(evaluation.answers.names)} cases",
            f"{len(evaluation.classes)} classes",
            str(made.get("time", "")).replace("T", " ").replace("+00:00", " UTC"),
            made.get("program", ""),
            "For research. Not for diagnosis.",
        )
        if part
    )
    return _PAGE.substitute(
        style=STYLE_SHEET,
        title=f"{escape(evaluation.predictions)} against {escape(evaluation.truth)}",
        about=about,
        tiles=tiles,
        notes=_notes(evaluation),
        classes=_classes(evaluation),
        plots="".join(f"<figure><h3>{escape(heading)}</h3>{svg}</figure>" for heading, svg in plots),
        wrong=_wrong(evaluation),
        pictures=_pictures(evaluation, pictures or {}),
        resamples=evaluation.resamples,
        bins=BINS,
    )


def _notes(evaluation: ClassEvaluation) -> str:
    if not evaluation.warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in evaluation.warnings)
    return f'<section class="notes"><h2>Before you trust these figures</h2><ul>{items}</ul></section>'


def _classes(evaluation: ClassEvaluation) -> str:
    heading = "".join(f"<th>{words}</th>" for words in ("cases", "predicted", *CLASS_FIGURES.values()))
    rows = "".join(
        f'<tr><th class="name">{escape(of.name)}</th><td class="count">{of.cases}</td>'
        f'<td class="count">{of.predicted}</td>'
        + "".join(
            f"<td>{_figure(of.figures[key])}<small>{_between(of.intervals[key])}</small></td>" for key in CLASS_FIGURES
        )
        + "</tr>"
        for of in evaluation.classes
    )
    means = "".join(
        f"<td>{_figure(evaluation.mean[key])}<small>{_between(evaluation.intervals[key])}</small></td>"
        for key in CLASS_FIGURES
    )
    foot = f'<tfoot><tr><th class="name">mean</th><td></td><td></td>{means}</tr></tfoot>'
    return f'<table><thead><tr><th class="name">Class</th>{heading}</tr></thead><tbody>{rows}</tbody>{foot}</table>'


def surest_wrong(evaluation: ClassEvaluation) -> list[tuple[int, float]]:
    """Row and probability of every wrong answer, the surest first."""
    found = evaluation.answers
    wrong = [row for row in range(len(found.names)) if found.truth[row] != found.predicted[row]]
    sure = [(row, float(found.shares[row, found.predicted[row]])) for row in wrong]
    return sorted(sure, key=lambda of: (-of[1], found.names[of[0]]))


def _pictures(evaluation: ClassEvaluation, pictures: Mapping[str, bytes]) -> str:
    found = evaluation.answers
    figures = "".join(
        f'<figure class="case"><img alt="{escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(pictures[name]).decode()}"><figcaption><b>{escape(name)}</b><br>'
        f"is {escape(found.classes[found.truth[row]])}, was said to be "
        f"{escape(found.classes[found.predicted[row]])} ({sure:.3f})</figcaption></figure>"
        for row, sure in surest_wrong(evaluation)
        if (name := found.names[row]) in pictures
    )
    return f'<div class="pictures">{figures}</div>' if figures else ""


def _wrong(evaluation: ClassEvaluation) -> str:
    found = evaluation.answers
    wrong = surest_wrong(evaluation)
    if not wrong:
        return "<p>None.</p>"
    listed = wrong[:MOST_WRONG]
    rows = "".join(
        f'<tr><th class="name">{escape(found.names[row])}</th><td>{escape(found.classes[found.truth[row]])}</td>'
        f"<td>{escape(found.classes[found.predicted[row]])}</td><td>{sure:.3f}</td></tr>"
        for row, sure in listed
    )
    more = f"<p>And {len(wrong) - len(listed)} more, in metrics.csv.</p>" if len(wrong) > len(listed) else ""
    heading = '<th class="name">Case</th><th>true</th><th>predicted</th><th>probability</th>'
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _between(interval: Interval) -> str:
    return "" if interval is None else f" {interval[0]:.3f}–{interval[1]:.3f}"


_PAGE = Template("""<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation: $title</title>
<style>
$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<div class="about">$about</div>
<div class="tiles">$tiles</div>
</header>
$notes
<section>
<h2>By class</h2>
<p>Each class against all others. Behind a figure, the range that chance would move it in.</p>
<div class="scroll">$classes</div>
</section>
<section>
<h2>All cases</h2>
<div class="plots">$plots</div>
</section>
<section>
<h2>Wrong answers, the surest first</h2>
$pictures
<div class="scroll">$wrong</div>
</section>
<section>
<h2>What the figures mean</h2>
<dl>
<dt>Accuracy</dt><dd>Share of the cases that were answered rightly; balanced, the mean over classes of that
share.</dd>
<dt>Precision, recall</dt><dd>Share of the cases said to be of a class that are, and of those that are that were said
to be (sensitivity). F1 is their harmonic mean.</dd>
<dt>Specificity</dt><dd>Share of the cases that are not of a class and were not said to be.</dd>
<dt>AUC</dt><dd>Probability that a case of the class has a higher probability than one that is not: area under the
ROC curve.</dd>
<dt>Average precision</dt><dd>Precision over all thresholds, weighted by what recall each adds.</dd>
<dt>Calibration error</dt><dd>How far, on average, the probability of an answer lies from the share of such answers
that are right, in $bins bins.</dd>
<dt>Ranges</dt><dd>95 % of $resamples resamples of the patients, drawn with replacement, lie in them. A range is left
out where too many resamples have no figure, and where all have the same.</dd>
</dl>
</section>
</body>
</html>
""")
