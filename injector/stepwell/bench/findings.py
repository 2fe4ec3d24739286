"""What measuring a storage has found up to now, and what to know about it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from stepwell.analysis.storage import UNSURE, Reads


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
    sparse: int = 0
    """Files that have holes."""
    exhausted: int = 0
    """Combinations that no fresh places were left for, where that matters."""
    errors: Counter[int] = field(default_factory=Counter)
    """Reads that failed, by errno."""

    def doubts(self, filesystem: str) -> Iterator[str]:
        """Return what to know about the numbers, in words."""
        yield from self._kept()
        yield from self._other_places(filesystem)
        yield from self._missing()

    def _kept(self) -> Iterator[str]:
        """Tell what may have been kept on the way."""
        if self.keeps:
            yield "what was read is kept on the way to the storage, so that each place was read once"
        if self.exhausted:
            yield (
                f"{self.exhausted:,} combinations are left out, because everything had been read; measure more data "
                "(--make), or fewer combinations (--block-size, --concurrency)"
            )
        repeated = sum(int(one.repeated[one.bytes > 0].sum()) for one in self.reads)
        if repeated and self.keeps is None:
            total = sum(int((one.bytes > 0).sum()) for one in self.reads)
            yield (
                f"{UNSURE}{repeated:,} of {total:,} reads were of places read before, and it cannot be told whether "
                "somebody on the way kept them"
            )

    def _other_places(self, filesystem: str) -> Iterator[str]:
        """Tell what may have been read from elsewhere than the storage."""
        if self.untold:
            yield (
                f"{UNSURE}O_DIRECT does not work there, and the kernel does not tell this user what is in the page"
                " cache; measure as the files' owner"
            )
        if self.sparse:
            yield f"{UNSURE}{self.sparse:,} files have holes, and no storage is asked for what is in a hole"
        if filesystem in {"tmpfs", "ramfs"}:
            yield f"{UNSURE}{filesystem} is memory, not storage"

    def _missing(self) -> Iterator[str]:
        """Tell what was not measured."""
        if self.in_use:
            yield f"{self.in_use:,} places stay in the page cache, because others use them, and were not read"
        if self.errors:
            reasons = ", ".join(os.strerror(code) if code else "the file ended" for code in sorted(self.errors))
            yield f"{self.errors.total():,} reads failed ({reasons}) and are left out"
        if self.too_large:
            sizes = ", ".join(f"{block >> 10:,} KiB" for block in sorted(self.too_large))
            yield f"no file is large enough for blocks of {sizes}"
        if self.left_out:
            yield f"{self.left_out:,} combinations would have taken more than is left of --time and --bytes"
