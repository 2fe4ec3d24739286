"""A known order out of a recorded trace."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
from pyarrow import feather

from stepwell.analysis.ask import Queryable
from stepwell.prefetch.errors import OrderError
from stepwell.steer.orders import directories
from stepwell.store.files import SOFTWARE_PLACES

MOST_STEPS = 20_000_000
"""Steps of an order; as many are 1.3 GB in the engine."""

_SCHEMA = pa.schema([("path", pa.string()), ("offset", pa.int64()), ("size", pa.int64())])

_STEPS = f"""
WITH data AS (
    SELECT file, path, size AS file_size FROM files
    WHERE trace = {{trace:d}} AND starts_with(path, '/') AND NOT regexp_matches(path, '{SOFTWARE_PLACES}')
), read AS (
    SELECT *, (count - 1)::BIGINT * size + tail AS total, stride = size OR count = 1 AS along
    FROM runs JOIN data USING (file) WHERE trace = {{trace:d}} AND op <> 'write' AND count > 0 AND size > 0
), whole AS (
    SELECT open, any_value(path) AS path, min(start_ns) AS start_ns FROM read GROUP BY open
    HAVING bool_and(along) AND min("offset") = 0 AND sum(total) = max(file_size)
), parts AS (SELECT * FROM read ANTI JOIN whole USING (open))
SELECT path, "offset", size FROM (
    SELECT path, 0 AS "offset", NULL AS size, start_ns, 0 AS step FROM whole
    UNION ALL
    SELECT path, "offset", total, start_ns, 0 FROM parts WHERE along
    UNION ALL
    SELECT path, "offset" + step * stride, CASE WHEN step = count - 1 THEN tail ELSE size END,
        start_ns + step * span_ns // (count - 1), step
    FROM (SELECT *, unnest(range(count)) AS step FROM parts WHERE NOT along)
) WHERE size IS NULL OR size > 0 ORDER BY start_ns, step LIMIT {MOST_STEPS}
"""
"""What a trace read, in order: the consecutive accesses of a run are one step, others one each.

An open file that was read once from end to end is one step, on the file without a range: readers come to it when they
open it, before any access is told.
"""


def of_trace(store: Queryable, trace: int, file: BinaryIO) -> list[str]:
    """Write the order in which a trace read its data, for an engine; return the directories of that data.

    Raises:
        OrderError: it read none.
    """
    steps = store.query(_STEPS.format(trace=trace)).read_all()
    if not len(steps):
        raise OrderError(f"trace {trace} read no data files; `stepwell traces` lists others")
    feather.write_feather(steps.cast(_SCHEMA), file)
    return directories(steps["path"].unique().to_pylist())
