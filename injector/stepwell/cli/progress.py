"""One line on a terminal that tells how far a command is."""

from __future__ import annotations

import sys

import click


class ProgressLine:
    """A line on standard error, drawn anew each time; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Draw it anew."""
        if self._terminal:
            click.echo(f"\r\033[K{text}", err=True, nl=False)

    def clear(self) -> None:
        """Leave nothing behind."""
        self.show("")
