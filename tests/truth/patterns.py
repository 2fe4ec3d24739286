"""Families of series for each pattern, with parameters drawn from wide ranges: primes where a count is free."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.truth.accesses import Rng, Series, interleaved

from stepwell.trace.definition import Op

PRIMES = (97, 131, 199, 293, 433, 641, 953, 1409, 2087, 3109)
SIZES = (100, 512, 1021, 4093, 4096, 8192, 10007, 65536, 131072, 1 << 20)


def _count(rng: Rng) -> int:
    return int(rng.choice(PRIMES))


def _size(rng: Rng) -> int:
    return int(rng.choice(SIZES))


def _start(rng: Rng, size: int) -> int:
    return int(rng.integers(0, 1000)) * size if rng.random() < 0.5 else int(rng.integers(0, 1 << 30))


def _ramp(start: int, stride: int, size: int, count: int) -> Series:
    return Series.of(start + np.arange(count) * stride, size)


def stream(rng: Rng) -> Series:
    size = _size(rng)
    start = _start(rng, size) if rng.random() < 0.5 else 0
    one = _ramp(start, size, size, _count(rng))
    return Series.of(one.offset, one.size, one.file_size + int(rng.integers(0, 2)) * size * 100)


def records(rng: Rng) -> Series:
    sizes = rng.integers(1, 2 * _size(rng), _count(rng))
    return Series.of(np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)


def heads(rng: Rng) -> Series:
    size, count, number = _size(rng), _count(rng), int(rng.integers(2, 24))
    apart = size * count * int(rng.integers(1, 9))
    parts = [_ramp(head * apart, size, size, count) for head in range(number)]
    return interleaved(rng, parts, regular=bool(rng.integers(0, 2)))


def holes(rng: Rng) -> Series:
    size, count = _size(rng), _count(rng)
    skipped = rng.random(count) < rng.uniform(0.02, 0.3)
    steps = size * (1 + skipped * rng.integers(1, 5, count))
    return Series.of(np.concatenate([[0], np.cumsum(steps)[:-1]]), size)


def strided(rng: Rng) -> Series:
    size = _size(rng)
    stride = size + int(rng.integers(1, 100 * size))
    return _ramp(_start(rng, size), stride, size, _count(rng))


def tiles(rng: Rng) -> Series:
    """A tile of an array: rows of some requests each, at the distance of the array's rows."""
    size, rows, across = _size(rng), _count(rng), int(rng.integers(2, 12))
    pitch = size * across * int(rng.integers(3, 40))
    row = np.arange(rows)[:, None] * pitch + np.arange(across)[None, :] * size
    return Series.of(row.ravel(), size)


def columns(rng: Rng) -> Series:
    """Some columns of a table in rows, or a lattice: strides within strides."""
    size, rows, across = int(rng.choice((8, 64, 512, 4096))), _count(rng), int(rng.integers(2, 8))
    gap = size * int(rng.integers(2, 9))
    pitch = gap * across * int(rng.integers(3, 40))
    row = np.arange(rows)[:, None] * pitch + np.arange(across)[None, :] * gap
    return Series.of(row.ravel(), size)


def strided_heads(rng: Rng) -> Series:
    size, count, number = _size(rng), _count(rng), int(rng.integers(2, 8))
    stride = size * int(rng.integers(2, 50))
    parts = [_ramp(head * stride * count * 2, stride, size, count) for head in range(number)]
    return interleaved(rng, parts, regular=bool(rng.integers(0, 2)))


def backward(rng: Rng) -> Series:
    size, count = _size(rng), _count(rng)
    return _ramp(0, size, size, count).take(slice(None, None, -1))


def backward_strided(rng: Rng) -> Series:
    return strided(rng).take(slice(None, None, -1))


def backward_blocks(rng: Rng) -> Series:
    """As `tac` reads: blocks from last to first, each in some requests."""
    size, blocks, across = _size(rng), _count(rng), int(rng.integers(2, 5))
    start = np.arange(blocks)[::-1][:, None] * size * across + np.arange(across)[None, :] * size
    return Series.of(start.ravel(), size)


def uniform(rng: Rng) -> Series:
    size, count = _size(rng), _count(rng)
    blocks = int(count * rng.uniform(1, 1000))
    return Series.of(rng.integers(0, blocks, count) * size, size, blocks * size)


def permutation(rng: Rng) -> Series:
    size = _size(rng)
    return Series.of(rng.permutation(_count(rng)) * size, size)


def unaligned(rng: Rng) -> Series:
    count, length = _count(rng), int(rng.integers(1 << 24, 1 << 36))
    return Series.of(rng.integers(0, length, count), rng.integers(1, _size(rng) + 1, count), length + (1 << 20))


def zipf(rng: Rng) -> Series:
    size, count, blocks = _size(rng), _count(rng), int(rng.integers(1 << 10, 1 << 20))
    rank = rng.zipf(rng.uniform(1.1, 1.6), count) % blocks
    place = rng.permutation(blocks)
    return Series.of(place[rank] * size, size, blocks * size)


def whole(rng: Rng) -> Series:
    """A file read at once or in some requests, perhaps until a read returns nothing."""
    length, requests = int(rng.integers(1, 1 << 24)), int(rng.choice((1, 1, 2, 3, 5, 7, 11, 13)))
    size = -(-length // requests)
    offset = np.arange(requests) * size
    got = np.minimum(size, np.maximum(length - offset, 0))
    offset, got = offset[got > 0], got[got > 0]
    if rng.random() < 0.5:
        offset, got = np.append(offset, length), np.append(got, 0)
    return Series.of(offset, got, length, requested=size)


def header(rng: Rng) -> Series:
    """Small requests at the start, at the end or both; then the rest, in large ones."""
    size, count, probes = int(rng.choice((65536, 131072, 1 << 20))), _count(rng), int(rng.integers(1, 6))
    small = rng.integers(4, 4097, probes)
    first = np.concatenate([[0], np.cumsum(small)[:-1]])
    begin = int(small.sum()) if rng.random() < 0.5 else int(rng.integers(0, 3)) * 4096
    length = begin + size * count + 8192
    kind = int(rng.integers(0, 3))
    if kind == 1:
        first = length - np.cumsum(small)
    body = _ramp(begin, size, size, count)
    return Series.of(np.concatenate([first, body.offset]), np.concatenate([small, body.size]), length)


def append(rng: Rng) -> Series:
    sizes = rng.integers(1, 2 * _size(rng), _count(rng))
    start = int(rng.integers(1, 1 << 30))
    return Series.of(start + np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes, op=Op.WRITE)


def phases(rng: Rng) -> Series:
    """One pattern, then another one."""
    makers = (stream, strided, backward, uniform)
    first, second = rng.choice(4, 2, replace=False)
    one, other = makers[first](rng), makers[second](rng)
    share = rng.uniform(0.35, 0.65)
    number = min(len(one) / share, len(other) / (1 - share))
    # Time, not bytes: both parts have requests of one size.
    size = int(one.size[0])
    scaled = Series.of(other.offset // max(int(other.size[0]), 1) * size, size)
    if second == 1:
        scaled = Series.of(np.arange(len(other)) * size * int(rng.integers(2, 50)), size)
    return one.take(slice(0, int(number * share))).then(scaled.take(slice(0, int(number * (1 - share)))))


def few(rng: Rng) -> Series:
    """Too little to tell: up to three accesses of a large file."""
    size = _size(rng)
    return Series.of(rng.integers(1, 10**6, int(rng.integers(1, 4))) * size, size, 2 * 10**6 * size)


Maker = Callable[[Rng], Series]

FAMILIES: dict[str, tuple[Maker, ...]] = {
    "sequential": (stream, records, heads, holes),
    "strided": (strided, tiles, columns, strided_heads),
    "backward": (backward, backward_strided, backward_blocks),
    "random": (uniform, permutation, unaligned, zipf),
    "whole-file": (whole,),
    "header-then-body": (header,),
    "append": (append,),
    "mixed": (phases,),
    "unknown": (few,),
}
"""By pattern: what makes a series of it."""
