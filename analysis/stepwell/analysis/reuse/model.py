"""What is said of reuse and caches; the same words, units and order as in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class CurvePoint:
    """What a cache of one size would do."""

    size: Annotated[int, "bytes of the cache"]
    miss_ratio: Annotated[float, "share of references to blocks that miss, least recently used going first"]
    saved_per_gib: Annotated[float, "further bytes not fetched for each further GiB, from the size before to this one"]


@dataclass(frozen=True)
class Simulated:
    """What a cache of one size and policy would do, by simulation."""

    policy: Annotated[str, "which block goes first: lru, s3fifo, sieve, clock, fifo; min is the bound of all"]
    cache_size: Annotated[int, "bytes of the cache"]
    block_size: Annotated[int, "bytes in a block"]
    readahead: Annotated[int, "most bytes read ahead, as Linux does on demand; 0 for none"]
    sampling: Annotated[int, "1: exact; n: one block in n was followed, in a cache as much smaller"]
    error: Annotated[float, "two standard errors of miss_ratio, from sampling; 0 when it is exact"]
    accesses: Annotated[int, "reads simulated; when sampled: of single blocks"]
    references: Annotated[int, "blocks that reads touched"]
    hit_ratio: Annotated[float, "share of reads all of whose blocks hit; when sampled: of references"]
    byte_hit_ratio: Annotated[float, "share of bytes read that hit; when sampled: of references"]
    miss_ratio: Annotated[float, "share of references to blocks that miss"]
    read_bytes: Annotated[int, "bytes that were read"]
    fetched_bytes: Annotated[int, "bytes fetched from storage in whole blocks, readahead included"]
    ahead_bytes: Annotated[int, "part of them that was read ahead"]
    amplification: Annotated[float | None, "fetched_bytes / read_bytes"]
    wait_ns: Annotated[int | None, "predicted wait: reads that miss, each as long as one that waited in the trace"]


@dataclass(frozen=True)
class CacheCurve:
    """A dataset, or everything that was read, as seen by a cache."""

    dataset: Annotated[str, "directory of the dataset; empty for all data together"]
    block: Annotated[int, "bytes in a block"]
    references: Annotated[int, "blocks touched by reads: each access counts each block that it touches"]
    unique_bytes: Annotated[int, "bytes of blocks touched at least once: a larger cache serves nothing more"]
    sampling: Annotated[float, "share of blocks that were followed"]
    curve: Annotated[tuple[CurvePoint, ...], "from small sizes to large ones"]
    policies: Annotated[tuple[Simulated, ...], "other policies, by simulation"]
    working_set: Annotated[tuple[int, ...], "bytes of blocks read in each window of time"]
    window_ns: Annotated[int, "length of a window"]
    recommended: Annotated[int | None, "bytes of the cache at the knee of the curve; null when none would help"]
    reason: Annotated[str, "why"]
