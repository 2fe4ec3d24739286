"""Set-based questions about reuse: plain SQL over the public views, which other engines run as well."""

from __future__ import annotations

FILES = """
SELECT f.file, f.path, coalesce(f.dataset, '') AS dataset, coalesce(f.size, 0) AS size,
    r.accesses, r.bytes
FROM files f JOIN (
    SELECT file, sum(count) AS accesses, sum((count - 1) * CAST(size AS DOUBLE) + tail) AS bytes
    FROM runs WHERE trace = $1 AND count > 0 AND op <> 'write' GROUP BY file
) r ON f.file = r.file
WHERE f.trace = $1
ORDER BY r.bytes DESC, f.file
"""
"""The files of trace `$1` that were read, those with most bytes first."""
