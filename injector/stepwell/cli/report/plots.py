"""Pictures out of characters: heat strips, lines in Braille dots, bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from stepwell.cli.format import printable

SHADES = "·░▒▓█"
"""From nothing to most."""

DECADES = 0.75
"""Powers of ten from one shade to the next."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"

_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bit of each of the 4 x 2 dots in a Braille character, row by row (Unicode 15.0, block "Braille Patterns")."""


ASCII = str.maketrans(
    dict(zip("·░▒▓█…─▁▂▃▄▅▆▇▏▎▍▌▋▊▉", ".:+*#~-__..++###||||##", strict=False))
    | {chr(_BRAILLE + dots): "*" if dots else " " for dots in range(256)}
)
"""What stands for the pictures' characters where there is nothing but ASCII."""


def heading(console: Console, words: str, note: str = "") -> None:
    """Print the line above a part of the report."""
    console.print()
    text = Text(words, style="bold")
    if note:
        text.append(f"  {note}", style="not bold bright_black")
    console.print(Rule(text, align="left", style="bright_black"))


def resample(cells: Sequence[float], columns: int) -> list[float]:
    """Return `cells` shared out to `columns` of equal width; the sum stays."""
    total = np.concatenate(([0.0], np.cumsum(np.asarray(cells, dtype=float))))
    edges = np.linspace(0, len(cells), columns + 1)
    at_edges: list[float] = np.diff(np.interp(edges, np.arange(len(total)), total)).tolist()
    return at_edges


def strip(cells: Sequence[float], highest: float) -> str:
    """Return a row of bars, one character high; what is more than nothing shows."""
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(cell / highest * 8))] if cell > 0 else " " for cell in cells)


def level(value: float, highest: float) -> int:
    """Return the index in `SHADES`: 0 for nothing, the last for the highest, one less for each `DECADES` below it."""
    if value < 0.5:
        return 0
    below = math.log10(max(highest / value, 1))
    return max(1, len(SHADES) - 1 - int(below / DECADES))


def braille(
    lines: Iterable[tuple[float, float, float, float]], end: tuple[float, float], columns: int, rows: int
) -> list[str]:
    """Return straight lines as text, the first row being the highest.

    Args:
        lines: x0, y0, x1, y1 of each, counted from 0 at the lower left.
        end: largest x and y.
        columns: width in characters, of 2 dots each.
        rows: height in characters, of 4 dots each.
    """
    dots = np.zeros((rows * 4, columns * 2), dtype=bool)
    width, height = columns * 2 - 1, rows * 4 - 1
    for x0, y0, x1, y1 in lines:
        left, right = (min(max(x / max(end[0], 1), 0), 1) * width for x in (x0, x1))
        low, high = (min(max(y / max(end[1], 1), 0), 1) * height for y in (y0, y1))
        steps = int(max(abs(right - left), abs(high - low))) + 2
        x = np.rint(np.linspace(left, right, steps)).astype(int)
        y = np.rint(np.linspace(low, high, steps)).astype(int)
        dots[height - y, x] = True
    characters = (dots.reshape(rows, 4, columns, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3)) + _BRAILLE
    return ["".join(map(chr, row)) for row in characters.tolist()]


def bar(value: float, highest: float, columns: int) -> str:
    """Return a bar of up to `columns` characters; what is more than nothing shows at least a sliver."""
    eighths = round(value / highest * columns * 8) if highest > 0 else 0
    if value > 0:
        eighths = max(eighths, 1)
    return _EIGHTHS[8] * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def fit(text: str, columns: int) -> str:
    """Return `text` cut to `columns` characters; the end of a path tells more than its start."""
    text = printable(text)
    return text if len(text) <= columns else "…" + text[len(text) - columns + 1 :]
