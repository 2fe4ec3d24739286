"""What a trace knows of files, opens and readers besides accesses, as arrays to look up by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Queryable, ask, rows
from stepwell.analysis.software import SOFTWARE

Column = np.ndarray[Any, Any]

O_APPEND = 0o2000
"""Of open(2), on every architecture that Linux has but alpha, mips, parisc and sparc."""

FILES = f"""
WITH accessed AS MATERIALIZED (
    SELECT file, bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written
    FROM runs WHERE trace = $1 GROUP BY file
), used AS (
    SELECT * FROM accessed
    UNION ALL
    SELECT file, false, bool_or(counter IN ('POSIX_WRITES', 'STDIO_WRITES')) FROM counters
    WHERE trace = $1 AND file NOT IN (SELECT file FROM accessed) GROUP BY file
)
SELECT file, path, coalesce(size, -1)::BIGINT AS size, coalesce(dataset, '') AS dataset, {SOFTWARE} AS software
FROM files JOIN used USING (file) WHERE trace = $1 ORDER BY file
"""

APPENDING = f"SELECT open FROM opens WHERE trace = $1 AND flags & {O_APPEND} <> 0 ORDER BY open"

READERS = "SELECT reader, coalesce(workload, '') AS workload FROM readers WHERE trace = $1 ORDER BY reader"

TRACE = """
SELECT collector, accesses,
    lost - coalesce((SELECT sum(count) FROM losses WHERE trace = $1 AND hop = 'darshan dxt'), 0)::BIGINT AS lost
FROM traces WHERE trace = $1
"""
"""DXT keeps a file's accesses from the first on, or none of it: what there is has no gaps that would blur a pattern."""


@dataclass(frozen=True)
class Facts:
    """The tables, sorted by id, with a row at the end for ids that are not in them."""

    files: pa.Table
    readers: pa.Table
    appending: Column
    exact: bool
    """Sizes of files are what the file system said, not just what was seen of them."""
    seen: float
    """Share of accesses that were not lost."""

    @classmethod
    def of(cls, store: Queryable, trace: int) -> Facts:
        """Ask for the facts of a trace."""
        (about,) = rows(store, TRACE, trace)
        files = pa.concat_tables(
            [
                ask(store, FILES, trace),
                pa.table({"file": [2**62], "path": [""], "size": [-1], "dataset": [""], "software": [False]}),
            ],
            promote_options="permissive",
        )
        readers = pa.concat_tables([ask(store, READERS, trace), pa.table({"reader": [2**62], "workload": [""]})])
        return cls(
            files=files.combine_chunks(),
            readers=readers.combine_chunks(),
            appending=ask(store, APPENDING, trace)["open"].to_numpy(),
            exact=str(about["collector"]).partition(" ")[0] not in {"import", "None"},
            seen=about["accesses"] / max(about["accesses"] + about["lost"], 1),
        )

    def file(self, files: Column) -> Column:
        """Return the rows of these files."""
        return _find(self.files["file"].to_numpy(), files)

    def reader(self, readers: Column) -> Column:
        """Return the rows of these readers."""
        return _find(self.readers["reader"].to_numpy(), readers)


def _find(ids: Column, wanted: Column) -> Column:
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, len(ids) - 1)
