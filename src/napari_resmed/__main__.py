"""The command ``napari-resmed``, and ``python -m napari_resmed``."""

from __future__ import annotations

import sys
from typing import NoReturn

from napari_resmed.cli.loading import answered, whole

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line; Ctrl-C while it is still loading ends it in one line, too."""
    try:
        with whole():
            from napari_resmed.cli.main import main as run
    except KeyboardInterrupt:
        answered()
        print("napari-resmed: stopped; nothing was left behind", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    run()


if __name__ == "__main__":
    main()
