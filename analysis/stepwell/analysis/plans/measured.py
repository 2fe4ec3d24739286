"""Storages as `stepwell bench` measured them, in place of what a trace shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from stepwell.analysis.advice import Facts
from stepwell.analysis.storage import UNSURE, Bench, Range
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Interval, Storage

_LONGEST = 1_000
"""Characters of doubts that are passed on: they share a text with the reason of a target."""


def of(dataset: str, benches: Sequence[Bench]) -> Bench | None:
    """Return the measurement of a dataset's mount: the one whose path is nearest above it, or else below it."""
    place = PurePath(dataset)
    above = [one for one in benches if place.is_relative_to(one.path)]
    below = [one for one in benches if PurePath(one.path).is_relative_to(place)]
    return max(above, key=lambda one: len(PurePath(one.path).parts), default=next(iter(below), None))


def doubts(bench: Bench) -> str:
    """Return what a measurement says against its own numbers, in words; "" if nothing."""
    partly = {"interrupted": ["interrupted before all was measured"], "hung": ["reads did not come back"]}
    said = [*partly.get(bench.status, []), *(doubt for doubt in bench.doubts if doubt.startswith(UNSURE))]
    return "; ".join(said)[:_LONGEST]


def with_measured(facts: Facts, benches: Sequence[Bench]) -> Facts:
    """Return the facts with the models of storages that were measured."""
    storages = tuple(_measured(one, of(one.dataset, benches)) for one in facts.waits.storages)
    return replace(facts, waits=replace(facts.waits, storages=storages))


def _measured(storage: Storage, bench: Bench | None) -> Storage:
    if bench is None or storage.direction != "read":
        return storage
    return replace(
        storage,
        latency_ns=_interval(bench.latency_ns) or storage.latency_ns,
        bytes_s=_interval(bench.bytes_s) or storage.bytes_s,
        most_bytes_s=max(storage.most_bytes_s, float(bench.most_bytes_s)),
        scales=_scales(bench),
    )


def _interval(found: Range | None) -> Interval | None:
    # A trace's own model counts time and bytes in floats; neither may be 0 there.
    return Interval(*(max(float(one), 1.0) for one in (found.value, found.low, found.high))) if found else None


def _scales(bench: Bench) -> bool | None:
    """Return whether more requests at once brought more, None if only one at a time was measured."""
    rates: dict[int, list[tuple[int, int]]] = {}
    for cell in bench.cells:
        rates.setdefault(cell.block_bytes, []).append((cell.in_flight, cell.bytes_s))
    grown = [max(rate for _, rate in found) / max(min(found)[1], 1) for found in rates.values() if len(found) > 1]
    return max(grown) >= limits.SCALES if grown else None
