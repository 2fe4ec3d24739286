"""Unique bytes: how much of each file was touched at least once, however often.

The exact answer sorts every contiguous piece that was accessed.  Past
`EXACT_PIECES` of them, the files with the most pieces are looked at in part only:
they are cut into chunks, a hash picks one chunk in n, and the result is multiplied
by n (spatial sampling, as SHARDS does for working sets: Waldspurger et al.,
"Efficient MRC Construction with SHARDS", FAST 2015).
"""

from __future__ import annotations

from stepwell.analysis.sampling import mixed

EXACT_PIECES = 1_000_000
"""Most pieces that are sorted as they are; of the others, about so many again."""

CHUNK_BITS = 20
"""log2 of the bytes in one chunk of file space, when sampling."""

_END = 2**63 - 2
"""Offset of the last byte that a file can have."""

_PIECES = """
    SELECT file, sum(CASE WHEN abs(stride) <= size::BIGINT THEN 1 ELSE count END)::BIGINT AS pieces
    FROM runs WHERE trace = $1 GROUP BY file
"""

PIECES = f"SELECT coalesce(sum(pieces), 0)::BIGINT AS pieces FROM ({_PIECES})"
"""How many contiguous pieces the accesses of trace `$1` make."""


def sampling(pieces: int) -> int:
    """Return n when one nth of large files' space is to be looked at; 1 means that all is, exactly."""
    return 1 << (max(0, pieces - 1) // EXACT_PIECES).bit_length()


def unique_sql(one_in: int, exact_pieces: int = EXACT_PIECES) -> str:
    """Return the query for unique bytes of trace `$1`: columns reader, dataset, file and unique_bytes.

    Rows with a file are about that file; rows with a reader are about what that reader touched of that dataset.
    With `one_in` above 1, the files with the fewest pieces stay exact as long as they have `exact_pieces` together.
    """
    exact = one_in == 1
    bits = 63 if exact else CHUNK_BITS
    # the last byte of a chunk rather than its end, which for the last chunk of all is no 64-bit number
    low_edge, last_edge = ("0", str(_END)) if exact else (f"(chunk << {bits})", f"((chunk << {bits}) + {2**bits - 1})")
    far = "false" if exact else f"n > 1 AND abs(stride) >= (1 << {bits}) AND abs(stride) > size"

    def picked(*chunks: str) -> str:
        return "true" if exact else " OR ".join(f"{mixed('file', chunk)} % one_in = 0" for chunk in chunks)

    ends = picked(
        *(f"({at}) >> {bits}" for at in ("start", "start + size - 1", "start + stride", "start + stride + size - 1"))
    )
    return f"""
WITH quota AS (
    SELECT file, CASE WHEN sum(pieces) OVER (ORDER BY pieces, file) <= {exact_pieces} THEN 1
        ELSE {one_in} END::BIGINT AS one_in
    FROM ({_PIECES})
), run AS (
    -- the last access of a run may be cut short: then it stands for itself
    SELECT reader, file, "offset"::BIGINT AS start, stride, size::BIGINT AS size,
        count::BIGINT - (count > 1 AND tail <> size)::BIGINT AS n
    FROM runs WHERE trace = $1 AND count > 0 AND size > 0
    UNION ALL
    SELECT reader, file, "offset"::BIGINT + stride * (count::BIGINT - 1), 0, tail::BIGINT, 1
    FROM runs WHERE trace = $1 AND count > 1 AND tail <> size AND tail > 0
), asked AS (
    SELECT run.*, one_in FROM run JOIN quota USING (file)
), head AS (
    -- accesses further apart than a chunk are taken one by one
    SELECT reader, file, one_in, start, stride, size, n FROM asked WHERE NOT ({far})
    UNION ALL
    SELECT reader, file, one_in, start + i * stride, 0, size, 1
    FROM (SELECT *, unnest(range(n)) AS i FROM asked WHERE {far} AND (n > 2 OR size > (1 << {bits % 63}) OR {ends}))
), span AS (
    SELECT *, start + least(0, stride * (n - 1)) AS low, start + greatest(0, stride * (n - 1)) + size AS high FROM head
), cell AS (
    SELECT * FROM (
        SELECT *, unnest(range(low >> {bits}, ((high - 1) >> {bits}) + 1)) AS chunk FROM span
        WHERE low >> {bits} < (high - 1) >> {bits} OR {picked(f"low >> {bits}")}
    ) WHERE {picked("chunk")}
), piece AS (
    SELECT reader, file, one_in, chunk, low, high FROM cell WHERE n = 1 OR abs(stride) <= size
    UNION ALL
    -- of accesses with gaps, those that reach into the chunk, counted upwards from the lowest
    SELECT reader, file, one_in, chunk, low + i * abs(stride), low + i * abs(stride) + size
    FROM (
        SELECT *, unnest(range(greatest(0, {low_edge} - low - size + abs(stride)) // abs(stride),
            least(n, ({last_edge} - low) // abs(stride) + 1))) AS i
        FROM cell WHERE n > 1 AND abs(stride) > size
    )
), clipped AS MATERIALIZED (
    SELECT reader, file, one_in, greatest(low, {low_edge}) AS low, least(high - 1, {last_edge}) + 1 AS high FROM piece
), by_reader AS (
    SELECT reader, file, one_in * greatest(0, high - greatest(low, coalesce(max(high) OVER (
        PARTITION BY reader, file ORDER BY low ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), low))) AS fresh
    FROM clipped
), by_file AS (
    SELECT file, one_in * greatest(0, high - greatest(low, coalesce(max(high) OVER (
        PARTITION BY file ORDER BY low ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), low))) AS fresh
    FROM clipped
)
SELECT reader, coalesce(dataset, '') AS dataset, NULL AS file, sum(fresh)::BIGINT AS unique_bytes
FROM by_reader LEFT JOIN (SELECT file, dataset FROM files WHERE trace = $1) USING (file) GROUP BY ALL
UNION ALL
SELECT NULL, NULL, file, sum(fresh)::BIGINT FROM by_file GROUP BY file
"""
