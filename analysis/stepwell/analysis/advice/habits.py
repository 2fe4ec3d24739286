"""Findings on how files are used: packing, flags, opens, repeats, uneven work, slow files, limits."""

from __future__ import annotations

from stepwell.analysis.advice import gains
from stepwell.analysis.advice.drawn import Matter, does, finding, waiting, waits
from stepwell.analysis.advice.model import Finding, Input, Span
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.trace.format import count, duration, percent, plural, size


def packing(matter: Matter) -> Finding | None:
    """Return the advice to pack very many tiny files."""
    use, storage = matter.use, matter.storage
    mean = use.file_bytes / max(use.files, 1)
    if storage is None or use.files < bounds.MANY_FILES or mean > bounds.TINY_BYTES:
        return None
    stall = use.asleep_ns + use.metadata_ns
    octets = storage.bytes * (use.asleep_ns / max(storage.ns, 1))
    shards = max(1.0, use.file_bytes / bounds.SHARD_BYTES)
    per_open = use.metadata_ns / max(use.opens, 1)
    after = [
        octets * way.per_byte(gains.enough_bytes(storage)) + shards * (per_open + way.latency_ns)
        for way in gains.trips(storage)
    ]
    left = Span(min(after) / max(stall, 1), min(1.0, max(after) / max(stall, 1)))
    return finding(
        matter,
        "packing",
        f"{waiting(matter)}, and {percent(matter.team.account.share(use.metadata_ns))} to open them:"
        f" {count(use.files)} files of {size(mean)} each",
        stall,
        gains.saved(matter.team, stall, left),
        "time = opens + fetches x latency + bytes / rate, for shards that are read along with enough read-ahead",
        f"pack {matter.where} into shards of about {size(bounds.SHARD_BYTES)} (tar with WebDataset, TFRecord, Parquet,"
        " HDF5) and read them along",
        sure=0.7,
    )


def synchronous(matter: Matter) -> Finding | None:
    """Return the advice not to make every write wait for the disk."""
    use = matter.use
    if use.direction != "write" or not use.synchronous:
        return None
    return finding(
        matter,
        "synchronous",
        f"{waits(matter.team, matter.team.account.share(use.asleep_ns))} in writes to {matter.where},"
        f" opened with O_SYNC or O_DSYNC: each of {count(use.accesses)} writes waits for disk",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(0.0, 1.0)),
        "writes into the page cache do not wait; one fsync at the end waits for all bytes once",
        "open without O_SYNC and O_DSYNC, and call fsync() where data must be safe",
        sure=0.8,
    )


def reopening(matter: Matter) -> Finding | None:
    """Return the advice to open files once."""
    use = matter.use
    each = use.opens / max(use.opened, use.files, 1)
    if each < bounds.REOPENED:
        return None
    left = 1 / each
    return finding(
        matter,
        "reopening",
        f"{does(matter.team, 'opens')} {plural(use.files, 'file')} of {matter.where} again and again, each"
        f" {each:,.0f} times on average; that takes {duration(use.metadata_ns)}",
        use.metadata_ns,
        gains.saved(matter.team, use.metadata_ns, Span(left, left)),
        "waiting in open and close is proportional to their number",
        "keep files open and read with pread(), or cache the open files",
        more=(Input("opens of a file", each, "1"),),
    )


def direct(matter: Matter) -> Finding | None:
    """Return the advice not to go around the page cache for data that is read again."""
    use = matter.use
    again = use.bytes / max(use.file_bytes, 1)
    if use.direction == "write" or not use.direct or again < bounds.REREAD:
        return None
    return finding(
        matter,
        "direct",
        f"{waiting(matter)}, opened with O_DIRECT and read {again:.3g} times; the page cache would have all but the"
        " first",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(1 / again, 1.0)),
        "only the first reading waits, if the data fits into memory",
        f"open without O_DIRECT; {size(use.file_bytes)} of memory hold all of it",
        sure=0.7,
        more=(Input("times read", again, "1"),),
    )


def reread(matter: Matter) -> Finding | None:
    """Return the advice to keep bytes that are fetched again and again."""
    use, storage = matter.use, matter.storage
    if storage is None or use.direction == "write" or use.direct:
        return None
    again = storage.bytes * (use.asleep_ns / max(storage.ns, 1)) / max(use.file_bytes, 1)
    if again < bounds.REREAD:
        return None
    return finding(
        matter,
        "reread",
        f"{waiting(matter)}; {again:.3g} times as much was fetched from storage as the files hold",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(1 / again, 1.0)),
        "only the first reading waits, if the data fits into memory",
        f"give the page cache {size(use.file_bytes)}, or keep a copy on a local disk; on network file systems allow"
        " caching between opens",
        sure=0.6,
        more=(Input("times fetched", again, "1"),),
    )


def buffer(matter: Matter) -> Finding | None:
    """Return the advice to ask the kernel for more at once, where calls, not storage, take the time."""
    use, team = matter.use, matter.team
    if not matter.facts.waits.seen:
        return None  # what its calls cost is not known without processor time
    if use.direction == "write" or not matter.along or use.request > bounds.SMALL_READ or use.mapped * 2 > use.accesses:
        return None
    left = use.request / bounds.BUFFER
    mine = min(use.awake_ns, team.account.cpu_ns) / max(team.width, 1.0)
    # Half of a small call's time is the copy and what the program does with it, which stay.
    won = Span(0.5 * mine * (1 - left), mine * (1 - left))
    return finding(
        matter,
        "buffer",
        f"{does(team, 'makes')} {count(use.accesses)} reads of {size(use.request)} in {matter.where}; the calls take"
        f" {percent(team.account.share(use.awake_ns))} of the time, served from memory",
        use.awake_ns,
        won,
        "the time of calls is proportional to their number, but for copying",
        f"read through a buffer of {size(bounds.BUFFER)}: buffering={bounds.BUFFER} in Python's open(), setvbuf() in C",
        more=(Input("bytes of a read", float(use.request), "bytes"),),
    )


def alignment(matter: Matter) -> Finding | None:
    """Return the advice to let requests begin where pages do."""
    use, storage = matter.use, matter.storage
    if storage is None or matter.along or use.split < bounds.SPLIT * use.accesses or use.request > 16 * limits.PAGE:
        return None
    pages = -(-use.request // limits.PAGE)
    left = pages / (pages + 1)
    return finding(
        matter,
        "alignment",
        f"{waiting(matter)}; {count(use.split)} of {count(use.accesses)} accesses touch a page more than they need to,"
        " because they begin inside one",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(left, 1.0)),
        "at most, waiting is proportional to the pages touched; at least, latency hides the difference",
        f"align records to {limits.PAGE} bytes",
        sure=0.5,
    )


def imbalance(matter: Matter) -> Finding | None:
    """Return the advice to share the work out evenly."""
    team = matter.team
    if team.straggler is None or matter.use is not team.uses[0] or team.verdict.bound == "slow-file":
        return None
    name = f"process {team.pids[team.readers.index(team.straggler)]}" if len(team.readers) > 1 else "one thread"
    return finding(
        matter,
        "imbalance",
        f"{name} of {matter.who} is busy far longer than its siblings",
        float(team.uneven_ns) * max(team.width, 1.0),
        Span(0.5 * team.uneven_ns, float(team.uneven_ns)),
        "with even shares, all end when the mean of their busy times has passed",
        "hand out work in small pieces from one queue, or shards of equal bytes",
        scope="process",
        subject=name if len(team.readers) > 1 else matter.who,
        more=(Input("what evenness saves", float(team.uneven_ns), "ns"),),
    )


def slow_file(matter: Matter) -> Finding | None:
    """Return the advice to look after the slowest file."""
    found = next((one for one in matter.facts.waits.datasets if one.dataset == matter.use.dataset), None)
    if found is None or not found.slow or matter.use.direction == "write":
        return None
    slow = found.slow[0]
    storage = matter.storage
    mine = slow.excess_ns * min(1.0, matter.use.asleep_ns / max(storage.ns, 1)) if storage else 0.0
    least = gains.saved(matter.team, mine, Span(0.0, 0.5)).low
    return finding(
        matter,
        "slow-file",
        f"{slow.path} takes {slow.factor:.2g} times as long as the other files of {matter.where}"
        f" ({count(slow.fetches)} fetches, {duration(slow.excess_ns)} more)",
        mine,
        Span(least, max(least, min(mine, matter.team.critical_high * matter.team.elapsed_ns))),
        "at the others' speed, its excess time would be gone; at most all end earlier by so much, if they wait for it",
        f"copy {slow.path} anew, or look at where it lies: a failing disk, a cold tier, fragments, a busy server",
        scope="file",
        subject=slow.path,
    )


def throttled(matter: Matter) -> Finding | None:
    """Return the advice to raise a limit that the storage runs into."""
    use, storage = matter.use, matter.storage
    if storage is None or storage.throttle is None:
        return None
    limit = storage.throttle
    rate = f"{size(limit.rate)}/s" if limit.unit == "bytes" else f"{limit.rate:,.0f} fetches/s"
    left = limit.rate / limit.burst
    return finding(
        matter,
        "throttle",
        f"{waiting(matter)}, which holds {rate} after a burst, as a quota does",
        use.asleep_ns,
        gains.saved(matter.team, use.asleep_ns, Span(left, 1.0)),
        "at most, without the limit everything goes at the rate of the burst before it",
        "raise the quota: the volume's IOPS or throughput class, io.max of the cgroup, the client's rate limit",
        more=(Input("limit", limit.rate, f"{limit.unit}/s"), Input("rate before", limit.burst, f"{limit.unit}/s")),
    )
