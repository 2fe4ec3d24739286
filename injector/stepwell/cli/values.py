"""Kinds of values that several commands take as options."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import click

from stepwell.cli import format as human
from stepwell.cli.interrupts import deadly_interrupts


class Octets(click.ParamType[int]):
    """A size in bytes, with or without a unit."""

    name = "size"
    _example = "4096, 64KiB, 1.5GiB"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        if isinstance(value, int):
            return value
        try:
            found = human.octets(self._amount(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no {self.name}; write {self._example}", param, ctx)
        if not self._least <= found < 1 << 62:
            wrong = "large" if found >= self._least else f"small; it may be {human.size(self._least)} at least"
            self.fail(f"{value!r} is too {wrong}", param, ctx)
        return found

    def _amount(self, value: str) -> str:
        return value


class Bandwidth(Octets):
    """Bytes a second."""

    name = "rate"
    _example = "200MiB/s, 1.5GB/s"

    def _amount(self, value: str) -> str:
        return value.removesuffix("/s")


class Seconds(click.ParamType[float]):
    """A time above zero, in seconds."""

    name = "time"
    _units: ClassVar = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, int | float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", value)
        if not match or not (seconds := float(match[1]) * self._units[match[2]]):
            self.fail(f"{value!r} is not a time above zero such as 10s, 5m or 1.5h", param, ctx)
        return seconds


class Several(click.ParamType[tuple[Any, ...]]):
    """Values of one kind with commas between them."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self.kind, self.name = kind, f"{kind.name}[,{kind.name}...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return them, each once."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(self.kind.convert(one.strip(), param, ctx) for one in value.split(",")))


def together(_ctx: click.Context, _param: click.Parameter, value: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """Return the values of an option that was given several times, each once."""
    return tuple(dict.fromkeys(one for several in value for one in several))


class StoragePath(click.Path):
    """A path on a storage that may hang: Ctrl-C ends the look whether it is there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        with deadly_interrupts():
            return super().convert(value, param, ctx)
