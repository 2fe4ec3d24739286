"""Packages whose names are imported when they are first asked for, as PEP 562 lets modules do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, names: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: its `__name__`.
        names: what it shows, by the module in it that has it; none is called like a module of the package.
    """
    places = {name: f"{package}.{module}" for module, found in names.items() for name in found}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return find
