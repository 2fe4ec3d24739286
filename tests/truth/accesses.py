"""Accesses whose pattern is known, as arrays; and what disturbs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stepwell.trace.definition import Op

Offsets = np.ndarray[Any, np.dtype[np.int64]]
Rng = np.random.Generator


@dataclass(frozen=True)
class Series:
    """What one thread does to one open file, in order; all in bytes.

    `requested` is what was asked for; `size` of them what was got.
    """

    offset: Offsets
    size: Offsets
    requested: Offsets
    file_size: int
    op: Op = Op.READ

    @classmethod
    def of(cls, offset: Any, size: Any, file_size: int = 0, op: Op = Op.READ, requested: Any = None) -> Series:
        """Make a series; sizes may be one for all, and the file is as large as it takes."""
        offsets = np.asarray(offset, np.int64)
        sizes = np.broadcast_to(np.asarray(size, np.int64), offsets.shape).copy()
        asked = sizes if requested is None else np.broadcast_to(np.asarray(requested, np.int64), offsets.shape).copy()
        return cls(offsets, sizes, asked, max(file_size, int((offsets + sizes).max(initial=0))), op)

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, order: Any) -> Series:
        """Return some of the accesses in this order."""
        return replace(self, offset=self.offset[order], size=self.size[order], requested=self.requested[order])

    def then(self, other: Series) -> Series:
        """Return this series followed by another one."""
        return Series(
            np.concatenate([self.offset, other.offset]), np.concatenate([self.size, other.size]),
            np.concatenate([self.requested, other.requested]), max(self.file_size, other.file_size), self.op,
        )  # fmt: skip


def interleaved(rng: Rng, parts: list[Series], *, regular: bool) -> Series:
    """Return series that take turns, one after the other or at random."""
    lengths = [len(part) for part in parts]
    if regular:
        keys = np.concatenate([np.arange(n) + k / len(parts) for k, n in enumerate(lengths)])
    else:
        keys = np.concatenate([np.sort(rng.random(n)) for n in lengths])
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.then(part)
    return whole.take(np.argsort(keys, kind="stable"))


def disturbed(rng: Rng, series: Series, share: float) -> Series:
    """Return the series with foreign accesses among its own, at random times and places: `share` of all."""
    number = int(rng.binomial(len(series), share / (1 - share))) if share else 0
    if not number:
        return series
    sizes = rng.choice(np.concatenate([series.requested, [512, 4096, 65536]]), number)
    sizes = np.minimum(sizes, max(series.file_size // 2, 1))
    foreign = Series.of(rng.integers(0, max(series.file_size - int(sizes.max()), 1), number), sizes, op=series.op)
    mixed = interleaved(rng, [series, foreign], regular=False)
    return replace(mixed, file_size=series.file_size)


def thinned(rng: Rng, series: Series, share: float) -> Series:
    """Return the series without the accesses that were lost: `share` of all, but the first stays."""
    kept = rng.random(len(series)) >= share
    kept[:1] = True
    return series.take(kept)
