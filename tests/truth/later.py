"""More reads of real programs, written after the rules: one was changed because of them (windows that overlap).

What a label allows is what two experts could call it.
"""

from __future__ import annotations

import numpy as np
from tests.truth.accesses import Rng, Series, interleaved
from tests.truth.unseen import Label, Maker

PAGE = 4096


def _count(rng: Rng, low: int = 40, high: int = 8000) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high))))


def _size(rng: Rng, low: int = 512, high: int = 1 << 20) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high)))) // 512 * 512 or 512


def _ramp(count: int, stride: int, size: int, start: int = 0) -> Series:
    return Series.of(start + np.arange(count) * stride, size)


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])


def matrix_by_blocks(rng: Rng) -> Series:
    """Blocks of a matrix in row-major order, each row of a block by one request."""
    wide, rows_of, down = int(rng.integers(5, 20)), int(rng.integers(8, 64)), int(rng.integers(1, 5))
    width = _size(rng, 4096, 1 << 18)
    y, x, row = np.meshgrid(np.arange(down), np.arange(wide), np.arange(rows_of), indexing="ij")
    return Series.of(((y * rows_of + row) * wide + x).ravel() * width, width)


def volume_part(rng: Rng) -> Series:
    """A box of a volume, contiguous in its first dimension."""
    length, deep = _size(rng, 2048, 1 << 16), int(rng.integers(6, 30))
    whole, rows = length * int(rng.integers(3, 9)), int(rng.integers(20, 60))
    z, y = np.meshgrid(np.arange(deep), np.arange(rng.integers(6, rows // 2)), indexing="ij")
    return Series.of((z * rows + y).ravel() * whole, length)


def volume_plane(rng: Rng) -> Series:
    """A plane across a volume: a piece of each of its lines."""
    size, lines = _size(rng, 512, 8192), int(rng.integers(121, 2500))
    wide = int(rng.integers(4, 19))
    return _ramp(lines, size * wide, size, int(rng.integers(0, wide)) * size)


def matrix_by_columns(rng: Rng) -> Series:
    """All columns of a matrix in row-major order, one after the other."""
    wide, high, size = int(rng.integers(4, 20)), int(rng.integers(30, 200)), _size(rng, 512, 8192)
    return Series.of((np.arange(high) * wide + np.arange(wide)[:, None]).ravel() * size, size)


def windows_that_overlap(rng: Rng) -> Series:
    """Windows of a signal that begin before the last one ended."""
    step = _size(rng, 512, 65536)
    return _ramp(_count(rng), step, step * int(rng.integers(2, 9)))


def spectrogram(rng: Rng) -> Series:
    """Windows of which each half is read twice."""
    step = _size(rng, 512, 65536)
    return _ramp(_count(rng), step, 2 * step)


def merge_of_runs(rng: Rng) -> Series:
    """Sorted runs in one file, merged: whichever has the least key goes on."""
    runs, block, each = int(rng.integers(3, 12)), _size(rng, 4096, 1 << 18), int(rng.integers(20, 200))
    return interleaved(rng, [_ramp(each, block, block, run * each * block) for run in range(runs)], regular=False)


def hash_table(rng: Rng) -> Series:
    """Buckets of a hash table, now and then with an overflow page."""
    buckets, places = int(rng.integers(2000, 200_000)), []
    for _ in range(_count(rng, 60, 5000)):
        places.append(int(rng.integers(buckets)))
        if rng.random() < 0.2:
            places.append(buckets + int(rng.integers(buckets // 5)))
    return Series.of(np.array(places) * PAGE, PAGE, file_size=2 * buckets * PAGE)


def index_then_row(rng: Rng) -> Series:
    """Root, inner page and leaf of an index, then the row."""
    rows = int(rng.integers(20_000, 300_000))
    key = rng.integers(0, rows, _count(rng, 40, 2000))
    places = np.stack([np.zeros_like(key), 1 + key * 19 // rows, 50 + key * 977 // rows, 2000 + key], axis=1)
    return Series.of(places.ravel() * 2 * PAGE, 2 * PAGE)


def shuffled_blocks(rng: Rng) -> Series:
    """Records of blocks in order, the blocks in none."""
    each, blocks, size = int(rng.integers(32, 200)), int(rng.integers(20, 100)), _size(rng, 2048, 65536)
    return Series.of((rng.permutation(blocks)[:, None] * each + np.arange(each)).ravel() * size, size)


def shuffled_records(rng: Rng) -> Series:
    """Every record once, in no order."""
    size = _size(rng, 2048, 1 << 18)
    return Series.of(rng.permutation(_count(rng, 60, 5000)) * size, size)


def seekable_frames(rng: Rng) -> Series:
    """The table of frames at the end, then all frames."""
    sizes = rng.integers(20_000, 200_000, _count(rng, 40, 2000))
    whole = int(sizes.sum())
    return Series.of(np.append(whole, _starts(sizes)), np.append(PAGE, sizes))


def chunks_backwards(rng: Rng) -> Series:
    """A file by chunks, the last one first."""
    size, count = _size(rng, 4096), _count(rng, 20, 2000)
    return _ramp(count, -size, size, (count - 1) * size)


def records_backwards(rng: Rng) -> Series:
    """Records of many sizes with padding between them, the last one first."""
    count = _count(rng, 40, 3000)
    sizes, padding = rng.integers(100, 3000, count), rng.integers(0, 200, count)
    return Series.of(_starts(sizes + padding)[::-1], sizes[::-1])


def two_halves(rng: Rng) -> Series:
    """Two places in one file compared, block by block."""
    block, count = _size(rng, 4096, 1 << 18), _count(rng, 30, 2000)
    other = count * block + int(rng.integers(1, 50)) * PAGE
    return interleaved(rng, [_ramp(count, block, block), _ramp(count, block, block, other)], regular=True)


def row_groups_left_out(rng: Rng) -> Series:
    """A scan that leaves out the row groups that cannot match."""
    size = _size(rng, 65536, 4 << 20)
    return Series.of(np.flatnonzero(rng.random(_count(rng, 40, 3000)) < rng.uniform(0.5, 0.9)) * size, size)


def rows_of_a_sample(rng: Rng) -> Series:
    """The pages of a sorted sample of rows."""
    count = _count(rng, 60, 3000)
    return Series.of(np.sort(rng.choice(count * 50, count, replace=False)) * PAGE, PAGE)


def faults_of_a_mapping(rng: Rng) -> Series:
    """What the kernel reads around faults of a mapping that is gone through."""
    return _ramp(_count(rng, 20, 4000), 65536, 65536)


def few_at_random(rng: Rng) -> Series:
    """A few places in no order."""
    count, size = int(rng.integers(17, 40)), _size(rng, 4096)
    return Series.of(rng.permutation(count * int(rng.integers(1, 30)))[:count] * size, size)


def few_in_steps(rng: Rng) -> Series:
    """A few places at one distance."""
    size = _size(rng)
    return _ramp(int(rng.integers(9, 30)), size * int(rng.integers(3, 40)), size)


def slots_of_values(rng: Rng) -> Series:
    """Values of many sizes, each in a slot of its own."""
    count, slot = _count(rng, 40, 3000), _size(rng, 65536)
    return Series.of(np.arange(count) * slot, rng.integers(200, slot // 4, count))


def there_and_back(rng: Rng) -> Series:
    """A file forwards and then backwards."""
    count, size = _count(rng, 40, 1000), _size(rng, 4096, 65536)
    return _ramp(count, size, size).then(_ramp(count, -size, size, (count - 1) * size))


def chunks_with_headers(rng: Rng) -> Series:
    """A small header and then a chunk, over and over."""
    sizes = rng.integers(2000, 100_000, _count(rng, 30, 2000))
    both = np.stack([np.full(len(sizes), 16), sizes], axis=1).ravel()
    return Series.of(_starts(both), both)


def archive_listed(rng: Rng) -> Series:
    """The headers of an archive, its members left out."""
    return Series.of(_starts(rng.integers(2000, 300_000, _count(rng, 40, 3000))), 512)


def popular_pages(rng: Rng) -> Series:
    """Pages of which few are asked for most."""
    pages = int(rng.integers(500, 20_000))
    asked = np.minimum(rng.zipf(1.3, _count(rng, 100, 6000)), pages) - 1
    return Series.of(rng.permutation(pages)[asked] * 4 * PAGE, 4 * PAGE, file_size=pages * 4 * PAGE)


LATER: dict[str, tuple[Label, Maker]] = {
    maker.__name__: (frozenset(label), maker)
    for label, makers in (
        ({"strided"}, (
            matrix_by_blocks, volume_part, volume_plane, matrix_by_columns, few_in_steps, slots_of_values,
        )),
        ({"sequential"}, (merge_of_runs, two_halves, chunks_with_headers)),
        ({"sequential", "strided"}, (
            windows_that_overlap, spectrogram, row_groups_left_out, rows_of_a_sample, archive_listed,
        )),
        ({"sequential", "whole-file"}, (faults_of_a_mapping,)),
        ({"sequential", "header-then-body"}, (seekable_frames,)),
        ({"sequential", "random", "mixed"}, (shuffled_blocks,)),
        ({"sequential", "backward", "mixed"}, (there_and_back,)),
        ({"backward"}, (chunks_backwards, records_backwards)),
        ({"random"}, (hash_table, index_then_row, shuffled_records, few_at_random, popular_pages)),
    )
    for maker in makers
}  # fmt: skip
"""By name: what a verdict may be called, and what makes a series."""
