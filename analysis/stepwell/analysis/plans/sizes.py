"""How large and how many requests are: block, concurrency and window out of the model of a storage."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stepwell.analysis.advice.drawn import Matter
from stepwell.analysis.advice.gains import enough_bytes, trips
from stepwell.analysis.plans.model import Budget
from stepwell.analysis.storage import Bench
from stepwell.analysis.thresholds import plans as limits
from stepwell.analysis.thresholds import waits as costs
from stepwell.analysis.waits.model import Storage


@dataclass(frozen=True)
class Sizes:
    """The settings of one target, and what they came from."""

    block_bytes: int
    in_flight: int
    window_bytes: int
    request_ns: int
    """Time of one request."""
    demand_bytes_s: int
    """What the readers would take if they never waited."""


def sizes(matter: Matter, storage: Storage, policy: str, budget: Budget, bench: Bench | None = None) -> Sizes:
    """Return the settings that keep readers from waiting, inside a budget.

    A block is at the knee of latency + bytes / rate, and no larger than what is read, or what one trip brings.
    Little's law gives how many must be under way: what readers take a second x time of a request / block.  A window is
    what is under way, twice.

    Args:
        matter: what is read.
        storage: the model of where it is read from.
        policy: as in `Target`.
        budget: what acting may cost.
        bench: what was measured of it on purpose, if it was.
    """
    # Two blocks fit the memory: one that is used while the other comes.
    most_block = budget.memory_bytes // limits.AHEAD // costs.PAGE * costs.PAGE
    block = min(_block(matter, storage, policy), _one_trip(matter, storage, bench), most_block)
    # Of a request that read-ahead had begun, readers wait for a part only, and that is what the model was fitted to.
    begun = limits.PIPELINED if policy == "sequential" and not matter.unbuffered and bench is None else 1
    request_ns = max(1.0, trips(storage)[1].ns(block) * begun)
    demand = _demand(matter, storage)
    wanted = math.ceil(demand * request_ns / 1e9 / block * limits.MARGIN)
    if bench or storage.scales is False or storage.throttle:  # more would only queue
        margin = limits.MARGIN if bench else 1.0
        wanted = min(wanted, math.ceil(storage.most_bytes_s * request_ns / 1e9 / block * margin))
    most = min(budget.in_flight, max(1, budget.memory_bytes // (limits.AHEAD * block)))
    in_flight = min(max(wanted, limits.LEAST_IN_FLIGHT), most)
    lanes = max(1, round(matter.team.width))
    window = limits.AHEAD * block * math.ceil(in_flight / lanes)
    return Sizes(
        block_bytes=block,
        in_flight=in_flight,
        window_bytes=max(block, min(window, budget.memory_bytes // lanes)),
        request_ns=round(request_ns),
        demand_bytes_s=round(demand),
    )


def _block(matter: Matter, storage: Storage, policy: str) -> int:
    if policy == "strided":
        pattern = matter.pattern
        return _pages((pattern and pattern.request_size) or matter.use.request)
    whole = _pages(matter.use.file_bytes // max(matter.use.files, 1))
    return min(enough_bytes(storage, limits.KNEE), whole)


def _one_trip(matter: Matter, storage: Storage, bench: Bench | None) -> int:
    """Return the most bytes that come in one trip through the page cache.

    Linux takes larger reads apart into windows of read-ahead, one after the other (mm/readahead.c,
    force_page_cache_ra), so that a larger block would cost several times the latency.
    """
    if bench and bench.method == "buffered":
        return _pages(bench.request_bytes or max((cell.block_bytes for cell in bench.cells), default=costs.READ_AHEAD))
    seen = max((one.size for one in storage.sizes if one.fetches >= costs.FEW), default=0)
    return max(costs.READ_AHEAD, 0 if matter.unbuffered else _pages(seen))


def _pages(octets: int) -> int:
    """Return a size in whole pages, at least one, and no more than a block may have."""
    return min(max(1, -(-octets // costs.PAGE)) * costs.PAGE, limits.MOST_BLOCK)


def _demand(matter: Matter, storage: Storage) -> float:
    """Return the bytes a second that readers would take if they never waited for this storage."""
    team, use = matter.team, matter.use
    octets = storage.bytes * (use.asleep_ns / max(storage.ns, 1))
    # Below a thousandth of the time no program computes: copying alone takes as much.
    busy = max(team.elapsed_ns - use.asleep_ns / max(team.width, 1.0), team.elapsed_ns / 1000, 1.0)
    return octets * 1e9 / busy
