"""Verdicts on files of which only Darshan's counters are known: logs without DXT.

Darshan's own words mislabel: it calls a step *sequential* when it goes to a higher offset, which half of a random
reader's steps do.  What is used instead: *consecutive* steps, the table of gaps, and how much was transferred of how
large an extent.  The meaning of the counters is that of Darshan's include/darshan-*-log-format.h, how they are counted
that of darshan-runtime/lib/darshan-posix.c:

- POSIX_CONSEC_*: accesses that start where the last one of the same kind ended; POSIX_SEQ_*: those at or above it.
  Both begin anew when the process opens the file again.
- POSIX_STRIDE1..4_STRIDE: the most frequent gaps between the end of one access and the start of the next, not
  distances of starts; 0 stands for consecutive and backward steps alike. Reads and writes share the table.
- POSIX_ACCESS1..4_ACCESS: the most frequent sizes, of both.
- POSIX_MAX_BYTE_*: the highest offset transferred. POSIX_OPENS includes POSIX_FILENOS and POSIX_DUPS.
- STDIO has no such counters: only that nothing was sought tells that a stream was read from front to back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import sqrt

from stepwell.analysis.ask import Queryable, rows
from stepwell.analysis.thresholds import darshan as limits
from stepwell.analysis.thresholds.streams import Z

SHARED = "all ranks"
"""Name of the reader that has the records Darshan made of those of all ranks."""


@dataclass(frozen=True)
class Counted:
    """The counters of one module, for one reader on one file; a counter that is not there is 0."""

    reader: int
    file: int
    path: str
    module: str
    shared: bool
    values: Mapping[str, float]


@dataclass(frozen=True)
class CounterVerdict:
    """How a reader reads or writes a file, as far as counters tell.

    Attributes:
        reader: id of the reader.
        file: id of the file.
        path: path of the file.
        op: read or write.
        pattern: as in the view `patterns`.
        stride: distance between starts in bytes, where it is regular; None otherwise.
        request_size: most frequent size in bytes, the mean where that is not told.
        confidence: from 0 to `thresholds.darshan.CEILING`.
        accesses: accesses counted.
        bytes: bytes transferred.
        evidence: the figures that the verdict was drawn from.
    """

    reader: int
    file: int
    path: str
    op: str
    pattern: str
    stride: int | None
    request_size: int
    confidence: float
    accesses: int
    bytes: int
    evidence: Mapping[str, float]


_ACCESSED = "SELECT DISTINCT file FROM runs WHERE trace = $1 AND count > 0"

_SHARED = f"SELECT reader FROM readers WHERE trace = $1 AND comm = '{SHARED}'"


def of_trace(store: Queryable, trace: int) -> list[CounterVerdict]:
    """Return the verdicts on the files of a Darshan log that it has counters of but no accesses, most bytes first."""
    found = rows(
        store,
        """SELECT reader, file, path, module, counter, value FROM counters
            WHERE trace = $1 AND module IN ('POSIX', 'STDIO') ORDER BY reader, file, module""",
        trace,
    )
    if not found:
        return []
    accessed = {row["file"] for row in rows(store, _ACCESSED, trace)}
    shared = {row["reader"] for row in rows(store, _SHARED, trace)}
    found = [row for row in found if row["file"] not in accessed]
    counted = (
        Counted(reader, file, some[0]["path"], module, reader in shared, {row["counter"]: row["value"] for row in some})
        for (reader, file, module), group in groupby(found, lambda row: (row["reader"], row["file"], row["module"]))
        for some in [list(group)]
    )
    return sorted(verdicts_from_counters(counted), key=lambda verdict: -verdict.bytes)


def verdicts_from_counters(counted: Iterable[Counted]) -> Iterator[CounterVerdict]:
    """Yield a verdict for every file and operation that has accesses.

    POSIX and STDIO count different calls, never the same twice; MPI-IO's and HDF5's are counted again by POSIX below
    them, and have no verdicts of their own.
    """
    for one in counted:
        for op, done in (("read", "READ"), ("write", "WRITTEN")):
            if one.module == "POSIX":
                verdict = _posix(one, op, done)
            elif one.module == "STDIO" and not one.path.startswith("<"):
                verdict = _stdio(one, op, done)
            else:
                verdict = None
            if verdict:
                yield verdict


@dataclass(frozen=True)
class _Figures:
    """What the rules look at; shares are of steps, from one access to the next."""

    accesses: int
    bytes: int
    steps: int
    consecutive: float
    forward: float
    gap: int
    regular: float
    covered: float
    size: int


def _posix(one: Counted, op: str, done: str) -> CounterVerdict | None:
    """Apply the rules to POSIX counters."""
    value = one.values.get
    accesses, size = int(value(f"POSIX_{op.upper()}S", 0)), int(value(f"POSIX_BYTES_{done}", 0))
    if accesses <= 0:
        return None
    both = value("POSIX_READS", 0) > 0 and value("POSIX_WRITES", 0) > 0
    opens = value("POSIX_OPENS", 0) - value("POSIX_FILENOS", 0) - value("POSIX_DUPS", 0)
    steps = max(accesses - int(max(opens, 1)), 0)
    gaps = [(int(value(f"POSIX_STRIDE{i}_STRIDE", 0)), value(f"POSIX_STRIDE{i}_COUNT", 0)) for i in range(1, 5)]
    gap, times = max(((gap, times) for gap, times in gaps if gap > 0), key=lambda pair: pair[1], default=(0, 0))
    extent = max(value(f"POSIX_MAX_BYTE_{done}", 0), 0) + 1
    figures = _Figures(
        accesses,
        size,
        steps,
        _share(value(f"POSIX_CONSEC_{op.upper()}S", 0), steps),
        _share(value(f"POSIX_SEQ_{op.upper()}S", 0), steps),
        gap,
        _share(times, steps),
        size / extent,
        int(value("POSIX_ACCESS1_ACCESS", 0)) if not both else size // accesses,
    )
    pattern, share = _pattern(figures)
    trust = limits.CEILING * (limits.SHARED if one.shared else 1)
    trust *= limits.BOTH if both and pattern == "strided" else 1
    confidence = trust * _at_least(share, max(steps, 1))
    return _verdict(one, op, figures, pattern, confidence)


def _pattern(of: _Figures) -> tuple[str, float]:
    """Return the pattern, and the share of steps that it rests on."""
    if of.accesses <= limits.WHOLE_REQUESTS and of.consecutive == 1 and limits.WHOLE_SHARE <= of.covered <= limits.ONCE:
        return "whole-file", 1
    if of.steps < limits.MINIMUM:
        return "unknown", 0
    if of.consecutive >= limits.CONSECUTIVE:
        return "sequential", of.consecutive
    if of.regular >= limits.REGULAR and of.forward >= limits.REGULAR:
        return "strided", of.regular
    if of.forward >= limits.FORWARD:
        return ("sequential", min(of.covered, 1)) if of.covered >= limits.HOLES else ("mixed", limits.MIXED)
    if of.forward <= 1 - limits.FORWARD and of.covered <= limits.ONCE:
        return "backward", 1 - of.forward
    if of.consecutive <= limits.FEW_CONSECUTIVE and abs(of.forward - 1 / 2) <= limits.HALF:
        return "random", 1 - of.consecutive
    return "mixed", limits.MIXED


def _stdio(one: Counted, op: str, done: str) -> CounterVerdict | None:
    """Without seeking a stream goes forward; anything else is unknown."""
    value = one.values.get
    accesses, size = int(value(f"STDIO_{op.upper()}S", 0)), int(value(f"STDIO_BYTES_{done}", 0))
    if accesses <= 0:
        return None
    steps = max(accesses - int(max(value("STDIO_OPENS", 0), 1)), 0)
    other = value("STDIO_WRITES" if op == "read" else "STDIO_READS", 0)
    forward = value("STDIO_SEEKS", 0) <= 0 and other <= 0
    extent = max(value(f"STDIO_MAX_BYTE_{done}", 0), 0) + 1
    figures = _Figures(accesses, size, steps, float(forward), float(forward), 0, 0, size / extent, size // accesses)
    pattern = "sequential" if forward and steps >= limits.MINIMUM else "unknown"
    trust = limits.CEILING * (limits.SHARED if one.shared else 1)
    return _verdict(one, op, figures, pattern, trust * _at_least(1, max(steps, 1)))


def _verdict(one: Counted, op: str, of: _Figures, pattern: str, confidence: float) -> CounterVerdict:
    if confidence < limits.CONFIDENT:
        pattern = "unknown"
    return CounterVerdict(
        one.reader,
        one.file,
        one.path,
        op,
        pattern,
        of.gap + of.size if pattern == "strided" else None,
        of.size or of.bytes // of.accesses,
        0 if pattern == "unknown" else confidence,
        of.accesses,
        of.bytes,
        {
            "steps": of.steps,
            "consecutive": of.consecutive,
            "forward": of.forward,
            "gap": of.gap,
            "regular": of.regular,
            "transferred_to_extent": of.covered,
            "shared": float(one.shared),
        },
    )


def _share(count: float, of: int) -> float:
    """Return a share of steps; 1 where there are none, and at most, since reopening leaves some steps out."""
    return min(max(count, 0) / of, 1) if of else 1


def _at_least(share: float, count: int) -> float:
    """Return the lower end of the share's 95 % interval (Wilson, "Probable Inference", 1927)."""
    z2 = Z * Z / count
    return (share + z2 / 2 - sqrt(z2 * (share * (1 - share) + z2 / 4))) / (1 + z2)
