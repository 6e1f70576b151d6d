"""What every command prints alike: JSON, tables, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from napari_resmed import events

__all__ = ["Json", "messages", "print_json", "print_table", "run"]

Result = TypeVar("Result")

Json = typer.Option("--json", help="Print one JSON document.")
messages = Console(stderr=True, highlight=False, soft_wrap=True)
_results = Console(highlight=False)
# Into a file or a pipe a row is one line, however long: an id broken over lines cannot be searched for or copied.
_WIDE = 10_000


def print_json(document: Any) -> None:
    """The one JSON document of a command, on standard output."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    typer.echo(text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on standard output; numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    listed = [list(row) for row in rows]
    for number, column in enumerate(columns):
        right = bool(listed) and isinstance(listed[0][number], int | float)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in listed:
        # As text: a description may hold square brackets, which are markup elsewhere.
        table.add_row(*(Text(str(cell)) for cell in row))
    (_results if _results.is_terminal else Console(highlight=False, width=_WIDE)).print(table)


def run(job: Generator[events.Event, Any, Result], metrics: Mapping[str, str] | None = None) -> Result:
    """Run a job to its end, with a progress bar on standard error where that is a terminal.

    ``metrics`` are figures to tell on the way: what the job calls them, and what a person does.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(event, events.Progress):
                bar.update(task, description=event.what, completed=event.done)
            elif isinstance(event, events.Metric) and metrics and event.name in metrics:
                messages.print(f"Step {event.step}: {metrics[event.name]} {event.value:.3f}", markup=False)
            elif isinstance(event, events.Warning):
                messages.print(f"Warning: {event.message}", markup=False)
