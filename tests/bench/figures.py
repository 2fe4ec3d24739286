"""What a part of the benchmark found, as a table to read and as JSON to keep."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from rich.console import Console
from rich.table import Table as RichTable


class Spread(NamedTuple):
    """The median of repetitions, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        each = list(values)
        return cls(statistics.median(each), min(each), max(each))


Figure = Spread | float | int | str


@dataclass
class Table:
    """Named rows of named figures; units are in the columns' names."""

    title: str
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def show(self, console: Console) -> None:
        """Print it."""
        columns = list(dict.fromkeys(column for row in self.rows.values() for column in row))
        table = RichTable("", *columns, title=self.title, title_justify="left", title_style="bold")
        for name, row in self.rows.items():
            table.add_row(name, *(text(row.get(column, "")) for column in columns))
        console.print(table)
        for note in self.notes:
            console.print(note)
        console.print()

    def plain(self) -> dict[str, object]:
        """Return it as JSON has it."""
        rows = {
            name: {column: figure._asdict() if isinstance(figure, Spread) else figure for column, figure in row.items()}
            for name, row in self.rows.items()
        }
        return {"title": self.title, "rows": rows, "notes": self.notes}


def text(figure: Figure) -> str:
    """Return a figure with three digits; a spread as median (lowest to highest)."""
    if isinstance(figure, Spread):
        if figure.lowest == figure.highest:
            return text(figure.median)
        return f"{text(figure.median)} ({text(figure.lowest)} to {text(figure.highest)})"
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or abs(figure) >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
