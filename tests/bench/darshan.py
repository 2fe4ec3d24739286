"""Darshan's own CONSEC and SEQ counters against ours from its DXT, on the real logs inside PyPI's darshan.

.venv/bin/python -m tests.bench.darshan
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from stepwell.collectors.importers import Import
from stepwell.store import Store, ingest

NAMES = ("consec_reads", "seq_reads", "consec_writes", "seq_writes")


def _logs() -> dict[str, Path]:
    """The logs, by name; without importing the library, whose import takes seconds."""
    found = importlib.util.find_spec("darshan")
    if not found or not found.submodule_search_locations:
        raise SystemExit("Darshan's library is not installed: pip install 'stepwell[importers]'")
    return {path.name: path for path in sorted(Path(found.submodule_search_locations[0]).rglob("*.darshan"))}


LOGS = _logs()


@dataclass(frozen=True)
class File:
    """One file's counters, in the order of `NAMES`; complete where DXT has as many accesses as were counted."""

    path: str
    opens: int
    complete: bool
    theirs: tuple[int, ...]
    ours: tuple[int, ...]


def compared(store: Store, trace: int) -> list[File]:
    """Return both sides' counters of every file that was accessed; over all ranks, as Darshan's shared records are."""
    theirs = ", ".join(f"coalesce(sum(value) FILTER (counter = 'POSIX_{name.upper()}'), 0)::BIGINT" for name in NAMES)
    three = "('POSIX_OPENS', 'POSIX_DUPS', 'POSIX_FILENOS')"
    opens = f"sum(if(counter = 'POSIX_OPENS', value, -value)) FILTER (counter IN {three})"
    ours = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in NAMES)
    rows = store.rows(f"""
        WITH theirs AS (
            SELECT path, coalesce({opens}, 0)::BIGINT AS opens,
                coalesce(sum(value) FILTER (counter IN ('POSIX_READS', 'POSIX_WRITES')), 0)::BIGINT AS counted,
                [{theirs}] AS values
            FROM counters WHERE trace = {trace} AND module = 'POSIX' GROUP BY path
        ),
        ours AS (SELECT path, [{ours}] AS values FROM darshan_counters WHERE trace = {trace} GROUP BY path),
        traced AS (SELECT path, count(*) AS traced FROM accesses WHERE trace = {trace} GROUP BY path)
        SELECT path, opens, counted = coalesce(traced, 0), t.values, coalesce(o.values, [0, 0, 0, 0])
        FROM theirs t LEFT JOIN ours o USING (path) LEFT JOIN traced USING (path) WHERE counted > 0 ORDER BY path""")
    return [File(path, opens, complete, tuple(one), tuple(other)) for path, opens, complete, one, other in rows]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, Store.open(Path(directory) / "s.duckdb", "w") as store:
        for name, log in LOGS.items():
            start = time.perf_counter()
            with Import(log, Path(directory), "darshan") as bringing:
                written = bringing.write()
                trace = ingest(store, bringing.spool).trace
            took = time.perf_counter() - start
            has_dxt = not any("no DXT module" in limit for limit in written.limits)
            print(f"{name[:60]}: {took:.1f} s, {'DXT' if has_dxt else 'counters only'}")
            files = compared(store, trace) if has_dxt else []
            whole = [file for file in files if file.complete]
            if not has_dxt:
                continue
            alike = sum(file.theirs == file.ours for file in whole)
            print(f"  {len(files)} files accessed, DXT complete for {len(whole)}, all counters alike for {alike}")
            for place, counter in enumerate(NAMES):
                theirs, ours = (sum(getattr(file, who)[place] for file in whole) for who in ("theirs", "ours"))
                differ = abs(theirs - ours) / max(theirs, 1)
                print(f"  {counter:<14} Darshan {theirs:>6,}  ours {ours:>6,}  differ {differ:.3%}")
            for file in whole:
                if file.theirs != file.ours:
                    print(f"  opened {file.opens} times: {file.theirs} {file.ours} ...{file.path[-40:]}")


if __name__ == "__main__":
    main()
