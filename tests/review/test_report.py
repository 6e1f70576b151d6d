from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io import write
from napari_resmed.jobs.evaluate import evaluate
from napari_resmed.review.metrics import METRICS, LabelScore
from napari_resmed.review.plots import PLOTTED, metric_plot
from napari_resmed.review.report import FILES, check_report_place
from napari_resmed.review.scores import CaseScores, Evaluation, summarise
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.review.shapes import blobs, disturbed

CASES = 8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data")
    for name in ("truth", "predictions", "images"):
        (place / name).mkdir()
    affine = make_affine(spacing_mm=(2.5, 1, 1), origin_mm=(-20, 30, 5))
    for number in range(CASES):
        truth = blobs(number, (10, 30, 26), 4)
        prediction = disturbed(truth, number, 0.05 + 0.05 * number)
        if number == 5:
            prediction[prediction == 2] = 0
        # A name that is also HTML: it has to come out as it went in.
        name = f"a<b>&{number}.nii.gz"
        write(Volume(truth, affine), place / "truth" / name)
        write(Volume(prediction, affine), place / "predictions" / name)
        write(Volume(truth * 50.0 + 1, affine), place / "images" / name)
    return place


def run(data: Path, report: Path | None, **options) -> Evaluation:
    steps = evaluate(data / "predictions", data / "truth", report=report, **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def written(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    folder = tmp_path_factory.mktemp("out") / "report"
    return folder, run(data, folder, images=data / "images")


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether every tag is closed in its turn."""

    EMPTY = ("meta", "br", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class TestReport:
    def test_files(self, written: tuple[Path, Evaluation]) -> None:
        folder, found = written
        assert sorted(entry.name for entry in folder.iterdir()) == sorted(FILES)
        assert folder.stat().st_mode & 0o055
        assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == found.to_json()
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == CASES * 4
        for row, wanted in zip(rows, found.rows(), strict=True):
            assert {key: "" if value is None else str(value) for key, value in wanted.items()} == row
        assert not [entry for entry in folder.parent.iterdir() if entry != folder]

    def test_page_is_well_formed_and_needs_nothing(self, written: tuple[Path, Evaluation]) -> None:
        text = (written[0] / "report.html").read_text(encoding="utf-8")
        shown = Page(text)
        assert shown.open == []
        for tag, attributes in shown.tags:
            for name in ("src", "href", "xlink:href", "data", "action"):
                assert attributes.get(name, "#").startswith(("#", "data:image/png")), (tag, attributes)
        assert not re.search(r"url\((?!#)|@import|<script|<link", text)

    def test_page_says_what_was_found(self, written: tuple[Path, Evaluation]) -> None:
        folder, found = written
        shown = Page((folder / "report.html").read_text(encoding="utf-8"))
        words = " ".join(" ".join(shown.words).split())
        assert words.count("Not for diagnosis") == 1
        assert f"{found.mean['dice']:.3f} mean Dice" in words
        for label in found.labels:
            assert f"{label.name} {label.value}" in words
            assert f"{label.statistics['dice'].mean:.3f}" in words
        assert "a<b>&5" in words
        assert sum(tag == "img" for tag, _ in shown.tags) == 6
        assert sum(tag == "svg" for tag, _ in shown.tags) == len(PLOTTED)
        worst = [case.name for case in sorted(found.cases, key=lambda case: case.mean("dice"))]
        pictured = [attributes["alt"].split(":")[0] for tag, attributes in shown.tags if tag == "img"]
        assert pictured == worst[:6]

    def test_no_place_on_disk_is_told(self, written: tuple[Path, Evaluation], data: Path) -> None:
        for name in FILES:
            assert str(data) not in (written[0] / name).read_text(encoding="utf-8")


class TestPlots:
    @pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
    def test_every_metric_has_every_case(self, metric, written: tuple[Path, Evaluation]) -> None:
        found = written[1]
        picture = ElementTree.fromstring(metric_plot(found, metric))
        space = "{http://www.w3.org/2000/svg}"
        markers = [
            node
            for node in picture.iter(f"{space}use")
            if any("PathCollection" in str(g.get("id")) for g in parents(picture, node))
        ]
        known = [score.figure(metric) for case in found.cases for score in case.labels]
        assert len(markers) == sum(figure is not None for figure in known)
        words = {text.text for text in picture.iter(f"{space}text")}
        assert {label.name for label in found.labels} <= words

    def test_the_same_figures_give_the_same_file(self, written: tuple[Path, Evaluation]) -> None:
        assert metric_plot(written[1], METRICS[0]) == metric_plot(written[1], METRICS[0])


def parents(tree: ElementTree.Element, node: ElementTree.Element) -> list[ElementTree.Element]:
    above = {child: parent for parent in tree.iter() for child in parent}
    found = []
    while node in above:
        node = above[node]
        found.append(node)
    return found


class TestPlace:
    def test_an_earlier_report_is_replaced(self, data: Path, tmp_path: Path) -> None:
        folder = tmp_path / "report"
        run(data, folder, labels=(1,))
        first = (folder / "metrics.json").read_text()
        run(data, folder, labels=(2,))
        assert (folder / "metrics.json").read_text() != first
        assert sorted(entry.name for entry in folder.iterdir()) == sorted(FILES)
        assert [entry.name for entry in tmp_path.iterdir()] == ["report"]

    def test_anything_else_is_left(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(InputError, match=r"holds notes.txt, which is no part of a report"):
            run(data, tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]

    def test_refused_before_any_work(self, tmp_path: Path, locked_disk: Path) -> None:
        (tmp_path / "file").write_text("")
        for place, reason in (
            (tmp_path / "file", "is a file, expected a new folder"),
            (tmp_path / "none" / "report", "does not exist; create it first"),
            (locked_disk / "report", "writing is not allowed there"),
        ):
            with pytest.raises(InputError, match=reason):
                check_report_place(place)

    def test_a_full_disk_changes_nothing(
        self, data: Path, tmp_path: Path, small_disk: Callable[[], AbstractContextManager[None]]
    ) -> None:
        folder = tmp_path / "report"
        run(data, folder, labels=(1,))
        before = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
        with small_disk(), pytest.raises(WorkError, match="nothing was left there"):
            run(data, folder)
        assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_one_case_with_one_perfect_label(tmp_path: Path) -> None:
    """The least there can be."""
    data = np.zeros((6, 6, 6), np.uint8)
    data[2:4, 2:4, 2:4] = 1
    write(Volume(data, make_affine()), tmp_path / "a_seg.nii.gz")
    steps = evaluate(tmp_path / "a_seg.nii.gz", tmp_path / "a_seg.nii.gz", report=tmp_path / "report")
    assert len(list(steps)) > 2
    assert Page((tmp_path / "report/report.html").read_text(encoding="utf-8")).open == []


def test_a_single_figure_far_off_does_not_hide_the_others() -> None:
    scores = [LabelScore(1, "compared", hausdorff_95_mm=distance) for distance in (*np.linspace(1, 2, 40), 300.0)]
    cases = tuple(CaseScores(str(number), "", "", (score,)) for number, score in enumerate(scores))
    labels, mean = summarise(cases, {1: "Liver"})
    metric = next(metric for metric in METRICS if metric.key == "hausdorff_95_mm")
    assert "logarithmic beyond 2" in metric_plot(Evaluation("p", "t", 1, cases, labels, mean), metric)
    labels, mean = summarise(cases[:-1], {1: "Liver"})
    assert "logarithmic" not in metric_plot(Evaluation("p", "t", 1, cases[:-1], labels, mean), metric)
