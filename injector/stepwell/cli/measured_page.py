"""A measured storage as one HTML page: its curves by block size and concurrency, and the model fitted to them."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from stepwell.cli.measured import sentences
from stepwell.cli.report.frame import fill

if TYPE_CHECKING:
    from stepwell.analysis.storage import Bench

_MODEL = "; dashed: by the line of one read, up to the highest rate that was measured"


def page(bench: Bench) -> str:
    """Return the page."""
    data = _data(bench)
    return fill(
        "measured",
        data,
        title=f"storage of {bench.path}",
        version=version("stepwell"),
        bench=bench,
        sentences=list(sentences(bench)),
        drawn=bool(data["cells"]),
        fitted=bool(data["line"]),
        model=_MODEL if data["model"] else "",
    )


def _data(bench: Bench) -> dict[str, Any]:
    """Return what the charts draw; what is not a positive number has no place on a logarithmic scale."""
    cells = [cell for cell in bench.cells if cell.bytes_s and cell.median_ns]
    least = min((cell.in_flight for cell in cells), default=0)
    blocks = sorted({cell.block_bytes for cell in cells})
    return {
        "cells": [
            {"block": cell.block_bytes, "at_once": cell.in_flight, "rate": cell.bytes_s, "median": cell.median_ns}
            for cell in cells
        ],
        "alone": [
            {"block": cell.block_bytes, "median": cell.median_ns, "p99": cell.p99_ns}
            for cell in cells
            if cell.in_flight == least
        ],
        "line": _line(bench, blocks),
        "model": [
            {"block": cell.block_bytes, "at_once": cell.in_flight, "rate": rate}
            for cell in cells
            if (rate := _together(bench, cell.block_bytes, cell.in_flight)) is not None
        ],
        "knee": bench.knee_bytes if blocks and blocks[0] <= (bench.knee_bytes or 0) <= blocks[-1] else None,
        "choice": [bench.choice.block_bytes, bench.choice.in_flight] if bench.choice else None,
    }


def _line(bench: Bench, blocks: list[int]) -> list[dict[str, int | None]]:
    """Return the fitted line and its bounds at each power of two from the smallest to the largest block."""
    if bench.latency_ns is None or bench.bytes_s is None or not blocks:
        return []
    latency, rate = bench.latency_ns, bench.bytes_s
    sizes = [1 << power for power in range(blocks[0].bit_length() - 1, blocks[-1].bit_length())]
    return [
        {
            "block": block,
            "expected": bench.expected_ns(block),
            "low": latency.low + block * 10**9 // max(rate.high, 1),
            "high": latency.high + block * 10**9 // max(rate.low, 1),
        }
        for block in sizes
    ]


def _together(bench: Bench, block: int, at_once: int) -> int | None:
    """Return the rate, in bytes a second, of reads at once that each take the time of the line: Little's law."""
    expected = bench.expected_ns(block)
    return min(bench.most_bytes_s, at_once * block * 10**9 // expected) if expected else None
