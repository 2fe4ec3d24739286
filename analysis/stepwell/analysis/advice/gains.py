"""What a change would save: the models behind the predictions.

Waiting can be won back only as far as it delays the whole (Amdahl): a team's `critical_low` and `critical_high`.  A
storage is taken at the bounds of its fitted model; where its sizes are too alike for a fit, at the bounds of what is
plausible.  Nothing is promised beyond the rate that it showed, except at the upper bound, which says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.analysis.advice.model import Input, Span
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Storage, Team, Use


@dataclass(frozen=True)
class Trip:
    """One way in which a storage may work: a fetch takes `latency_ns` and then its bytes at `bytes_s`."""

    latency_ns: float
    bytes_s: float

    def ns(self, size: float) -> float:
        """Return the time of a fetch of `size` bytes."""
        return self.latency_ns + size * 1e9 / self.bytes_s

    def per_byte(self, size: float) -> float:
        """Return the time of a byte, in ns, that comes with others in a fetch of `size` bytes."""
        return self.ns(size) / size


def trips(storage: Storage) -> tuple[Trip, Trip, Trip]:
    """Return how the storage works at the least latency that fits what was seen, at the likely one, at the most."""
    latency, rate = storage.latency_ns, storage.bytes_s
    if latency is not None and rate is not None:
        # An error in one of the two is made up for by the other.
        return Trip(latency.low, rate.low), Trip(latency.value, rate.value), Trip(latency.high, rate.high)
    size = max(storage.mean_bytes, 1.0)
    ways = [
        Trip(max(storage.mean_ns - size * 1e9 / rate, 0.0), max(rate, size * 1e9 / max(storage.mean_ns, 1.0)))
        for rate in limits.PLAUSIBLE_BYTES_S
    ]
    return ways[0], ways[1], ways[2]


def enough_bytes(storage: Storage, flow: float = bounds.FLOW) -> int:
    """Return the power of two from which on bytes flow for this share of a fetch's time; by default nearly all."""
    likely = trips(storage)[1]
    wanted = likely.latency_ns * likely.bytes_s / 1e9 * flow / (1 - flow)
    return min(1 << max(12, round(wanted - 1).bit_length()), bounds.MOST_READ)


def part(team: Team, stall_ns: float) -> float:
    """Return the share that some waiting has in all the waiting for storage of a team."""
    return min(1.0, stall_ns / max(team.account.storage_ns, 1))


def saved(team: Team, stall_ns: float, left: Span) -> Span:
    """Return the elapsed time, in ns, that is saved when `left` of some waiting (a share) remains.

    However narrow the bounds of `left`, the model is not trusted further than `MODEL_ERROR`.
    """
    mine = part(team, stall_ns) * team.elapsed_ns
    most, least = left.high * (1 + bounds.MODEL_ERROR), left.low * (1 - bounds.MODEL_ERROR)
    return Span(mine * team.critical_low * max(0.0, 1 - most), mine * team.critical_high * max(0.0, 1 - least))


def speedup(team: Team, won: Span) -> Span:
    """Return how many times faster the team would be."""
    whole = max(team.elapsed_ns, 1)
    return Span(*(whole / max(whole - ns, whole * 1e-3) for ns in (won.low, won.high)))


def larger(storage: Storage, now: float, then: float) -> Span:
    """Return the share of the waiting that is left when fetches of `now` bytes have `then`."""
    ratios = [trip.per_byte(then) / max(trip.per_byte(now), 1e-12) for trip in trips(storage)]
    return Span(min(ratios), min(1.0, max(ratios)))


def probes(storage: Storage, use: Use) -> tuple[float, float]:
    """Return the share of the time of fetches that probes take, such as of headers, and the mean bytes of the others.

    A probe asks for a fraction of what is usually asked for, once when a file is opened; larger requests do not
    replace it.
    """
    sizes = storage.sizes
    small = [one for one in sizes if one.size * bounds.PROBE <= use.request]
    number = sum(one.fetches for one in small)
    part = min(1.0, use.opens / number) if number else 0.0
    whole = sum(one.fetches * one.mean_ns for one in sizes)
    kept = part * sum(one.fetches * one.mean_ns for one in small) / max(whole, 1)
    others = sum(one.fetches for one in sizes) - part * number
    octets = sum(one.fetches * one.size for one in sizes) - part * sum(one.fetches * one.size for one in small)
    return kept, max(octets / others, 1.0) if others else max(storage.mean_bytes, 1.0)


def at_once(team: Team, use: Use, storage: Storage) -> float:
    """Return how many fetches a team has under way at once: one a reader, or what its queues hold."""
    width = max(team.width, 1.0)
    if 2 * use.asynchronous <= use.accesses or held_up(use):
        return width
    return max(width, storage.depth * min(1.0, use.accesses / max(storage.fetches, 1)))


def held_up(use: Use) -> bool:
    """Whether most asynchronous accesses waited when they were handed over: their queue is never filled."""
    return 2 * use.waited > use.accesses


def sure_bytes_s(storage: Storage) -> float:
    """Return the rate that the storage can give to all together for sure: what it gave, or gives while bytes flow."""
    return max(storage.most_bytes_s, storage.bytes_s.low if storage.bytes_s else 0.0)


def most_bytes_s(storage: Storage, more: float) -> float | None:
    """Return the highest rate that the storage can have with so many fetches at once; None where that was not seen.

    What is brought does not grow faster than it did: the rate is a concave function of concurrency, which lies below
    the line through two of its points from there on (Denning and Buzen, "The Operational Analysis of Queueing Network
    Models", ACM Computing Surveys 10, 1978).  Moments without demand only make that line steeper.
    """
    if storage.scales is None:
        return None
    known = [one for one in storage.depths if one.fetches >= limits.FEW]
    last = known[-1]
    before = [one for one in known if 2 * one.depth <= last.depth * (1 + bounds.MODEL_ERROR)]
    if not before or more <= last.depth:
        return None
    first = before[-1]
    slope = max(0.0, last.bytes_s - first.bytes_s) / (last.depth - first.depth)
    return max(last.bytes_s + slope * (more - last.depth), sure_bytes_s(storage))


def _fastest(use: Use, storage: Storage, stall_ns: float, width: float, more: float) -> float:
    """Return the least share of some waiting that is left with so many fetches at once, by the storage's own limit."""
    limit = most_bytes_s(storage, more)
    if limit is None:
        return 0.0
    return min(1.0, needed(use, storage) * 1e9 / limit / max(stall_ns / width, 1.0))


def needed(use: Use, storage: Storage) -> float:
    """Return the bytes that a storage has to bring for a use: its part of all that was brought."""
    if 2 * use.asynchronous > use.accesses:  # fetches overlap, so that time does not tell the parts
        return storage.bytes * min(1.0, use.accesses / max(storage.fetches, 1))
    return storage.bytes * min(1.0, use.asleep_ns / max(storage.ns, 1))


def asked_bytes(use: Use) -> int:
    """Return the bytes asked for by those accesses that waited."""
    return min(use.bytes, use.request * max(use.waited, use.asynchronous))


def deeper(team: Team, use: Use, storage: Storage, more: int) -> Span:
    """Return the elapsed time saved when so many fetches are under way at once, issued by as many threads as now.

    At least: up to the rate that the storage is sure to give.  At most: it scales, as far as it was seen to.
    """
    now, width = at_once(team, use, storage), max(team.width, 1.0)
    left = min(1.0, needed(use, storage) * 1e9 / sure_bytes_s(storage) / max(use.asleep_ns / width, 1.0))
    least = max(now / more, _fastest(use, storage, use.asleep_ns, width, more))
    return saved(team, use.asleep_ns, Span(min(least, left), left))


def concurrent(team: Team, use: Use, storage: Storage, more: int) -> Span:
    """Return the elapsed time saved when `more` readers share the work of the `team.width` there are.

    At least: their waiting overlaps, down to what the storage was seen to give; computing does not (one processor, one
    interpreter).  At most: their computing does, too, and the storage scales as far as it was seen to; what they wait
    for otherwise, a full queue or each other, stays, and who they work for needs its time.
    """
    width = max(team.width, 1.0)
    fewer = width / more
    stall = use.asleep_ns / width
    least = needed(use, storage) * 1e9 / sure_bytes_s(storage)
    left = max(fewer, min(1.0, least / max(stall, 1)))
    low = saved(team, use.asleep_ns, Span(left, left)).low
    bounded = max(fewer, _fastest(use, storage, use.asleep_ns, width, more) / (1 + bounds.MODEL_ERROR))
    storing, computing = (team.account.share(part) for part in (team.account.storage_ns, team.account.cpu_ns))
    shared = storing * (1 - bounded) + computing * (1 - fewer)
    together = max(team.elapsed_ns * (1 - shared), float(team.consumer_cpu_ns) if team.consumer is not None else 0.0)
    return Span(low, max(low, team.elapsed_ns - together))


def ahead(team: Team, use: Use, storage: Storage, more: float) -> Span:
    """Return the elapsed time saved when everything is fetched before it is asked for, so many fetches at once.

    At least: as fast as the storage is sure to give, beside everything else.  At most: so many times as fast as now, or
    up to the storage's limit, if one was seen.
    """
    stall = use.asleep_ns / max(team.width, 1.0)
    beside = max(team.elapsed_ns - stall, 0.0)
    fastest = max(at_once(team, use, storage) / more, _fastest(use, storage, use.asleep_ns, max(team.width, 1.0), more))
    slowest = needed(use, storage) * 1e9 / sure_bytes_s(storage) / max(stall, 1.0)
    left = [min(1.0, max(0.0, part - beside / max(stall, 1.0))) for part in (fastest, slowest)]
    return saved(team, use.asleep_ns, Span(min(left), left[1]))


def wanted(now: float, use: Use, storage: Storage) -> int:
    """Return how many fetches at once keep the storage busy, by Little's law: bandwidth x latency / request.

    It is a power of two, within bounds of what there is `now`.
    """
    likely = trips(storage)[1]
    each_ns = use.asleep_ns / max(use.waited, 1) if use.asynchronous and held_up(use) else storage.mean_ns
    per_reader = storage.mean_bytes * 1e9 / max(each_ns, 1.0)
    full = max(likely.bytes_s, storage.most_bytes_s) / max(per_reader, 1.0)
    grown = min(max(full, bounds.LEAST_GROWTH * now), bounds.MOST_GROWTH * now, float(bounds.MOST_WORKERS))
    return 1 << max(0, round(grown - 1)).bit_length()


def limits_seen(storage: Storage, more: float) -> tuple[Input, ...]:
    """Return the rate that the storage can have at most with so many fetches at once, if that was seen."""
    limit = most_bytes_s(storage, more)
    return () if limit is None else (Input("rate that it then has at most", limit, "bytes/s"),)


def inputs(team: Team, storage: Storage | None) -> tuple[Input, ...]:
    """Return what the models were fed with."""
    found = [
        Input("elapsed", float(team.elapsed_ns), "ns"),
        Input("readers at once", team.width, "1"),
        Input("share of time waiting for storage", team.account.share(team.account.storage_ns), "1"),
        Input("share of elapsed time that waiting delays, at least", team.critical_low, "1"),
        Input("share of elapsed time that waiting delays, at most", team.critical_high, "1"),
    ]
    if storage is not None:
        least, likely, most = trips(storage)
        found += [
            Input("fetches", float(storage.fetches), "1"),
            Input("bytes of a fetch", storage.mean_bytes, "bytes"),
            Input("time of a fetch", storage.mean_ns, "ns"),
            Input("latency, least", least.latency_ns, "ns"),
            Input("latency, likely", likely.latency_ns, "ns"),
            Input("latency, most", most.latency_ns, "ns"),
            Input("rate of one fetch, least", least.bytes_s, "bytes/s"),
            Input("rate of one fetch, likely", likely.bytes_s, "bytes/s"),
            Input("rate of one fetch, most", most.bytes_s, "bytes/s"),
            Input("most that all fetches together got", storage.most_bytes_s, "bytes/s"),
            Input("fetches at once", storage.depth, "1"),
        ]
    return tuple(found)
