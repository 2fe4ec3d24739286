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

    policy: Annotated[str, "which block goes first"]
    size: Annotated[int, "bytes of the cache"]
    miss_ratio: Annotated[float, "share of references to blocks that miss"]
    error: Annotated[float, "two standard errors of it, from sampling; 0 when it is exact"]


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
