"""Unique bytes: how much of each file was touched at least once, however often.

The exact answer sorts every contiguous piece that was accessed.  Past
`EXACT_PIECES` of them, the files with the most pieces are looked at in part only:
they are cut into chunks, a hash picks one chunk in n, and the result is multiplied
by n (spatial sampling, as SHARDS does for working sets: Waldspurger et al.,
"Efficient MRC Construction with SHARDS", FAST 2015).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stepwell.analysis.ask import Queryable, ask, rows
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


class Unique(NamedTuple):
    """Unique bytes of each file, and of each reader in each file; estimated from one nth of large files' space."""

    sampling: int
    of_file: dict[int, int]
    of_reader: dict[tuple[int, int], int]
    """By reader and file."""


def unique(store: Queryable, trace: int) -> Unique:
    """Return how many bytes of its files a trace touched."""
    one_in = sampling(rows(store, PIECES, trace)[0]["pieces"])
    return Unique(one_in, *union(ask(store, pieces_sql(one_in), trace)))


def union(pieces: pa.Table) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    """Return the bytes that pieces of files have in common, each counted once: by file, and by reader and file.

    Every file gets a place of its own on one line, and every reader a line of its own, so that one sort puts all in
    order: readers' pieces are taken apart after it.

    Args:
        pieces: columns reader, file, one_in, low and high, as `pieces_sql` gives them.
    """
    if not pieces.num_rows:
        return {}, {}
    files, file = _numbered(pieces["file"])
    readers, reader = _numbered(pieces["reader"])
    low, high, one_in = (pieces[name].to_numpy() for name in ("low", "high", "one_in"))
    end = np.zeros(len(files), np.int64)
    np.maximum.at(end, file, high)
    length = sum(end.tolist())
    # Python's own integers, slow but without limit, where files of exabytes leave no room in 64 bits.
    number: Any = np.int64 if length * len(readers) < 2**62 else object
    place = (np.cumsum(end.astype(number)) - end)[file]
    low, high = low + place, high + place
    order = np.argsort(low)
    low, high, one_in, file, reader = (column[order] for column in (low, high, one_in, file, reader))
    of_file, _ = _sums(_fresh(low, high) * one_in, file)
    order = np.argsort(reader.astype(np.min_scalar_type(len(readers))), kind="stable")  # linear up to 65,535 of them
    low, high, one_in, file, reader = (column[order] for column in (low, high, one_in, file, reader))
    line = reader.astype(number) * length
    of_pair, first = _sums(_fresh(low + line, high + line) * one_in, reader.astype(np.int64) * len(files) + file)
    return dict(zip(files, of_file, strict=True)), {
        (readers[one], files[other]): octets
        for one, other, octets in zip(reader[first].tolist(), file[first].tolist(), of_pair, strict=True)
    }


def _numbered(column: pa.ChunkedArray) -> tuple[list[int], np.ndarray[Any, Any]]:
    """Return the values that occur, and the number among them of each element."""
    found = pc.dictionary_encode(column).combine_chunks()
    return found.dictionary.to_pylist(), found.indices.to_numpy()


def _fresh(start: np.ndarray[Any, Any], end: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the bytes of each interval that those before it do not reach; they are in the order of their starts."""
    start = start.copy()
    start[1:] = np.maximum(start[1:], np.maximum.accumulate(end)[:-1])
    fresh: np.ndarray[Any, np.dtype[np.int64]] = np.maximum(end - start, 0).astype(np.int64)
    return fresh


def _sums(values: np.ndarray[Any, Any], key: np.ndarray[Any, Any]) -> tuple[list[int], np.ndarray[Any, Any]]:
    """Return the sums of values whose keys are equal, which stand together, and where the first of each is."""
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return np.add.reduceat(values, first).tolist(), first


def pieces_sql(one_in: int, exact_pieces: int = EXACT_PIECES) -> str:
    """Return the query for the contiguous pieces that trace `$1` touched: columns reader, file, one_in, low and high.

    A piece reaches from byte `low` to before byte `high`, and stands for `one_in` such pieces.
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
    here = "true" if exact else f"one_in = 1 OR low >> {bits} < (high - 1) >> {bits} OR {picked(f'low >> {bits}')}"
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
    -- what lies in one chunk that is not looked at goes away first, which is nearly all of many random accesses
    SELECT * FROM (
        SELECT run.*, one_in, start + least(0, stride * (n - 1)) AS low,
            start + greatest(0, stride * (n - 1)) + size AS high
        FROM run JOIN quota USING (file)
    ) WHERE {here}
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
)
SELECT reader, file, one_in::BIGINT AS one_in, greatest(low, {low_edge})::BIGINT AS low,
    least(high - 1, {last_edge})::BIGINT + 1 AS high
FROM piece
"""
