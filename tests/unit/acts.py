"""What was done and gained, as `stepwell run` leaves it in the store."""

from __future__ import annotations

from typing import Any

from tests.unit.recordings import MS

from stepwell.analysis import plans
from stepwell.analysis.verdicts import Deeds, Verdict, Window, judge, table

DEEDS = Deeds(files=38_112, requests=40_009, brought_bytes=10_000, used_bytes=9_700, late_bytes=200, wasted_bytes=100)


def windows(turns: int = 7) -> list[Window]:
    """Return turns of 70 ms each, without acting and with it: 7 times as fast then."""
    return [
        Window(
            turn * 140 * MS + acting * 70 * MS, 70 * MS, acting, 10**6 * (7 if acting else 1), (70 - 9 * acting) * MS
        )
        for turn in range(turns)
        for acting in (False, True)
    ]


def verdict(**how: Any) -> Verdict:
    """Return the verdict on them."""
    return judge(how.pop("windows", windows()), how.pop("deeds", DEEDS), **how)


def carried(dataset: str) -> tuple[plans.Carried, ...]:
    """Return two plans for a dataset: act, and from 500 ms on leave it alone."""
    act = plans.Target(
        dataset, "whole-file", "it waits", block_bytes=1 << 20, in_flight=7, gain=plans.Gain(1_000, 7_000)
    )
    rest = plans.Target(dataset, "none", "it is <i>cached</i>")
    budget = plans.Budget(1 << 30, 32)
    return tuple(
        plans.Carried(start, plans.Plan(1, "auto", budget, (target,))) for start, target in ((0, act), (500 * MS, rest))
    )


def acted(dataset: str) -> tuple[Any, Any]:
    """Return the rows of both."""
    return plans.table(carried(dataset)), table([verdict()])
