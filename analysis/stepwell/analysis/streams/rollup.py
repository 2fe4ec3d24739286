"""From the verdicts on streams to those on files, datasets and workloads: a vote, weighted by cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.analysis.darshan import CounterVerdict
from stepwell.analysis.native.streams import STEPS, Evidence
from stepwell.analysis.streams.decide import (
    APPEND,
    HEADER_THEN_BODY,
    MIXED,
    PATTERNS,
    SEQUENTIAL,
    STRIDED,
    UNKNOWN,
    VERDICT,
    WHOLE_FILE,
    Verdicts,
)
from stepwell.analysis.thresholds import darshan
from stepwell.analysis.thresholds import streams as limits
from stepwell.trace.definition import Op

Numbers = np.ndarray[Any, np.dtype[np.int64]]

STREAM = np.dtype(
    [*((name, "i8") for name in ("reader", "thread", "open", "file", "lane")), ("op", "u1"), ("is_lane", "?"),
     ("onwards", "?"), *((name, "i8") for name in ("counted", "accesses", "bytes", "low", "high")), *VERDICT.descr]
)  # fmt: skip
"""What is kept of every stream and lane: who, what, and the verdict.

`onwards` tells whether it hardly goes back, `counted` is 1 where counters stand for one.
"""

GROUP = np.dtype(
    [*((name, "i8") for name in ("streams", "counted", "accesses", "bytes", "low", "high")), ("by_turns", "?"),
     ("by_accesses", "f8", len(PATTERNS)), ("by_bytes", "f8", len(PATTERNS)), *VERDICT.descr]
)  # fmt: skip
"""A verdict on several streams, with the shares of patterns among them by accesses and by bytes."""

FAMILY = (SEQUENTIAL, WHOLE_FILE, HEADER_THEN_BODY, APPEND)
"""Kinds of sequential: together they can have a majority that none of them has, and then their common name."""


@dataclass(frozen=True)
class Groups:
    """Groups of members.

    Attributes:
        of: the group of each member.
        first: one member of each group.
    """

    of: Numbers
    first: Numbers

    @classmethod
    def by(cls, *keys: np.ndarray[Any, Any]) -> Groups:
        """Put together what has the same keys."""
        order = np.lexsort(keys)
        new = np.zeros(len(order), bool)
        new[:1] = True
        for key in keys:
            new[1:] |= key[order][1:] != key[order][:-1]
        of = np.empty(len(order), np.int64)
        of[order] = np.cumsum(new) - 1
        return cls(of, order[new])

    def sum(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the sum of each group."""
        total: np.ndarray[Any, Any] = np.bincount(self.of, values, len(self.first))
        return total


def condense(evidence: Evidence, verdicts: Verdicts) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return what is kept of these streams."""
    kept = np.zeros(len(evidence), STREAM)
    for name in (*EVIDENCE_NAMES, *(VERDICT.names or ())):
        kept[name] = evidence[name] if name in EVIDENCE_NAMES else verdicts[name]
    kept["low"][evidence["accesses"] == 0] = 0
    kept["onwards"] = _onwards(evidence)
    return kept


def _onwards(evidence: Evidence) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell whose steps lead upwards but for few: on from the end, over a gap, by a positive stride, by a jump."""
    steps = {name: evidence["steps"][:, number].astype(np.float64) for number, name in enumerate(STEPS)}
    down = steps["backward"] + steps["repeat"] + evidence["downwards"]
    descending = ((evidence["stride"] < 0) & (evidence["stride_count"] > 0)).any(axis=1)
    upwards: np.ndarray[Any, np.dtype[np.bool_]] = down <= (1 - limits.CONFIDENT) * sum(steps.values())
    return upwards & ~descending


def of_counters(verdicts: Sequence[CounterVerdict]) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return verdicts from counters as those of streams: of one reader on one file each."""
    kept = np.zeros(len(verdicts), STREAM)
    kept["counted"], kept["lane"] = 1, -1
    for name in ("reader", "file", "accesses", "bytes", "confidence"):
        kept[name] = [getattr(one, name) for one in verdicts]
    kept["op"] = [Op[one.op.upper()] for one in verdicts]
    kept["pattern"] = [PATTERNS.index(one.pattern) for one in verdicts]
    kept["stride"] = [one.stride or 0 for one in verdicts]
    kept["request"] = [one.request_size for one in verdicts]
    kept["cost"] = kept["bytes"] + limits.EQUIVALENT * kept["accesses"].astype(np.float64)
    return kept


EVIDENCE_NAMES = frozenset(
    {"reader", "thread", "open", "file", "lane", "op", "is_lane", "accesses", "bytes", "low", "high"}
)


def speakers(streams: np.ndarray[Any, np.dtype[np.void]]) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return those that speak for their files: the streams, or the lane where most of its streams are too short.

    A lane's verdict is given the weight of all its streams.
    """
    lane_count = int(streams["lane"].max(initial=-1)) + 1
    own = ~streams["is_lane"]
    weight = np.bincount(streams["lane"][own], streams["cost"][own], lane_count)
    clear = own & (streams["pattern"] != UNKNOWN)
    known = np.bincount(streams["lane"][clear], streams["cost"][clear], lane_count)
    has_lane = np.zeros(lane_count, bool)
    has_lane[streams["lane"][~own & (streams["pattern"] != UNKNOWN)]] = True
    by_lane = has_lane & (known < weight / 2)
    chosen: np.ndarray[Any, np.dtype[np.void]] = streams[
        np.where(own, ~by_lane[streams["lane"]], by_lane[streams["lane"]])
    ].copy()
    whole = {
        name: np.bincount(streams["lane"][own], streams[name][own], lane_count)
        for name in ("accesses", "bytes", "cost")
    }
    for name, total in whole.items():
        # Lanes do not follow streams to their end; several parts of one lane share its weight.
        parts = np.bincount(chosen["lane"][chosen["is_lane"]], minlength=lane_count)
        mine = chosen["is_lane"]
        chosen[name][mine] = (total / np.maximum(parts, 1))[chosen["lane"][mine]]
    return chosen


def settle(streams: np.ndarray[Any, np.dtype[np.void]], groups: Groups) -> None:
    """Give one name to those streams of a group that are whole files by one count and sequential by the next.

    Files of one dataset that are read alike differ by some requests; they have the name that most of their cost has.
    """
    close = streams["close"] & np.isin(streams["pattern"], (WHOLE_FILE, SEQUENTIAL))
    cost = streams["cost"] * close
    whole = 2 * groups.sum(cost * (streams["pattern"] == WHOLE_FILE)) >= groups.sum(cost)
    streams["pattern"] = np.where(close, np.where(whole[groups.of], WHOLE_FILE, SEQUENTIAL), streams["pattern"])


def vote(members: np.ndarray[Any, np.dtype[np.void]], groups: Groups) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return the verdict on each group: the pattern that has the majority of the cost.

    Members that are unknown take no part unless they have most of the cost: then so is the group.  Confidence is that
    of the members for the pattern, times their share of what is known.
    """
    number = len(groups.first)
    result = np.zeros(number, GROUP)
    cost = np.zeros((number, len(PATTERNS)))
    sure = np.zeros((number, len(PATTERNS)))
    kind = Groups(groups.of * len(PATTERNS) + members["pattern"], np.arange(number * len(PATTERNS)))
    for table, values in (
        (cost, members["cost"]),
        (sure, members["cost"] * members["confidence"]),
        (result["by_accesses"], members["accesses"]),
        (result["by_bytes"], members["bytes"]),
    ):
        table[:] = kind.sum(values).reshape(table.shape)
    for name in ("accesses", "bytes"):
        result[name] = np.rint(groups.sum(members[name].astype(np.float64)))
        total = np.maximum(result[f"by_{name}"].sum(axis=1, keepdims=True), 1)
        result[f"by_{name}"] /= total
    result["streams"] = groups.sum(
        members["streams"] if "streams" in (members.dtype.names or ()) else np.ones(len(members))
    )
    result["counted"] = groups.sum(members["counted"])
    result["low"] = np.iinfo(np.int64).max
    np.minimum.at(result["low"], groups.of, members["low"])
    np.maximum.at(result["high"], groups.of, members["high"])
    result["cost"] = cost.sum(axis=1)
    known = result["cost"] - cost[:, UNKNOWN]
    cost[:, UNKNOWN] = 0
    pattern, share = cost.argmax(axis=1), cost.max(axis=1) / np.maximum(known, 1)
    kin = cost[:, FAMILY].sum(axis=1) / np.maximum(known, 1)
    related = (share < limits.MAJORITY) & (kin >= limits.MAJORITY)
    rows = np.arange(number)
    confidence = sure[rows, pattern] / np.maximum(cost[rows, pattern], 1e-9)
    confidence = np.where(
        related, sure[:, FAMILY].sum(axis=1) / np.maximum(cost[:, FAMILY].sum(axis=1), 1e-9), confidence
    )
    divided = (share < limits.MAJORITY) & ~related
    pattern = np.where(related & (share < limits.CONFIDENT), SEQUENTIAL, pattern)
    pattern = np.where(divided, MIXED, pattern)
    overall = sure[:, 1:].sum(axis=1) / np.maximum(known, 1e-9)
    result["likely"] = np.where(known > 0, pattern, UNKNOWN)
    confidence = np.where(divided, overall, confidence * np.where(related, kin, share))
    unclear = known < result["cost"] * limits.CONFIDENT
    confidence = np.where(unclear, known / np.maximum(result["cost"], 1) * confidence, confidence)
    result["confidence"] = confidence
    least = np.where(result["counted"] > result["streams"] / 2, darshan.CONFIDENT, limits.CONFIDENT)
    result["pattern"] = np.where(unclear | (confidence < least), UNKNOWN, pattern)
    _typical(members, groups, result)
    return result


def _typical(
    members: np.ndarray[Any, np.dtype[np.void]], groups: Groups, result: np.ndarray[Any, np.dtype[np.void]]
) -> None:
    """Take request size and stride from the members with most of the cost: of those alike, all together."""
    for name in ("request", "stride"):
        same = Groups.by(members[name], groups.of)
        weight = same.sum(members["cost"])
        of = groups.of[same.first]
        order = np.lexsort((weight, of))
        last = np.ones(len(order), bool)
        last[:-1] = of[order][1:] != of[order][:-1]
        result[name][of[order[last]]] = members[name][same.first[order[last]]]
    result["stride"][~np.isin(result["pattern"], (STRIDED, 3))] = 0


def by_turns(
    members: np.ndarray[Any, np.dtype[np.void]], groups: Groups, result: np.ndarray[Any, np.dtype[np.void]]
) -> None:
    """Call a file sequential that threads of one process read or write in turns: each with holes, together without.

    Several processes that do so, as MPI ranks do, have each its own way to the storage: their pattern stays.
    """
    # One that takes many turns at once, when the others are slow, looks like a header and its body, or changes in time.
    known_ways = np.isin(members["pattern"], (STRIDED, SEQUENTIAL, UNKNOWN))
    onwards = known_ways | (np.isin(members["pattern"], (HEADER_THEN_BODY, MIXED)) & members["onwards"])
    known = groups.sum(members["cost"] * (members["pattern"] != UNKNOWN)) >= limits.CONFIDENT * result["cost"]
    one_process = groups.sum(members["reader"] != members["reader"][groups.first][groups.of]) == 0
    several = (groups.sum(~members["is_lane"]) > 1) & (groups.sum(~onwards) == 0) & one_process
    extent = (result["high"] - result["low"]).astype(np.float64)
    covered = np.abs(result["bytes"] / np.maximum(extent, 1) - 1) <= 1 - limits.WHOLE_SHARE
    found = several & known & covered & (result["pattern"] != SEQUENTIAL)
    result["pattern"][found] = SEQUENTIAL
    result["by_turns"] = found
    sure = groups.sum(members["cost"] * members["confidence"]) / np.maximum(result["cost"], 1)
    result["confidence"][found] = sure[found]
    result["stride"][found] = 0
