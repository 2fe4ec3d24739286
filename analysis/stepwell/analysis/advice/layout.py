"""The finding on how arrays are stored: pieces that are read together should lie together.

A file is read in *series*: pieces of one size at one distance, such as the rows of a tile, or a column.  Stored as a
chunk, a series is one fetch, or as many as read-ahead makes of it.

What is mapped gets no such advice, for a trace does not tell how large the chunks would be.  A fault maps the cached
pages around it, up to 64 KiB, and touches of these are not seen: readers of 8 bytes, 4 KiB and 16 KiB in each of 24
rows of 128 KiB all leave one run of 24 faults of 64 KiB, with 24 fetches.  Chunks made the first two 24 times as fast,
the last one 11.5 times, on storage of 3 ms and 100 MB/s.  Bounds from what is mapped, all of it used or hardly any,
were tried: nothing could be promised for sure, and two of two gains lay above the upper one.
"""

from __future__ import annotations

from stepwell.analysis.advice import gains
from stepwell.analysis.advice.drawn import Matter, finding, waiting
from stepwell.analysis.advice.model import Finding, Input, Series, Span
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.trace.format import count, size


def chunks(matter: Matter) -> Finding | None:
    """Return the advice to store what is read together in one piece, where it is read in many small ones."""
    use, storage, series = matter.use, matter.storage, matter.facts.of_series(matter.use.dataset)
    if storage is None or series is None or 2 * use.mapped > use.accesses:
        return None  # of a page fault it is not known how much of what it brought is used: see above
    if matter.pattern is None or matter.pattern.pattern != "strided":
        return None
    pieces = series.pieces / series.number
    if pieces < bounds.LEAST_GROWTH or series.part < bounds.CONSECUTIVE or use.request >= limits.READ_AHEAD:
        return None  # pieces of a read-ahead window are fetched as well as chunks
    each, whole = pieces * use.request, series.bytes / series.number
    distance = size(abs(matter.pattern.stride or 0))
    useless = storage.bytes / max(gains.asked_bytes(use), 1)
    more = f", and {useless:.2g} times as much is fetched as asked for" if useless >= bounds.REREAD else ""
    return finding(
        matter,
        "chunks",
        f"{waiting(matter)}, in pieces of {size(use.request)} that lie {distance} apart: what is read together does not"
        f" lie together; {count(storage.fetches)} fetches bring {size(storage.bytes)}{more}",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, _left(matter, series)),
        f"a series of {pieces:,.0f} pieces as one chunk of {size(each)}: time = fetches x latency + bytes / rate; at"
        " least, chunks are fetched one by one, by the read-ahead window; at most, neighbours together",
        f"store it in chunks of about {size(each)}, of what is read at once: chunks= in Zarr or h5py (HDF5), tiles in"
        " TIFF; for columns one array each, or Parquet",
        sure=0.8,
        more=(
            Input("pieces of a series", pieces, "1"),
            Input("bytes of a series", whole, "bytes"),
            Input("series", float(series.number), "1"),
            Input("series with neighbours put together", float(series.neighbours), "1"),
            Input("bytes fetched over bytes asked for", useless, "1"),
        ),
    )


def _left(matter: Matter, series: Series) -> Span:
    """Return the share of the waiting that is left: fetches of whole series, over those of pieces."""
    storage, use = matter.storage, matter.use
    assert storage is not None
    # What came from memory may do so again, unless it came with what was read before.
    fetched = min(1.0, gains.asked_bytes(use) / max(use.bytes, 1))
    windows = max(series.number, series.bytes / bounds.MOST_READ) if matter.unbuffered else series.windows
    together = max(series.neighbours, series.bytes / bounds.MOST_READ)
    ratios = []
    for way in gains.trips(storage):
        now = storage.fetches * way.ns(storage.mean_bytes)
        flow = series.bytes * 1e9 / way.bytes_s
        ratios += [(windows * way.latency_ns + flow) / now, fetched * (together * way.latency_ns + flow) / now]
    return Span(min(ratios), min(1.0, max(ratios)))
