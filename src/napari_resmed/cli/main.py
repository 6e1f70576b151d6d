"""The commands together, and how errors reach a person: one line, no traceback unless asked for."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated, NoReturn

import typer

import napari_resmed
from napari_resmed.cli import classify, convert, demo, evaluate, info, measure, models, scribble, segment, train
from napari_resmed.cli.loading import answered
from napari_resmed.errors import ResMedError

__all__ = ["app", "main"]

# What typer makes of Ctrl-C.
_INTERRUPTED = 130

app = typer.Typer(
    name="napari-resmed",
    help="Read, segment and convert medical images. Research only, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"napari-resmed {napari_resmed.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works after any command.")
    ] = False,
) -> None:
    """Read, segment and convert medical images. Research only, not for diagnosis."""


app.command("info")(info.info)
app.command("convert")(convert.convert)
app.command("segment")(segment.segment)
app.command("classify")(classify.classify)
app.command("evaluate")(evaluate.evaluate)
app.command("measure")(measure.measure)
app.command("train")(train.train)
app.command("scribble")(scribble.scribble)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the input or the call was wrong."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names on old discs are often in another encoding than this system's: shown with escapes, not a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except ResMedError as problem:
        answered()  # it may be what became of a Ctrl-C
        _fail(str(problem), problem.exit_code, debug)
    except (KeyboardInterrupt, typer.Abort):
        answered()
        _fail("stopped; nothing was left behind", 1, debug)
    except MemoryError:
        _fail("out of memory; close other programs or choose a smaller image", 1, debug)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`... | head`); say nothing, and let exit flush nothing.
        sys.stderr.close()
        sys.exit(1)
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG:
            _fail("found a path that is longer than the file system takes; choose a shorter one", 2, debug)
        if hasattr(problem, "format_message"):  # typer's own: a wrong option or argument
            said = problem.format_message().strip()
            if not said:  # called without a command: the help was shown
                sys.exit(2)
            _fail(f"{said} See napari-resmed --help.", 2, debug)
        _fail(f"something unexpected went wrong ({type(problem).__name__}); --debug shows where", 1, debug)


def _fail(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        import traceback

        traceback.print_exc()
    print("napari-resmed: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201
    sys.exit(code)
