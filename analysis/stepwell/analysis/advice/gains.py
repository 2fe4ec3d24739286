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


def concurrent(team: Team, use: Use, storage: Storage, more: int) -> Span:
    """Return the elapsed time saved when `more` readers share the work of the `team.width` there are.

    At least: their waiting overlaps, down to what the storage was seen to give; computing does not (one processor, one
    interpreter).  At most: their computing does, too, and the storage scales; what they wait for otherwise, a full
    queue or each other, stays, and who they work for needs its time.
    """
    width = max(team.width, 1.0)
    fewer = width / more
    seen = max(storage.most_bytes_s, trips(storage)[0].bytes_s)
    stall = use.asleep_ns / width
    least = storage.bytes * (use.asleep_ns / max(storage.ns, 1)) * 1e9 / seen
    left = max(fewer, min(1.0, least / max(stall, 1)))
    low = saved(team, use.asleep_ns, Span(left, left)).low
    shared = team.account.share(team.account.storage_ns + team.account.cpu_ns) * (1 - fewer)
    together = max(team.elapsed_ns * (1 - shared), float(team.consumer_cpu_ns) if team.consumer is not None else 0.0)
    return Span(low, max(low, team.elapsed_ns - together))


def ahead(team: Team, use: Use, storage: Storage) -> Span:
    """Return the elapsed time saved when everything is fetched before it is asked for.

    At least: as fast as the storage was seen to give, beside everything else.  At most: nobody waits.
    """
    stall = use.asleep_ns / max(team.width, 1.0)
    octets = storage.bytes * (use.asleep_ns / max(storage.ns, 1))
    seen = max(storage.most_bytes_s, trips(storage)[0].bytes_s)
    beside = max(team.elapsed_ns - stall, 0.0)
    left = max(0.0, octets * 1e9 / seen - beside) / max(stall, 1.0)
    return saved(team, use.asleep_ns, Span(0.0, min(1.0, left)))


def wanted(team: Team, storage: Storage) -> int:
    """Return how many readers keep the storage busy, by Little's law: bandwidth x latency / request, within bounds."""
    likely = trips(storage)[1]
    per_reader = storage.mean_bytes * 1e9 / max(storage.mean_ns, 1.0)
    full = max(likely.bytes_s, storage.most_bytes_s) / max(per_reader, 1.0)
    width = max(team.width, 1.0)
    grown = min(max(full, bounds.LEAST_GROWTH * width), bounds.MOST_GROWTH * width, float(bounds.MOST_WORKERS))
    return 1 << max(0, round(grown - 1)).bit_length()


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
