"""Which files are wanted first, by what traces in the store saw of them."""

from __future__ import annotations

from stepwell.analysis.ask import Queryable, rows

_POPULARITY = """
SELECT path, sum(count) AS accesses FROM runs JOIN files USING (trace, file)
WHERE op <> 'write' GROUP BY path ORDER BY accesses DESC, path
"""

_FIRST = """
SELECT path, min(start_ns) AS first_ns FROM runs JOIN files USING (trace, file)
WHERE trace = $1 AND op <> 'write' GROUP BY path ORDER BY first_ns, path
"""


def by_popularity(store: Queryable) -> list[str]:
    """Return the paths of files that were read, in any trace, those with the most accesses first."""
    return [row["path"] for row in rows(store, _POPULARITY)]


def by_first_access(store: Queryable, trace: int) -> list[str]:
    """Return the paths of files that a trace saw read, in the order of their first accesses."""
    return [row["path"] for row in rows(store, _FIRST, trace)]
