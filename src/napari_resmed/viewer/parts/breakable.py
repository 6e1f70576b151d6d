"""Places where a long name may go on in the next line: a file's or a layer's often has no blank in it."""

from __future__ import annotations

import re

__all__ = ["breakable", "unbroken"]

# A blank of no width, behind which a line may end (Unicode 16, annex 14, class ZW).
CHANCE = "\u200b"
# Shorter runs without a blank fit a dock.
LONG = 20
# A line may end behind these; and where none of them comes, after so many characters.
_SEPARATORS = "_./\\-:=+,;"
_AT_LEAST_EVERY = 10
# A tag, or a character: what stands for one in HTML counts as one.
_HTML = re.compile(r"<[^>]*>|&#?\w+;|.", re.DOTALL)
_PLAIN = re.compile(r".", re.DOTALL)


def breakable(text: str, *, rich: bool = False) -> str:
    """A text with chances for a break in every long run of characters without a blank.

    Parameters
    ----------
    text:
        Any.
    rich:
        Whether it is HTML, whose tags and entities stay whole.
    """
    done: list[str] = []
    run: list[str] = []
    for unit in (_HTML if rich else _PLAIN).findall(text):
        if unit.isspace() or unit in ("<br>", "&nbsp;"):
            done += [*_with_chances(run), unit]
            run = []
        else:
            run.append(unit)
    return "".join([*done, *_with_chances(run)])


def unbroken(text: str) -> str:
    """The text without them, as it is copied."""
    return text.replace(CHANCE, "")


def _with_chances(run: list[str]) -> list[str]:
    shown = sum(not _is_tag(unit) for unit in run)
    if shown <= LONG:
        return run
    done: list[str] = []
    since = 0
    for unit in run:
        done.append(unit)
        if _is_tag(unit):
            continue
        since, shown = since + 1, shown - 1
        if shown and (unit in _SEPARATORS or since == _AT_LEAST_EVERY):
            done.append(CHANCE)
            since = 0
    return done


def _is_tag(unit: str) -> bool:
    return len(unit) > 1 and unit.startswith("<")
