"""Findings, and the facts they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from stepwell.analysis.patterns import Pattern
from stepwell.analysis.waits.model import Waits


@dataclass(frozen=True)
class Span:
    """An interval that a prediction lies in."""

    low: Annotated[float, "lower bound"]
    high: Annotated[float, "upper bound"]


@dataclass(frozen=True)
class Input:
    """A number that a model was fed with."""

    name: Annotated[str, "what it is"]
    value: Annotated[float, "the number"]
    unit: Annotated[str, "its unit: ns, bytes, bytes/s, 1 for shares and counts"]


@dataclass(frozen=True)
class Finding:
    """Something to change, or a reason to leave all as it is."""

    kind: Annotated[
        str,
        "read-size, read-ahead, read-ahead-off, concurrency, queue-depth, submission, prefetch, cache, packing, "
        "chunks, alignment, direct, reread, buffer, synchronous, reopening, imbalance, slow-file, throttle or "
        "leave-alone",
    ]
    scope: Annotated[str, "what it is about: process, dataset or file"]
    subject: Annotated[str, "the process's name and id, the dataset's directory, or the file's path"]
    readers: Annotated[tuple[int, ...], "processes it would help"]
    dataset: Annotated[str, "the dataset concerned; empty when there is none"]
    sentence: Annotated[str, "the finding in words"]
    lost_ns: Annotated[int, "time that it costs now, of the elapsed time; at most"]
    saved_ns: Annotated[Span, "elapsed time that the change would save"]
    speedup: Annotated[Span, "elapsed time before over after"]
    model: Annotated[str, "how the prediction was made, in words"]
    inputs: Annotated[tuple[Input, ...], "the numbers it was made from"]
    setting: Annotated[str, "what exactly to try; empty when there is nothing"]
    confidence: Annotated[float, "from 0 to 1"]
    evidence: Annotated[tuple[str, ...], "where its evidence is: verdicts, storages, patterns, by name"]


@dataclass(frozen=True)
class Cache:
    """The cache recommended for one dataset."""

    dataset: Annotated[str, "its directory"]
    size: Annotated[int, "its size in bytes"]
    miss_ratio: Annotated[float, "share of touched blocks that it would miss, beginning empty"]
    least_miss_ratio: Annotated[float, "the same of a cache that holds all: blocks touched for the first time"]
    unique_bytes: Annotated[int, "bytes of blocks touched at least once"]


@dataclass(frozen=True)
class Order:
    """In which order the files of a dataset are read."""

    dataset: Annotated[str, "its directory"]
    readers: Annotated[tuple[int, ...], "processes that read them"]
    by: Annotated[str, "name, size, mtime, shuffled or unknown"]
    relation: Annotated[str, "of one epoch to the next: same, window, reversed, reshuffled or unknown"]
    epochs: Annotated[int, "epochs seen"]
    files: Annotated[int, "files seen"] = 0


@dataclass(frozen=True)
class Series:
    """In which series the files of a dataset are read: accesses of one size at one distance, or a single one."""

    dataset: Annotated[str, "its directory"]
    number: Annotated[int, "series"]
    neighbours: Annotated[int, "the same, where those that begin at one distance of each other count as one"]
    pieces: Annotated[int, "accesses in them"]
    bytes: Annotated[int, "bytes in them"]
    part: Annotated[float, "share of the bytes in series with holes of at least a piece"]
    windows: Annotated[float, "read-ahead windows that hold them, if each lies in one piece"]


@dataclass(frozen=True)
class Facts:
    """All that advice is drawn from."""

    waits: Waits
    patterns: tuple[Pattern, ...] = ()
    caches: tuple[Cache, ...] = ()
    orders: tuple[Order, ...] = ()
    series: tuple[Series, ...] = ()
    dataset_patterns: dict[tuple[str, bool], Pattern] = field(init=False)

    def order(self, dataset: str, readers: tuple[int, ...]) -> Order | None:
        """Return in which order the processes of a team go over the files of a dataset.

        None where they read less than half of those files: the order is that of others, then.
        """
        uses = [use for team in self.waits.teams if team.readers == readers for use in team.uses]
        mine = max((use.files for use in uses if use.dataset == dataset), default=0)
        return next(
            (
                one
                for one in self.orders
                if one.dataset == dataset and set(one.readers) & set(readers) and 2 * mine >= one.files
            ),
            None,
        )

    def cache(self, dataset: str) -> Cache | None:
        """Return the cache recommended for a dataset, None where none would serve anything."""
        return next((one for one in self.caches if one.dataset == dataset), None)

    def of_series(self, dataset: str) -> Series | None:
        """Return in which series a dataset is read, None where that was not looked at."""
        return next((one for one in self.series if one.dataset == dataset), None)

    def file_bytes(self, dataset: str) -> int:
        """Return the bytes that the files of a dataset hold which anybody read, those of several teams repeatedly."""
        uses = (use for team in self.waits.teams for use in team.uses)
        return sum(use.file_bytes for use in uses if use.dataset == dataset and use.direction == "read")

    def __post_init__(self) -> None:
        """Find the verdicts on whole datasets, those on mapped reading apart."""
        reads = {
            (row.path, row.op == "mmap"): row for row in self.patterns if row.scope == "dataset" and row.op != "write"
        }
        object.__setattr__(self, "dataset_patterns", reads)
