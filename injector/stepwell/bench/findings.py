"""What measuring a storage has found up to now, and what to know about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stepwell.analysis.storage import Reads
from stepwell.bench.native.library import Measurement

UNSURE = "not sure: "
"""Beginning of doubts that make the numbers uncertain."""


@dataclass
class Findings:
    """What has been measured so far."""

    reads: list[Reads] = field(default_factory=list)
    octets: int = 0
    status: str = "complete"
    left_out: int = 0
    """Combinations that time or bytes did not suffice for."""
    in_use: int = 0
    """Places that stayed in the page cache, because others use them, and were not read."""
    untold: bool = False
    """The kernel does not tell what is in the page cache."""
    too_large: set[int] = field(default_factory=set)
    """Block sizes that no file has."""
    keeps: bool | None = False
    """Whether somebody on the way keeps what was read; None: it cannot be told."""
    exhausted: int = 0
    """Combinations that no fresh places were left for, where that matters."""
    hanging: list[Measurement] = field(default_factory=list)
    """Threads that hang; they still write to their memory."""

    def doubts(self, filesystem: str) -> Iterator[str]:
        """Return what to know about the numbers, in words."""
        if self.keeps:
            yield "what was read is kept on the way to the storage, so that each place was read once"
        if self.exhausted:
            yield (
                f"{self.exhausted:,} combinations are left out, because everything had been read; measure more data "
                "(--make), or fewer combinations (--block-size, --concurrency)"
            )
        repeated = sum(int(one.repeated.sum()) for one in self.reads)
        if repeated and self.keeps is None:
            total = sum(len(one.bytes) for one in self.reads)
            yield (
                f"{UNSURE}{repeated:,} of {total:,} reads were of places read before, and it cannot be told whether "
                "somebody on the way kept them"
            )
        if self.untold:
            yield (
                f"{UNSURE}O_DIRECT does not work there, and the kernel does not tell this user what is in the page"
                " cache; measure as the files' owner"
            )
        if self.in_use:
            yield f"{self.in_use:,} places stay in the page cache, because others use them, and were not read"
        if filesystem in {"tmpfs", "ramfs"}:
            yield f"{UNSURE}{filesystem} is memory, not storage"
        failed = sum(int((one.bytes < 0).sum()) for one in self.reads)
        if failed:
            yield f"{failed:,} reads failed and are left out"
        if self.too_large:
            sizes = ", ".join(f"{block >> 10:,} KiB" for block in sorted(self.too_large))
            yield f"no file is large enough for blocks of {sizes}"
        if self.left_out:
            yield f"{self.left_out:,} combinations would have taken more than is left of --time and --bytes"
