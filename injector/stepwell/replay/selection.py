"""Which accesses of a trace are replayed, and on which files."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.analysis.ask import Queryable, Row, rows
from stepwell.analysis.software import SOFTWARE
from stepwell.replay.errors import ReplayError
from stepwell.replay.model import LeftOut
from stepwell.replay.places import Recorded, below, known, places, root_of

_FILES = f"""
WITH used AS (
    SELECT file, bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written,
        coalesce(sum(count) FILTER (op <> 'write'), 0)::BIGINT AS reads,
        coalesce(sum(count) FILTER (op = 'write'), 0)::BIGINT AS writes
    FROM runs WHERE trace = $1 GROUP BY file
)
SELECT file, coalesce(dev, 0)::BIGINT AS dev, coalesce(path, '') AS path, coalesce(size, 0)::BIGINT AS size,
    reads, writes, {SOFTWARE} AS software
FROM used LEFT JOIN (SELECT file, dev, path, size, filesystem FROM files WHERE trace = $1) USING (file)
WHERE reads + writes > 0 ORDER BY file
"""


@dataclass(frozen=True)
class Selection:
    """What is replayed of one trace."""

    trace: int
    root: str
    """Directory, as recorded, that another one takes the place of."""
    places: dict[int, str]
    """Where below it each file stands, by the file's id."""
    sizes: dict[str, int]
    """Largest size recorded of what stands at each place, in bytes."""
    written: frozenset[str]
    """Places that are written to; empty without writes."""
    writes: bool
    left_out: LeftOut


def select(store: Queryable, trace: int, *, under: str | None, writes: bool, software: bool) -> Selection:
    """Choose what to replay.

    Args:
        store: where the public views are.
        trace: number of the trace.
        under: the recorded directory whose files are replayed; None for all, below the deepest one common to them.
        writes: whether writes are replayed as well.
        software: whether files of programs are, too; they are if there is nothing else, or if `under` is given.

    Raises:
        ReplayError: nothing would be left to replay.
    """
    found = rows(store, _FILES, trace)
    nameless = [row for row in found if not known(row["path"])]
    named = [row for row in found if known(row["path"])]
    asked = [row for row in named if under is None or below(row["path"], under)]
    elsewhere = [row for row in named if under is not None and not below(row["path"], under)]
    fold = not software and under is None and not all(row["software"] for row in asked)
    left = [row for row in asked if fold and row["software"]]
    data = [row for row in asked if not (fold and row["software"])]
    chosen = [row for row in data if row["reads"] or writes]
    if not chosen:
        raise ReplayError(
            f"trace {trace} has no access to replay{f' below {under}' if under else ''}: "
            f"{len(nameless)} files have no known path, {len(elsewhere)} are elsewhere, "
            f"{sum(row['writes'] for row in data)} accesses are writes (see --writes); "
            f"`stepwell report --trace {trace}` shows what it holds"
        )
    root = root_of([f"{under}/x"] if under else (row["path"] for row in chosen))
    placed = places((Recorded(row["file"], row["dev"], row["path"]) for row in chosen), root)
    sizes: dict[str, int] = {}
    for row in chosen:
        place = placed[row["file"]]
        sizes[place] = max(sizes.get(place, 0), row["size"])
    return Selection(
        trace=trace,
        root=root,
        places=placed,
        sizes=sizes,
        written=frozenset(placed[row["file"]] for row in chosen if writes and row["writes"]),
        writes=writes,
        left_out=LeftOut(
            software_files=len(left),
            software_accesses=_accesses(left),
            elsewhere_files=len(elsewhere),
            elsewhere_accesses=_accesses(elsewhere),
            writes=0 if writes else sum(row["writes"] for row in data),
            nameless_files=len(nameless),
            nameless_accesses=_accesses(nameless),
        ),
    )


def _accesses(found: list[Row]) -> int:
    return sum(row["reads"] + row["writes"] for row in found)
