"""Kinds of values that several commands take as options."""

from __future__ import annotations

from typing import Any

import click

from stepwell.cli import format as human


class Octets(click.ParamType[int]):
    """A size in bytes, with or without a unit."""

    name = "size"
    _example = "4096, 64KiB, 1.5GiB"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        if isinstance(value, int):
            return value
        try:
            found = human.octets(self._amount(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no {self.name}; write {self._example}", param, ctx)
        if not 0 <= found < 1 << 62:
            self.fail(f"{value!r} is too large", param, ctx)
        return found

    def _amount(self, value: str) -> str:
        return value


class Bandwidth(Octets):
    """Bytes a second."""

    name = "rate"
    _example = "200MiB/s, 1.5GB/s"

    def _amount(self, value: str) -> str:
        return value.removesuffix("/s")


class Several(click.ParamType[tuple[Any, ...]]):
    """Values of one kind with commas between them."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self.kind, self.name = kind, f"{kind.name}[,{kind.name}...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return them, each once."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(self.kind.convert(one.strip(), param, ctx) for one in value.split(",")))
