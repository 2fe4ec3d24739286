"""Series as programs of the field make them, labelled before the rules of decision were read.

A label is the set of the words that an expert would let pass. Sizes are log-uniform from 512 B to 16 MiB,
counts from 20 to 20,000 accesses, where the program leaves them free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from tests.truth.accesses import Offsets, Rng, Series, interleaved

from stepwell.trace.definition import Op

Label = frozenset[str]
Maker = Callable[[Rng], Series]


def _between(rng: Rng, low: int, high: int) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))


def _size(rng: Rng, low: int = 512, high: int = 16 << 20) -> int:
    size = _between(rng, low, high)
    return max(low, 1 << (size.bit_length() - 1)) if rng.random() < 0.5 else size


def _count(rng: Rng, low: int = 20, high: int = 20_000) -> int:
    return _between(rng, low, high)


def _whole(sizes: Offsets, start: int = 0) -> Series:
    return Series.of(start + np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)


def _ramp(count: int, size: int, start: int = 0, stride: int | None = None) -> Series:
    return Series.of(start + np.arange(count) * (stride or size), size)


def ior_strided(rng: Rng) -> Series:
    size, ranks = _size(rng), int(rng.integers(2, 500))
    return _ramp(_count(rng), size, int(rng.integers(ranks)) * size, ranks * size)


def ior_segmented(rng: Rng) -> Series:
    size, each, ranks = _size(rng), int(rng.integers(2, 9)), int(rng.integers(2, 100))
    blocks = np.arange(_count(rng, 20, 2000)) * each * ranks
    return Series.of(((blocks[:, None] + np.arange(each)).ravel() + int(rng.integers(ranks)) * each) * size, size)


def ior_random(rng: Rng) -> Series:
    size, count = _size(rng), _count(rng)
    return Series.of((int(rng.integers(50)) * count + rng.permutation(count)) * size, size)


def collective_buffers(rng: Rng) -> Series:
    size, domain = int(rng.choice([1 << 20, 4 << 20, 16 << 20])), int(rng.integers(0, 1 << 33))
    series = _ramp(_count(rng, 20, 2000), size, domain)
    return replace(series, file_size=series.file_size + int(rng.integers(1, 16)) * (1 << 30))


def hdf5_chunks(rng: Rng) -> Series:
    chunk, count, start = _size(rng, 16 << 10), _count(rng), int(rng.integers(2048, 65536))
    head = Series.of(np.array([0, 8, 96, 800, 1072])[: int(rng.integers(3, 6))], 512)
    return head.then(_ramp(count, chunk, start))


def hdf5_hyperslab(rng: Rng) -> Series:
    chunk, columns, start = _size(rng, 4 << 10, 1 << 20), int(rng.integers(3, 60)), int(rng.integers(2048, 65536))
    return _ramp(_count(rng), chunk, start + int(rng.integers(columns)) * chunk, columns * chunk)


def parquet_columns(rng: Rng) -> Series:
    groups, columns = _count(rng, 10, 1000), int(rng.integers(6, 40))
    taken = np.sort(rng.choice(columns, int(rng.integers(2, min(columns - 2, 9))), replace=False))
    mean = _size(rng, 16 << 10, 4 << 20) * rng.uniform(0.2, 3, columns)
    sizes = np.maximum(64, mean * rng.lognormal(0, 0.2, (groups, columns))).astype(np.int64)
    starts = 4 + np.concatenate([[0], np.cumsum(sizes)[:-1]]).reshape(groups, columns)
    footer = int(rng.integers(2_000, 200_000))
    end = int(sizes.sum()) + 4 + footer + 8
    return Series.of([end - 8, end - 8 - footer], [8, footer], end).then(
        Series.of(starts[:, taken].ravel(), sizes[:, taken].ravel())
    )


def feather(rng: Rng) -> Series:
    batches = rng.integers(4096, _size(rng, 8192), _count(rng)) // 64 * 64
    body = _whole(batches, 8)
    end = body.file_size + 4096
    return Series.of([end - 10, end - 4096], [10, 4086], end).then(body)


def npz_in_order(rng: Rng) -> Series:
    members, read = _count(rng, 2, 40), int(rng.choice([8192, 65536, 262144, 1 << 20]))
    parts, place = [], 0
    for _ in range(members):
        body = np.full(_count(rng, 5, 200), read)
        body[-1] = int(rng.integers(1, read + 1))
        parts.append(_whole(np.concatenate([[30, int(rng.integers(8, 40)), 128], body]), place))
        place = parts[-1].file_size
    directory = members * 60
    series = Series.of([place + directory, place], [22, directory])
    for part in parts:
        series = series.then(part)
    return series


def zip_members_at_random(rng: Rng) -> Series:
    count, mean = _count(rng, 50, 5000), _size(rng, 2048, 1 << 20)
    sizes = 60 + rng.exponential(mean, count).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    order = rng.permutation(count)
    offsets = np.stack([starts[order], starts[order] + 40], 1).ravel()
    return Series.of(offsets, np.stack([np.full(count, 40), sizes[order] - 40], 1).ravel(), int(sizes.sum()))


def webdataset(rng: Rng) -> Series:
    size = int(rng.choice([10240, 65536, 131072, 1 << 20, 5_000_000]))
    series = _ramp(_count(rng), size)
    end = series.file_size - int(rng.integers(1, size))
    sizes = np.append(series.size[:-1], end - series.offset[-1])
    return Series.of(np.append(series.offset, end), np.append(sizes, 0), end, requested=size)


def tfrecord_lookups(rng: Rng) -> Series:
    count, mean = _count(rng, 30, 5000), _size(rng, 512, 1 << 20)
    sizes = 16 + rng.lognormal(np.log(mean), 0.5, count).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    order = rng.permutation(count)
    return Series.of(
        np.stack([starts[order], starts[order] + 12], 1).ravel(),
        np.stack([np.full(count, 12), sizes[order] - 12], 1).ravel(),
    )


def safetensors(rng: Rng) -> Series:
    header = int(rng.integers(2_000, 300_000))
    tensors = 2 * rng.choice([1024, 4096, 50_257, 768 * 768, 4096 * 4096], _count(rng, 30, 1500))
    return Series.of([0, 8], [8, header]).then(_whole(tensors, 8 + header))


def safetensors_by_name(rng: Rng) -> Series:
    header = int(rng.integers(2_000, 300_000))
    tensors = _whole(2 * rng.choice([1024, 4096, 50_257, 768 * 768, 4096 * 4096], _count(rng, 60, 1500)), 8 + header)
    return Series.of([0, 8], [8, header]).then(tensors.take(rng.permutation(len(tensors))))


def btree_lookups(rng: Rng) -> Series:
    page, leaves, fan = int(rng.choice([4096, 8192, 16384])), _count(rng, 5_000, 1_000_000), int(rng.integers(50, 300))
    leaf = rng.integers(0, leaves, _count(rng, 30, 5000))
    place = rng.permutation(leaves + leaves // fan + 2)
    levels = [place[leaves + leaf // fan], place[leaf]]
    if rng.random() < 0.5:
        levels.insert(0, np.full(len(leaf), place[-1]))
    return Series.of(np.stack(levels, 1).ravel() * page, page, len(place) * page)


def sqlite_scan(rng: Rng) -> Series:
    page, pages = int(rng.choice([1024, 4096, 8192])), _count(rng, 100)
    leaf = np.arange(2, pages)
    interior = rng.random(len(leaf)) < rng.uniform(0, 0.02)
    moved = np.where(interior, rng.integers(2, pages, len(leaf)), leaf)
    return Series.of([0, 24], [100, 16], pages * page).then(Series.of(moved * page, page))


def compaction(rng: Rng) -> Series:
    size, tables = _size(rng, 4096, 2 << 20), int(rng.integers(2, 13))
    room = 20_000 * size
    return interleaved(
        rng,
        [_ramp(_count(rng, 30, 2000), size, k * room + int(rng.integers(size))) for k in range(tables)],
        regular=False,
    )


def log_append(rng: Rng) -> Series:
    lines = rng.integers(20, _size(rng, 512, 65536), _count(rng))
    return replace(_whole(lines, int(rng.integers(1, 1 << 32))), op=Op.WRITE)


def write_ahead_log(rng: Rng) -> Series:
    records = rng.lognormal(np.log(_size(rng, 512, 65536)), 1, _count(rng)).astype(np.int64) + 24
    ends = np.cumsum(records)
    starts = np.concatenate([[0], ends[:-1]]) // 4096 * 4096
    return Series.of(starts, -(-ends // 4096) * 4096 - starts, op=Op.WRITE)


def video_seeking(rng: Rng) -> Series:
    size, parts = _size(rng, 4096, 1 << 20), int(rng.integers(3, 20))
    each = [_count(rng, 50, 1000) for _ in range(parts)]
    length = 2 * sum(each) * size
    series = [_ramp(n, size, int(rng.integers(0, length - n * size))) for n in each]
    whole = series[0]
    for part in series[1:]:
        whole = whole.then(part)
    return replace(whole, file_size=length)


def tac(rng: Rng) -> Series:
    size, count = int(rng.choice([4096, 8192, 65536])), _count(rng)
    offsets = np.arange(count)[::-1] * size
    sizes = np.full(count, size)
    sizes[0] = int(rng.integers(1, size))
    return Series.of(offsets, sizes)


def reverse_playback(rng: Rng) -> Series:
    size, groups = _size(rng, 4096, 1 << 20), _count(rng, 20, 500)
    frames = rng.integers(2, int(rng.integers(4, 20)), groups)
    starts = np.concatenate([[0], np.cumsum(frames)[:-1]])
    return Series.of(np.concatenate([starts[k] + np.arange(frames[k]) for k in range(groups)[::-1]]) * size, size)


def embeddings(rng: Rng) -> Series:
    page, rows = int(rng.choice([4096, 16384, 65536])), _count(rng, 2_000, 2_000_000)
    rank = np.minimum(rng.zipf(rng.uniform(1.05, 1.6), _count(rng, 50)), rows) - 1
    scatter = rng.permutation(rows)
    return Series.of(scatter[rank] * page, page, rows * page, Op.MMAP)


def ranged_download(rng: Rng) -> Series:
    size, heads = _size(rng, 16 << 10, 8 << 20), int(rng.integers(2, 17))
    each = _count(rng, 20, 1200)
    return interleaved(rng, [_ramp(each, size, k * each * size) for k in range(heads)], regular=rng.random() < 0.3)


def column_store(rng: Rng) -> Series:
    granule, kept = _size(rng, 8192, 4 << 20), rng.uniform(0.3, 0.9)
    taken = np.flatnonzero(rng.random(_count(rng, 100)) < kept)
    return Series.of(taken * granule, granule)


def raster_window(rng: Rng) -> Series:
    bytes_, high = _size(rng, 512, 65536), int(rng.integers(20, 400))
    across, down = int(rng.integers(2, 12)), int(rng.integers(1, 5))
    row = across * 3 * bytes_ + int(rng.integers(0, 4096))
    tiles = (np.arange(down)[:, None, None] * high + np.arange(high)) * row + (np.arange(across) * bytes_)[:, None]
    return Series.of(tiles.ravel() + int(rng.integers(4096)), bytes_)


def map_tiles(rng: Rng) -> Series:
    tile, wide = _size(rng, 4096, 1 << 20), int(rng.integers(40, 400))
    rows, columns = int(rng.integers(8, 60)), int(rng.integers(2, 20))
    tiles = (
        (int(rng.integers(20)) + np.arange(rows))[:, None] * wide
        + int(rng.integers(wide - columns))
        + np.arange(columns)
    )
    return Series.of([0, 16384], 16384).then(Series.of(32768 + tiles.ravel() * tile, tile, (wide * 100 + 10) * tile))


def locality(rng: Rng) -> Series:
    size, count = _size(rng, 512, 1 << 20), _count(rng, 50)
    places = 50 * count
    centre = np.repeat(rng.integers(0, places, count // 40 + 1), 40)[:count]
    near = centre + rng.normal(0, rng.uniform(20, 200), count).astype(np.int64)
    return Series.of(np.clip(near, 0, places) * size, size, places * size)


def popular(rng: Rng) -> Series:
    size, places = _size(rng, 512, 1 << 20), _count(rng, 500, 100_000)
    weight = 1 / np.arange(1, places + 1) ** rng.uniform(0.6, 1.3)
    chosen = rng.choice(places, _count(rng), p=weight / weight.sum())
    return Series.of(rng.permutation(places)[chosen] * size, size, places * size)


def bootstrap(rng: Rng) -> Series:
    records = _whole(rng.integers(100, _size(rng, 512, 4 << 20), _count(rng)))
    return records.take(rng.integers(0, len(records), len(records)))


def early_stop(rng: Rng) -> Series:
    series = _ramp(_count(rng), _size(rng))
    return replace(series, file_size=int(series.file_size * rng.uniform(1.3, 8)))


def double_buffered(rng: Rng) -> Series:
    series = _ramp(2 * _count(rng, 20, 10_000), _size(rng, 4096))
    swapped = np.arange(len(series)).reshape(-1, 2)
    turn = rng.random(len(swapped)) < 0.4
    swapped[turn] = swapped[turn, ::-1]
    return series.take(swapped.ravel())


def ring_sequential(rng: Rng) -> Series:
    series = _ramp(_count(rng, 200), _size(rng, 4096, 1 << 20))
    return series.take(np.argsort(np.arange(len(series)) + rng.uniform(0, int(rng.choice([8, 16, 32])), len(series))))


def direct(rng: Rng) -> Series:
    size = int(rng.choice([512, 4096, 1 << 20, 16 << 20]))
    series = _ramp(_count(rng), size)
    got = series.size.copy()
    got[-1] = int(rng.integers(1, size))
    return Series.of(series.offset, got, requested=size)


def varied_records(rng: Rng) -> Series:
    sizes = rng.lognormal(np.log(_size(rng, 512, 1 << 20)), rng.uniform(0.3, 1.5), _count(rng))
    return _whole(1 + sizes.astype(np.int64))


def tiny_whole(rng: Rng) -> Series:
    number, size = int(rng.integers(1, 4)), _size(rng, 512, 1 << 20)
    end = (number - 1) * size + int(rng.integers(1, size + 1))
    series = Series.of(np.arange(number) * size, np.append(np.full(number - 1, size), end - (number - 1) * size), end,
                       requested=size)  # fmt: skip
    return series if rng.random() < 0.3 else series.then(Series.of([end], [0], end, requested=[size]))


def tiny_part(rng: Rng) -> Series:
    size = _size(rng, 512, 65536)
    series = _ramp(int(rng.integers(1, 3)), size, int(rng.integers(1000, 100_000)))
    return replace(series, file_size=400 * size + (1 << 20))


def short_reads(rng: Rng) -> Series:
    asked, count = _size(rng, 65536, 1 << 20), _count(rng)
    got = np.where(rng.random(count) < rng.uniform(0.1, 0.9), rng.integers(1, asked, count), asked)
    return replace(_whole(got), requested=np.full(count, asked))


def one_field(rng: Rng) -> Series:
    record = int(rng.integers(600, 200_000))
    size = int(rng.integers(8, record // 4))
    return _ramp(_count(rng), size, int(rng.integers(record - size)), record)


def bisection(rng: Rng) -> Series:
    size, places = _size(rng, 512, 65536), _count(rng, 10_000, 10_000_000)
    probes = []
    for target in rng.integers(0, places, _count(rng, 10, 500)):
        low, high = 0, places
        while low < high:
            middle = (low + high) // 2
            probes.append(middle)
            low, high = (middle + 1, high) if middle < target else (low, middle)
    return Series.of(np.array(probes) * size, size, places * size)


def sliding_window(rng: Rng) -> Series:
    size = _size(rng, 512, 1 << 20)
    return _ramp(_count(rng), size, 44, max(1, int(size * rng.uniform(0.2, 0.8))))


def epochs(rng: Rng) -> Series:
    one = _ramp(_count(rng, 20, 4000), _size(rng))
    return one.take(np.tile(np.arange(len(one)), int(rng.integers(2, 6))))


def warm_up_then_lookups(rng: Rng) -> Series:
    scan = _ramp(_count(rng, 200, 8000), _size(rng, 4096, 1 << 20))
    return scan.then(scan.take(rng.integers(0, len(scan), int(len(scan) * rng.uniform(0.6, 1.5)))))


_ALONG = frozenset({"sequential", "whole-file"})
_HEADED = frozenset({"header-then-body", "sequential", "whole-file"})

UNSEEN: dict[str, tuple[Label, Maker]] = {
    maker.__name__: (frozenset(label), maker)
    for label, makers in (
        (frozenset({"strided"}), (ior_strided, ior_segmented, hdf5_hyperslab, raster_window, one_field)),
        (frozenset({"strided", "header-then-body"}), (map_tiles,)),
        (frozenset({"random"}), (
            ior_random, zip_members_at_random, tfrecord_lookups, btree_lookups, embeddings, locality, popular,
            bootstrap, bisection,
        )),
        (frozenset({"random", "header-then-body"}), (safetensors_by_name,)),
        (frozenset({"sequential"}), (collective_buffers, compaction, column_store, early_stop)),
        (frozenset({"sequential", "header-then-body"}), (hdf5_chunks, parquet_columns)),
        (frozenset({"sequential", "strided"}), (sliding_window,)),
        (frozenset({"sequential", "mixed"}), (video_seeking,)),
        (_ALONG, (
            webdataset, ranged_download, double_buffered, ring_sequential, direct, varied_records, short_reads, epochs,
        )),
        (_HEADED, (feather, npz_in_order, safetensors, sqlite_scan)),
        (frozenset({"append"}), (log_append,)),
        (frozenset({"append", "sequential", "whole-file"}), (write_ahead_log,)),
        (frozenset({"backward"}), (tac, reverse_playback)),
        (frozenset({"mixed"}), (warm_up_then_lookups,)),
        (frozenset({"whole-file"}), (tiny_whole,)),
        (frozenset({"unknown", "sequential"}), (tiny_part,)),
    )
    for maker in makers
}  # fmt: skip
"""By name of the program: the words that would be right, and what makes its series."""
