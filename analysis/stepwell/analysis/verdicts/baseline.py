"""An earlier recording of the same command, against which a run can be held."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.analysis.ask import ask, rows
from stepwell.analysis.thresholds import verdicts as limits
from stepwell.analysis.verdicts.model import Window
from stepwell.store import SOFTWARE_PLACES, Store

PAGE = 4096
"""Bytes of a page, in which `filled` counts."""

EARLIER = """
SELECT t.trace, t.trace IN (SELECT trace FROM verdicts) AS judged
FROM traces t, (SELECT * FROM traces WHERE trace = $1) own
WHERE t.trace < $1 AND t.command = own.command AND t.cwd IS NOT DISTINCT FROM own.cwd AND t.host = own.host
    AND t.status = 'complete' AND t.exit_code = 0
    AND t.trace NOT IN (SELECT trace FROM verdicts WHERE action <> 'none')
ORDER BY t.trace DESC
"""
"""The earlier traces of the same command in the same place that ended well, the newest first, without those in which
somebody is known to have acted."""

READ = f"""
WITH read AS (
    SELECT r.start_ns AS low, r.start_ns + r.span_ns + r.latency_ns // r.count + 1 AS high,
        ((r.count::BIGINT - 1) * r.size + r.tail)::DOUBLE AS bytes, r.wait_ns::DOUBLE AS wait_ns, r.filled
    FROM runs r JOIN files f ON f.trace = r.trace AND f.file = r.file
    WHERE r.trace = $1 AND r.op <> 'write' AND r.count > 0 AND NOT regexp_matches(f.path, '{SOFTWARE_PLACES}')
), placed AS (
    SELECT *, unnest(range(least(low // $2, $3 - 1), least((high - 1) // $2, $3 - 1) + 1)) AS slice FROM read
), part AS (
    SELECT slice, bytes, wait_ns, filled,
        greatest(0, least(high, CASE WHEN slice = $3 - 1 THEN high ELSE (slice + 1) * $2 END)
            - greatest(low, slice * $2))::DOUBLE / (high - low) AS share
    FROM placed
)
SELECT slice::BIGINT AS slice, sum(share * bytes)::BIGINT AS bytes, sum(share * wait_ns)::BIGINT AS waited_ns,
    sum(share * filled)::BIGINT AS filled
FROM part GROUP BY slice ORDER BY slice
"""
"""What readers of data got, and waited for, in each of `$3` slices of `$2` ns."""


@dataclass(frozen=True)
class Baseline:
    """What a recording without acting shows."""

    trace: int
    windows: tuple[Window, ...]
    fetched: int
    """Bytes that readers themselves brought into memory; what was there already cost nothing."""


def baseline(store: Store, trace: int) -> Baseline | None:
    """Return the newest earlier recording of a trace's command in which nobody acted, None if there is none."""
    found = rows(store, EARLIER, trace)
    # Where somebody could act, a verdict alone tells that nobody did: who is killed leaves none.
    earlier = next((one["trace"] for one in found if one["judged"] or not store.meta(one["trace"]).get("acts")), None)
    if earlier is None:
        return None
    (duration,) = ask(store, "SELECT duration_ns FROM traces WHERE trace = $1", earlier)["duration_ns"].to_pylist()
    width = max(1, -(-duration // limits.BASELINE_WINDOWS))
    slices = {row["slice"]: row for row in rows(store, READ, earlier, width, limits.BASELINE_WINDOWS)}
    empty = {"bytes": 0, "waited_ns": 0}
    windows = [
        Window(slice_ * width, width, False, row["bytes"], row["waited_ns"])
        for slice_ in range(limits.BASELINE_WINDOWS)
        for row in [slices.get(slice_, empty)]
    ]
    return Baseline(earlier, tuple(windows), PAGE * sum(row["filled"] for row in slices.values()))
