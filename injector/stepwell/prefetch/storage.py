"""What is known of a storage: how it answers, how it is best asked, and whether it answers at all."""

from __future__ import annotations

from collections import Counter, deque
from statistics import median

from stepwell.prefetch.mounted import LEAST_READ_AHEAD, Mounted
from stepwell.prefetch.protocol import Mount, Root
from stepwell.prefetch.requests import BRINGING, Done, Kind, Request
from stepwell.prefetch.spare import Spare
from stepwell.prefetch.tracks import PAGE
from stepwell.trace.format import size

LARGEST_BLOCK = 4 << 20
"""Larger requests would only be fewer, not faster."""

HUNG_NS = 10_000_000_000
"""A request without an answer for so long hangs: the slowest object stores are asked again after seconds."""

TRIALS = 8
"""Requests by which each mechanism is measured: their median withstands three outliers."""

BETTER = 0.9
"""The kernel's own read-ahead is used where a byte takes at most this share of the time of reading: less is noise."""

OWN_NS = 300_000_000
"""What a mount's client has begun to read ahead of a reader by itself has come after this: its reader finds all that
follows in memory, and the client hears of it no more."""


class Storage:
    """One mount.  Requests measure it, and decide by which mechanism it is asked.

    Args:
        name: the first root on it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.mounted = Mounted(0, LEAST_READ_AHEAD)
        self.request_ns = 0
        self.whole_file = LARGEST_BLOCK
        """Bytes that the first request to a file whose size is not known brings at most, going by the last files."""
        self.in_flight: dict[int, int] = {}
        """Number and time of each request on its way, oldest first."""
        self._requests: dict[int, Request] = {}
        self._busy: Counter[str] = Counter()
        self._blocks = 0
        self._blocks_began_ns = self._blocks_asked_ns = 0
        self._trials: dict[Kind, deque[float]] = {kind: deque(maxlen=TRIALS) for kind in (Kind.READ, Kind.WILLNEED)}
        self._chosen: Kind | None = None
        self._next = Kind.READ
        self.spare = Spare()
        self._parts = False

    def block(self, root: Root) -> int:
        """Return the bytes of a request, a multiple of a page.

        Until told otherwise as many as the kernel reads ahead: it splits larger ones (`force_page_cache_ra` in
        mm/readahead.c), one part after the other.
        """
        wanted = root.block_bytes or self.mounted.read_ahead
        return max(min(wanted, LARGEST_BLOCK) // PAGE * PAGE, PAGE)

    def hung(self, now_ns: int) -> int:
        """Return how many requests hang."""
        return sum(now_ns - asked > HUNG_NS for asked in self.in_flight.values())

    def full(self, root: Root, now_ns: int, *, whole: bool = False) -> str:
        """Return why nothing more is asked of it now, or no further block of its client; empty when it may be."""
        if self.in_flight and now_ns - next(iter(self.in_flight.values())) > HUNG_NS:
            return f"{self.hung(now_ns)} requests to {self.name} hang"
        if root.in_flight is not None and self._busy[root.path] >= root.in_flight:
            return f"{root.in_flight} requests are on their way, as many as the plan of {root.path} allows"
        if whole and self._blocks >= self._most_blocks(now_ns):
            return f"{self._blocks} blocks of {self.name}'s client are on their way, it takes no more"
        return ""

    def _most_blocks(self, now_ns: int) -> int:
        """Return how many blocks may be on their way: at first its client still reads ahead by itself, too."""
        client = self.mounted.client
        own = client.ahead if now_ns - self._blocks_began_ns < OWN_NS else 0
        return max(client.at_once - own, 1)

    def kind(self, file_size: int) -> Kind:
        """Return by which mechanism to ask next for a part of a file: by turns, until both are measured.

        JuiceFS reads ahead of positions in each open file, and cancels that when there are others: reads that wait for
        the same blocks fail with it, and are tried again after 0.3 s, those of readers, too (pkg/vfs/reader.go: run,
        retry_time).  So a file of several blocks is opened for each request.

        Args:
            file_size: bytes of the file, as far as they are known.
        """
        client = self.mounted.client
        if client.ahead and file_size > client.block:
            return Kind.BLOCK
        if self._chosen is not None:
            return self._chosen
        self._next = Kind.WILLNEED if self._next is Kind.READ else Kind.READ
        return self._next

    def asked(self, request: Request, now_ns: int) -> None:
        """Note a request."""
        self.in_flight[request.number] = now_ns
        self._requests[request.number] = request
        self._busy[request.root] += 1
        self._parts |= request.kind in BRINGING and request.kind is not Kind.TOUCH
        if request.kind is Kind.TOUCH:
            self._blocks += 1
            self.spare.disturb()
            if now_ns - self._blocks_asked_ns > OWN_NS:
                self._blocks_began_ns = now_ns
            self._blocks_asked_ns = now_ns

    def answered(self, done: Done) -> None:
        """Note an answer."""
        del self.in_flight[done.number]
        request = self._requests.pop(done.number)
        self._busy[request.root] -= 1
        self._blocks -= request.kind is Kind.TOUCH
        kind = request.kind
        if kind in BRINGING and not request.offset and not done.error:
            found = min(LARGEST_BLOCK, done.file_size)
            self.whole_file = max(found, self.whole_file - (self.whole_file - found) // 8)
        if kind in BRINGING and done.brought and not done.error:
            # One in eight, as TCP's round-trip estimator does (RFC 6298).
            self.request_ns += (done.took_ns - self.request_ns) // (8 if self.request_ns else 1)
            if self._chosen is None and kind in self._trials:
                self._trials[kind].append(self._cost(request, done))
                if all(len(times) == TRIALS for times in self._trials.values()):
                    self._choose()

    def _cost(self, request: Request, done: Done) -> float:
        """Return the time that a byte took, in ns; a request of less than a block takes as long as one of a block."""
        wanted = max(min(request.size, done.file_size - request.offset) - done.resident, done.brought)
        return done.took_ns / max(wanted, self.mounted.read_ahead) * (wanted / done.brought)

    def status(self, now_ns: int) -> Mount:
        """Return what to tell of it."""
        chosen = "measuring: " if self._chosen is None else ""
        chosen += "by reading" if self._chosen is not Kind.WILLNEED else "by the kernel's read-ahead"
        times = {kind: median(found) for kind, found in self._trials.items() if found}
        measured = ", ".join(f"{kind.name.lower()} {1024 * time / 1000:.2f} us/KiB" for kind, time in times.items())
        chosen = f"{chosen} ({measured})" if measured else chosen
        if self.mounted.client.block:
            chosen += f"; along files by whole blocks of its client, {size(self.mounted.client.block)} each"
        if self.mounted.client.ahead:
            chosen += ", else in files of several by an open file a request"
        return Mount(
            self.name, chosen, self.block(Root(self.name)), self.request_ns, self.hung(now_ns), self._parts,
        )  # fmt: skip

    def _choose(self) -> None:
        read, ahead = (median(self._trials[kind]) for kind in (Kind.READ, Kind.WILLNEED))
        self._chosen = Kind.WILLNEED if ahead <= BETTER * read else Kind.READ
