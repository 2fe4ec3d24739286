"""Verdicts as rows of the view `patterns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.recfunctions import repack_fields

from stepwell.analysis.alike import as_json, texts
from stepwell.analysis.native.streams import STEPS, Evidence
from stepwell.analysis.streams.decide import PATTERNS, phases
from stepwell.analysis.streams.rollup import FAMILY
from stepwell.trace.definition import Op

SCHEMA = pa.schema(
    [
        ("scope", pa.string()), ("subject", pa.string()), ("path", pa.string()), ("op", pa.string()),
        ("pattern", pa.string()), ("stride", pa.int64()), ("request_size", pa.int64()), ("reuse", pa.string()),
        ("reuse_period", pa.int64()), ("confidence", pa.float64()), ("accesses", pa.int64()), ("bytes", pa.int64()),
        ("evidence", pa.string()),
    ]
)  # fmt: skip
"""The columns of the view `patterns` but `trace`."""

Records = np.ndarray[Any, np.dtype[np.void]]

_OPS = np.array([op.name.lower() for op in Op])
_PHASES = ("sequential", "strided", "backward", "random")


def table(
    scope: str,
    subjects: pa.Array | Sequence[str],
    paths: pa.Array | Sequence[str],
    ops: np.ndarray[Any, Any],
    found: Records,
    evidence: pa.Array,
) -> pa.Table:
    """Return rows of one scope; reuse is not known yet."""
    stride, request = found["stride"], np.minimum(np.maximum(found["request"], 0), 2**62)
    number = len(found)
    return pa.table(
        [
            pa.repeat(scope, number),
            pa.array(subjects, pa.string()),
            pa.array(paths, pa.string()),
            pa.array(_OPS[ops], pa.string()),
            pa.array(np.array(PATTERNS)[found["pattern"]], pa.string()),
            pa.array(stride, pa.int64(), mask=stride == 0),
            pa.array(request.astype(np.int64), pa.int64(), mask=found["accesses"] == 0),
            pa.array(["unknown"] * number, pa.string()),
            pa.nulls(number, pa.int64()),
            pa.array(found["confidence"].round(3), pa.float64()),
            pa.array(found["accesses"].astype(np.int64), pa.int64()),
            pa.array(found["bytes"].astype(np.int64), pa.int64()),
            evidence,
        ],
        schema=SCHEMA,
    )


def of_streams(evidence: Evidence, found: Records) -> pa.Array:
    """Return what the verdict on each stream was drawn from, as JSON.

    Keys: `steps` (accesses by how they follow from the one before on their head), `heads` (long chains), `jumps`
    (`up`, `down`, `turns`), `by_chance` (steps as many as which a random order gives), `chain` (the longest: accesses
    and bytes), `covered` (share of the extent from the lowest offset to the highest end that was transferred, above 1
    when some was twice), `lattice` (the distance at which places lie, whatever is left out, and the share of those
    sampled that do), `likely` (the best guess of an unknown), `phases` (of a mixed one: from which time on which
    pattern).
    """
    kind, _, there = phases(evidence)
    said = (
        _stream(one, verdict, [_PHASES[k] if t else None for k, t in zip(kinds, known, strict=True)])
        for one, verdict, kinds, known in zip(evidence, found, kind, there, strict=True)
    )
    return pa.array(map(as_json, said), pa.string())


def _stream(one: Any, verdict: Any, kinds: list[str | None]) -> dict[str, Any]:
    extent = int(one["high"]) - int(one["low"]) if one["accesses"] else 0
    said: dict[str, Any] = {
        "steps": {name: int(count) for name, count in zip(STEPS, one["steps"], strict=True) if count},
        "heads": int(one["long_chains"]),
        "chain": {"accesses": int(one["best_accesses"]), "bytes": int(one["best_bytes"])},
        "covered": round(int(one["bytes"]) / extent, 3) if extent > 0 else None,
    }
    if one["upwards"] or one["downwards"]:
        said["jumps"] = {"up": int(one["upwards"]), "down": int(one["downwards"]), "turns": int(one["turns"])}
    if verdict["stride"] and verdict["stride"] == one["lattice"]:
        share = int(one["on_lattice"]) / max(int(one["places"]), 1)
        said["lattice"] = {"distance": int(one["lattice"]), "share": round(share, 3)}
    if one["mirrored"]:
        said["by_chance"] = int(one["mirrored"])
    if one["around"]:
        said["around_faults"] = int(one["around"])
    if verdict["pattern"] == 0:
        said["likely"] = PATTERNS[verdict["likely"]]
    if PATTERNS[verdict["pattern"]] == "mixed":
        starts = [(int(ns), name) for ns, name in zip(one["window_ns"], kinds, strict=True) if name]
        changes = [part for n, part in enumerate(starts) if n == 0 or part[1] != starts[n - 1][1]]
        said["phases"] = [{"from_ns": ns, "pattern": name} for ns, name in changes]
    return said


def of_groups(found: Records, largest: Mapping[int, Mapping[str, float]] | None = None) -> pa.Array:
    """Return what the verdict on each group was drawn from, as JSON.

    Keys: `counters` (`records`: how many of another tool's records of counters stand for streams that it did not tell;
    for a file also `largest`, the figures of the one with most bytes), `streams` (how many), `by_bytes` and
    `by_accesses` (shares of the patterns among them), `by_turns` (several streams read one file in turns), `differ`
    (bytes and accesses do not agree), `likely` (the best guess of an unknown).

    Args:
        found: the verdicts.
        largest: the figures of records of counters, for those of the groups that have any.
    """
    said = texts(repack_fields(found[[*_SAID]]), _group)
    if not largest:
        return said
    counted = np.zeros(len(found), bool)
    counted[[*largest]] = True
    more = [as_json(_group(found[row], largest[row])) for row in np.flatnonzero(counted).tolist()]
    return pc.replace_with_mask(said, counted, pa.array(more, pa.string()))


_SAID = ("streams", "counted", "by_turns", "by_accesses", "by_bytes", "pattern", "likely")


def _group(one: Any, largest: Mapping[str, float] | None = None) -> dict[str, Any]:
    shares = {
        key: {name: round(float(share), 3) for name, share in zip(PATTERNS, one[key], strict=True) if share >= 0.0005}
        for key in ("by_bytes", "by_accesses")
    }
    counted, streams = int(one["counted"]), int(one["streams"] - one["counted"])
    counters = {"records": counted} | ({"largest": largest} if largest is not None else {})
    said: dict[str, Any] = {"counters": counters} if counted else {}
    said |= ({"streams": streams} if streams else {}) | shares
    if one["by_turns"]:
        said["by_turns"] = True
    most = [int(one[key].argmax()) for key in ("by_bytes", "by_accesses")]
    if most[0] != most[1] and not set(most) <= set(FAMILY):
        said["differ"] = True
    if one["pattern"] == 0 and one["likely"]:
        said["likely"] = PATTERNS[one["likely"]]
    return said
