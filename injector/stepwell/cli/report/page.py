"""The report as one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.cli import evidence, planned
from stepwell.cli import format as form
from stepwell.cli.report import words
from stepwell.cli.report.frame import fill

if TYPE_CHECKING:
    from stepwell.analysis import Insight, Summary
    from stepwell.analysis.model import Picture
    from stepwell.analysis.orders import Order
    from stepwell.analysis.reuse import CacheCurve
    from stepwell.analysis.verdicts import Verdict


def page(summary: Summary, insight: Insight) -> str:
    """Return the page for one trace."""
    return fill(
        "page",
        _data(summary, insight),
        title=words.title(summary),
        version=summary.trace.version,
        summary=summary,
        insight=insight,
        words=words,
        evidence=evidence,
        planned=planned,
    )


def _data(summary: Summary, insight: Insight) -> dict[str, Any]:
    """Return what the charts draw; times in microseconds, so that the page stays small."""
    return {
        "duration": summary.trace.duration_ns // 1000,
        "timeline": {
            "slice": summary.timeline.slice_ns / 1000,
            "read": summary.timeline.read_bytes,
            "written": summary.timeline.written_bytes,
            "stall": [ns // 1000 for ns in summary.timeline.stall_ns],
        },
        "heat": [
            {"label": form.printable(words.place(row.label, summary)), "cells": row.cells} for row in summary.heat
        ],
        "pictures": [_picture(picture) for picture in summary.pictures],
        "orders": [_order(order) for order in insight.orders],
        "caches": [_cache(cache) for cache in insight.caches],
        "acts": [_act(verdict) for verdict in insight.verdicts],
        "order": [reader.reader for reader in summary.readers],
        "readers": {reader.reader: form.printable(reader.title) for reader in summary.readers},
        "sizes": [
            [row.op, row.low, words.request(row.low, row.high), row.accesses, row.bytes] for row in summary.size_buckets
        ],
        "shapes": [[row.op, row.shape, row.accesses, row.bytes] for row in summary.shapes],
        "latencies": [[row.op, row.counts] for row in summary.latencies],
    }


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "size": max(picture.size, *picture.last, *picture.offset),
        "reader": picture.reader,
        "write": [int(write) for write in picture.write],
        "line": [int(line) for line in picture.line],
        "start": [ns // 1000 for ns in picture.start_ns],
        "end": [ns // 1000 for ns in picture.end_ns],
        "offset": picture.offset,
        "last": picture.last,
    }


def _order(order: Order) -> dict[str, Any]:
    points = order.points
    return {
        "files": order.files,
        "start": [ns // 1000 for ns in points.start_ns],
        "rank": [round(rank, 4) for rank in points.rank],
        "epoch": points.epoch,
        "reader": points.reader,
    }


def _act(verdict: Verdict) -> list[list[float | bool | None]]:
    """Return start, end, whether it acted, waiting, and waiting expected without it, of each window."""
    return [
        [
            one.start_ns // 1000,
            (one.start_ns + one.length_ns) // 1000,
            one.acting,
            one.waited_ns // 1000,
            None if (expected := verdict.expected(one)) is None else round(expected) // 1000,
        ]
        for one in verdict.windows
    ]


def _cache(cache: CacheCurve) -> dict[str, Any]:
    return {
        "lru": [[point.size, round(point.miss_ratio, 4)] for point in cache.curve],
        "others": [[one.policy, one.cache_size, round(one.miss_ratio, 4)] for one in cache.policies],
        "recommended": cache.recommended,
    }
