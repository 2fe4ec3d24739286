"""Caches as plainly as they can be written, to hold the fast ones against."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence


def lru(blocks: Sequence[int], capacity: int) -> int:
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for block in blocks:
        if block in cache:
            hits += 1
            cache.move_to_end(block)
        else:
            if len(cache) == capacity:
                cache.popitem(last=False)
            cache[block] = None
    return hits


def fifo(blocks: Sequence[int], capacity: int) -> int:
    cache: deque[int] = deque()
    hits = 0
    for block in blocks:
        if block in cache:
            hits += 1
        else:
            if len(cache) == capacity:
                cache.popleft()
            cache.append(block)
    return hits


def clock(blocks: Sequence[int], capacity: int) -> int:
    """A ring, a hand, and a bit for each block."""
    ring: list[int] = []
    used: dict[int, bool] = {}
    hand = hits = 0
    for block in blocks:
        if block in used:
            hits += 1
            used[block] = True
            continue
        if len(ring) < capacity:
            ring.append(block)
        else:
            while used[ring[hand]]:
                used[ring[hand]] = False
                hand = (hand + 1) % capacity
            del used[ring[hand]]
            ring[hand] = block
            hand = (hand + 1) % capacity
        used[block] = False
    return hits


def sieve(blocks: Sequence[int], capacity: int) -> int:
    queue: list[int] = []  # the oldest first
    visited: dict[int, bool] = {}
    hand = hits = 0
    for block in blocks:
        if block in visited:
            hits += 1
            visited[block] = True
            continue
        if len(queue) == capacity:
            if hand >= len(queue):
                hand = 0
            while visited[queue[hand]]:
                visited[queue[hand]] = False
                hand = (hand + 1) % len(queue)
            del visited[queue.pop(hand)]
            # Past the newest it starts again with the oldest, whatever comes in between.
            if hand == len(queue):
                hand = 0
        queue.append(block)
        visited[block] = False
    return hits


def s3fifo(blocks: Sequence[int], capacity: int) -> int:  # noqa: C901 - as one reads it in the paper
    """Algorithm 1 of the paper; blocks that move to the main queue start anew."""
    small_most = max(1, capacity // 10)
    main_most = capacity - small_most
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: OrderedDict[int, None] = OrderedDict()
    used: dict[int, int] = {}
    hits = 0

    def evict_main() -> None:
        while True:
            block = main.popleft()
            if not used[block]:
                del used[block]
                return
            used[block] -= 1
            main.append(block)

    def evict() -> None:
        while small and (len(small) >= small_most or not main):
            block = small.popleft()
            if used[block] > 1:
                used[block] = 0
                main.append(block)
                if len(main) > main_most:
                    break
            else:
                del used[block]
                ghost[block] = None
                if len(ghost) > main_most:
                    ghost.popitem(last=False)
                return
        evict_main()

    for block in blocks:
        if block in used:
            hits += 1
            used[block] = min(used[block] + 1, 3)
            continue
        if len(used) >= capacity:
            evict()
        if block in ghost:
            del ghost[block]
            main.append(block)
        else:
            small.append(block)
        used[block] = 0
    return hits


def minimum(blocks: Sequence[int], capacity: int) -> int:
    """Belady's: what is needed last goes, be it the new one."""
    cache: set[int] = set()
    hits = 0
    for at, block in enumerate(blocks):
        hits += block in cache
        cache.add(block)
        if len(cache) > capacity:
            rest = blocks[at + 1 :]
            cache.remove(max(cache, key=lambda one: (rest.index(one) if one in rest else len(rest), one)))
    return hits


REFERENCE: dict[str, Callable[[Sequence[int], int], int]] = {
    "lru": lru, "fifo": fifo, "clock": clock, "sieve": sieve, "s3fifo": s3fifo, "min": minimum,
}  # fmt: skip
