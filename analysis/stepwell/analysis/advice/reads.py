"""Findings on how bytes are fetched: sizes, read-ahead, concurrency, prefetch, cache."""

from __future__ import annotations

from stepwell.analysis.advice import gains
from stepwell.analysis.advice.drawn import Matter, finding, waiting
from stepwell.analysis.advice.model import Finding, Input, Span
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Use
from stepwell.trace.format import duration, plural, size, throughput


def read_size(matter: Matter) -> Finding | None:
    """Return the advice to ask for more at once, where nothing but the request decides what is fetched."""
    use, storage = matter.use, matter.storage
    if storage is None or not (matter.unbuffered and matter.along):
        return None
    then = _within_files(use, gains.enough_bytes(storage))
    if then < bounds.LEAST_GROWTH * use.request:
        return None
    kept, now = gains.probes(storage, use)
    left = gains.larger(storage, now, then)
    left = Span(kept + (1 - kept) * left.low, kept + (1 - kept) * left.high)
    return finding(
        matter,
        "read-size",
        f"{waiting(matter)}, {size(use.request)} at a time, each {duration(storage.mean_ns)}; nothing is read ahead",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, left),
        f"time of a fetch = latency + bytes / rate, {size(then)} at a time instead of {size(now)}; probes stay",
        f"read {size(then)} at a time: buffering={then} in Python's open(), bs={then} in dd and fio",
        more=(Input("read size proposed", then, "bytes"), Input("share of the waiting that is for probes", kept, "1")),
    )


def read_ahead(matter: Matter) -> Finding | None:
    """Return the advice to let the kernel read further ahead of a sequential reader."""
    use, storage = matter.use, matter.storage
    if storage is None or matter.unbuffered or not matter.along or storage.filesystem == "tmpfs":
        return None
    if not matter.facts.waits.seen:
        return None  # how far is read ahead now cannot be told
    now = min(max(storage.mean_bytes, float(limits.PAGE)), float(limits.READ_AHEAD))
    if use.waited == use.accesses and storage.mean_bytes <= 1.25 * use.request <= limits.READ_AHEAD:
        return _read_ahead_off(matter)
    if gains.trips(storage)[1].latency_ns < limits.ASLEEP_NS:
        return None  # its bytes, not its latency, are what takes time
    then = max(gains.enough_bytes(storage), int(bounds.LEAST_GROWTH * limits.READ_AHEAD))
    left = gains.larger(storage, now, max(now, _within_files(use, then)))
    return finding(
        matter,
        "read-ahead",
        f"{waiting(matter)}, read along the file; the kernel reads ahead too little for {_latency(matter)} of latency",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, left),
        f"time of a window = latency + bytes / rate; windows of {size(then)} instead of {size(now)}",
        f"echo {then // 1024} > /sys/class/bdi/{storage.device or 'MAJOR:MINOR'}/read_ahead_kb"
        " (of a partition: its disk's; NFS and FUSE: the mount's)",
        sure=0.8,
        more=(Input("read-ahead window assumed now", now, "bytes"), Input("window proposed", then, "bytes")),
    )


def _read_ahead_off(matter: Matter) -> Finding | None:
    use, storage = matter.use, matter.storage
    assert storage is not None
    then = limits.READ_AHEAD
    left = gains.larger(storage, max(storage.mean_bytes, 1.0), then)
    return finding(
        matter,
        "read-ahead-off",
        f"{waiting(matter)}, {size(use.request)} at a time along the file; read-ahead seems to be off",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, left),
        f"time of a fetch = latency + bytes / rate, {size(then)} at a time instead of {size(storage.mean_bytes)}",
        "remove posix_fadvise(POSIX_FADV_RANDOM) or madvise(MADV_RANDOM), or set read_ahead_kb of"
        f" /sys/class/bdi/{storage.device or 'MAJOR:MINOR'} to {then // 1024}",
    )


def concurrency(matter: Matter) -> Finding | None:
    """Return the advice to have more fetches under way, where the storage has not shown that it cannot."""
    team, use, storage = matter.team, matter.use, matter.storage
    if storage is None or storage.scales is False or storage.throttle or use.asynchronous:
        return None
    if team.verdict.bound == "imbalance":
        return None  # more of them do not help the one that has too much to do
    if use.files == 1 and (matter.along or matter.backward) and not matter.unbuffered:
        return None  # one reader along one file is read-ahead's business
    more = gains.wanted(max(team.width, 1.0), use, storage)
    if gains.part(team, use.asleep_ns) * team.critical_high < limits.STALLED:
        return None  # faster by sharing out computing is not what a trace of accesses can tell
    if more < bounds.LEAST_GROWTH * max(team.width, 1.0):
        return None
    lanes = max(1, round(team.width))
    files = plural(use.files, "file")
    at_once = "one at a time" if lanes == 1 else f"{lanes} at a time"
    return finding(
        matter,
        "concurrency",
        f"{waiting(matter)} ({files} of {size(use.file_bytes / max(use.files, 1))}), {at_once}; "
        f"{more} at once would use the storage better{limit(matter)}",
        use.asleep_ns,
        gains.concurrent(team, use, storage, more),
        "Little's law: concurrency = bandwidth x latency / request; at least the waiting overlaps, up to the rate"
        f" seen ({throughput(gains.sure_bytes_s(storage))}), at most their computing, too, and the storage scales",
        _readers(matter, more, lanes),
        sure=0.9 if storage.scales else 0.7,
        scope="process",
        subject=matter.who,
        more=(Input("concurrency proposed", more, "1"), *gains.limits_seen(storage, more)),
    )


def _readers(matter: Matter, more: int, lanes: int) -> str:
    """Return how more readers are had."""
    setting = f"{more} reading processes or threads instead of {lanes}"
    if "python" in matter.team.workload:
        return (
            f"{setting}: num_workers={more} in a PyTorch DataLoader, num_parallel_calls={more} in tf.data,"
            f" ThreadPoolExecutor({more})"
        )
    alone = matter.use.files == 1 and lanes == 1
    return f"{setting}, as far as no read depends on what the one before brought" if alone else setting


def queue_depth(matter: Matter) -> Finding | None:
    """Return the advice to have more requests under way in the queues of io_uring or libaio."""
    team, use, storage = matter.team, matter.use, matter.storage
    if storage is None or storage.scales is False or storage.throttle or 2 * use.asynchronous <= use.accesses:
        return None
    if use.files == 1 and matter.along and not matter.unbuffered:
        return None  # as above
    now = gains.at_once(team, use, storage)
    more = gains.wanted(now, use, storage)
    if more < bounds.LEAST_GROWTH * now:
        return None
    lanes = max(1, round(team.width))
    each = -(-more // lanes)
    held_up = gains.held_up(use)
    at_once = "one at a time" if round(now) <= 1 else f"{now:.3g} at a time"
    beside = f" a thread, {more} in all" if lanes > 1 else ""
    return finding(
        matter,
        "submission" if held_up else "queue-depth",
        f"{waiting(matter)} by io_uring or libaio, {at_once}"
        + (", because handing a request over waits until it is done" if held_up else "")
        + f"; {more} at once would use the storage better{limit(matter)}",
        use.asleep_ns,
        gains.deeper(team, use, storage, more),
        "Little's law: concurrency = bandwidth x latency / request; at least up to the rate seen"
        f" ({throughput(gains.sure_bytes_s(storage))}), at most the storage scales; computing stays",
        f"{more} threads that read; or IOSQE_ASYNC with io_uring (force_async=1 in fio); libaio wants O_DIRECT and a"
        " file system that reads so without waiting; a deeper queue alone changes nothing"
        if held_up
        else f"keep {each} requests in flight{beside}: iodepth={each} in fio, io_uring_queue_init({each}, ...) or"
        f" io_setup({each}, ...) and as many submitted before the first is waited for",
        sure=0.9 if storage.scales else 0.7,
        scope="process",
        subject=matter.who,
        more=(
            Input("requests in flight now", now, "1"),
            Input("concurrency proposed", more, "1"),
            *gains.limits_seen(storage, more),
        ),
    )


def limit(matter: Matter) -> str:
    """Return what has to be said where the storage's limit was not seen: what measures it."""
    if matter.storage is None or matter.storage.scales:
        return ""
    return f", if it scales (its limit was not seen; `stepwell bench {matter.where}` measures it)"


def prefetch(matter: Matter) -> Finding | None:
    """Return the advice to fetch before it is asked for, by what is known about what comes next."""
    use, storage = matter.use, matter.storage
    if storage is None or use.mapped * 2 > use.accesses or matter.unbuffered:
        return None
    known = _next(matter)
    if known is None:
        return None
    how, setting, more = known
    return finding(
        matter,
        "prefetch",
        f"{waiting(matter)}, and what comes next is known: {how}; fetched ahead, the storage would be used"
        f" better{limit(matter)}",
        use.asleep_ns,
        gains.ahead(matter.team, use, storage, more),
        f"fetching overlaps everything else, at the rate seen at least ({throughput(gains.sure_bytes_s(storage))})",
        setting,
        sure=0.7,
    )


def _next(matter: Matter) -> tuple[str, str, float] | None:
    """Return how the next bytes are known, how to fetch them, and how many fetches that makes at once."""
    use, storage = matter.use, matter.storage
    order = matter.facts.order(use.dataset, matter.team.readers)
    assert storage is not None
    ahead = gains.wanted(max(matter.team.width, 1.0), use, storage)
    each = max(storage.mean_bytes, 1.0)
    files = ahead * max(1.0, use.file_bytes / max(use.files, 1) / each)
    call = "posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED)"
    if order and order.relation == "same" and order.epochs > 1:
        return "every epoch reads the files in the same order", f"{call} for the {ahead} files after this one", files
    if order and order.by not in {"shuffled", "unknown"}:
        return f"files are read in the order of their {order.by}", f"{call} for the {ahead} files that follow", files
    if order and order.by == "shuffled":
        setting = f"{call} for the next {ahead} files of the sampler's order, or prefetch_factor in a DataLoader"
        return "the loader knows its own shuffled order", setting, files
    if matter.pattern and matter.pattern.pattern == "strided":
        setting = f"posix_fadvise(fd, offset + k * stride, size, POSIX_FADV_WILLNEED), k = 1..{ahead}"
        return "a constant stride", setting, float(ahead)
    if matter.backward and use.files == 1:
        setting = (
            f"posix_fadvise(fd, offset - {bounds.MOST_READ}, {bounds.MOST_READ}, POSIX_FADV_WILLNEED) ahead of reading"
        )
        return "the file is read backwards", setting, max(float(ahead), bounds.MOST_READ / each)
    if matter.along and use.files == 1:
        setting = f"posix_fadvise(fd, offset, {bounds.MOST_READ}, POSIX_FADV_WILLNEED) ahead of reading"
        return "the file is read along", setting, max(float(ahead), bounds.MOST_READ / each)
    return None


def cache(matter: Matter) -> Finding | None:
    """Return the advice to cache a dataset, where bytes are fetched again that the recommended cache would keep.

    What is fetched for the first time no cache saves.  How much that was is known where each fetch brought just what
    was asked for; where more came with it, it may be as much as the files hold.
    """
    use, storage, found = matter.use, matter.storage, matter.facts.cache(matter.use.dataset)
    if storage is None or found is None or not storage.bytes:
        return None
    asked = -(-use.request // limits.PAGE) * limits.PAGE
    exact = matter.unbuffered or storage.mean_bytes <= bounds.BROUGHT_ALONG * asked
    first = found.unique_bytes if exact else max(found.unique_bytes, matter.facts.file_bytes(use.dataset))
    left = first / storage.bytes * found.miss_ratio / max(found.least_miss_ratio, 1e-9)
    if left >= 1:
        return None
    return finding(
        matter,
        "cache",
        f"{waiting(matter)}; {size(storage.bytes)} were fetched for {size(first)} of different data, a cache of"
        f" {size(found.size)} would fetch {size(left * storage.bytes)}",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(left, left)),
        "waiting is proportional to bytes fetched; an LRU cache fetches those of its miss-ratio curve",
        f"a cache of {size(found.size)} for {matter.where}, or as much memory free for the page cache",
        sure=0.7,
        more=(
            Input("cache size", float(found.size), "bytes"),
            Input("miss ratio then", found.miss_ratio, "1"),
            Input("miss ratio of a cache that holds all", found.least_miss_ratio, "1"),
            Input("different bytes fetched, at most", float(first), "bytes"),
        ),
    )


def _within_files(use: Use, octets: int) -> int:
    """Return how much of a size a file can fill: none is larger than the files are, on average."""
    return min(octets, use.file_bytes // max(use.files, 1))


def _latency(matter: Matter) -> str:
    assert matter.storage is not None
    return duration(gains.trips(matter.storage)[1].latency_ns)
