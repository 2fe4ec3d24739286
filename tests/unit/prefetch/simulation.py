"""A storage, a page cache and readers with a simulated clock around the real planner."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stepwell.prefetch.directory import Names
from stepwell.prefetch.mounted import Client, Mounted
from stepwell.prefetch.planner import Planner
from stepwell.prefetch.protocol import Budget, Close, Message, Open, Root, Run, Status
from stepwell.prefetch.requests import BRINGING, Done, Kind, Request

PAGE = 4096
MS = 1_000_000
KIB, MIB = 1 << 10, 1 << 20
BLOCK = 128 * KIB
ROOT = "/d"
FILE = "/d/file"


@dataclass(frozen=True)
class Access:
    path: str
    offset: int
    size: int


@dataclass
class World:
    """One reader at a time, which tells each access when it has ended."""

    files: dict[str, int]
    latency_ns: int = 20 * MS
    think_ns: int = 0
    budget: Budget = field(default_factory=Budget)
    now: int = 0
    cache: set[tuple[str, int]] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    most_in_flight: int = 0
    listings: dict[str, list[str]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    inodes: dict[str, int] = field(default_factory=dict)
    waited_ns: int = 0
    demand: int = 0
    forgets: bool = False
    """What is in memory of a file is gone when a reader opens it."""

    def __post_init__(self) -> None:
        self.planner = Planner(0)
        self._flying: list[tuple[int, int, Request]] = []
        self._runs: dict[str, Run] = {}
        self.tell(Root(ROOT))
        self.tell(self.budget)

    def tell(self, message: Message) -> None:
        if self.forgets and isinstance(message, Open):
            self.cache = {page for page in self.cache if page[0] != message.path}
        self.planner.observe(message, self.now)
        while wanted := self.planner.listings():
            for _, path in wanted:
                self._list(path)
        self.plan()

    def _list(self, path: str) -> None:
        """Names that end in a slash are of directories."""
        found = Names()
        for place, name in enumerate(self.listings.get(path, ())):
            (found.folders if name.endswith("/") else found.files)[name.rstrip("/")] = 7 * place
        if path in self.listings:
            self.planner.listed(path, found)

    def plan(self) -> None:
        for request in self.planner.plan(self.now):
            self.requests.append(request)
            heapq.heappush(self._flying, (self.now + self._takes(request), request.number, request))
        self.most_in_flight = max(self.most_in_flight, len(self._flying))
        budget = self.planner.budget
        assert len(self._flying) <= (budget.in_flight or 0)
        assert 0 <= self.planner.ledger.charge <= (budget.memory_bytes or 0)

    def pass_to(self, until: int) -> None:
        while True:
            due = self.planner.due_ns(self.now)
            arrives = self._flying[0][0] if self._flying else None
            following = min(one for one in (due, arrives, until) if one is not None)
            if following >= until:
                break
            self.now = max(following, self.now + (due is not None and due <= self.now))
            self._arrive()
            self.plan()
        self.now = until
        self._arrive()
        self.plan()

    def settle(self) -> None:
        """Until nothing is on its way but what hangs."""
        while any(request.path not in self.hanging for _, _, request in self._flying):
            self.pass_to(self._flying[0][0])

    def read(self, stream: str, access: Access, reader: str = "1") -> None:
        """One access: waits for what the cache lacks, or for the request that brings it."""
        begin = self.now
        pages = _pages(access.path, access.offset, access.size)
        missing = [page for page in pages if page not in self.cache]
        coming = [at for at, _, request in self._flying if request.kind is not Kind.LOOK and _meets(request, missing)]
        if missing:
            covered = {
                page for _, _, request in self._flying for page in _pages(request.path, request.offset, request.size)
            }
            ends = coming + ([self.now + self.latency_ns] if set(missing) - covered else [])
            self.demand += bool(set(missing) - covered)
            self.pass_to(max(ends))
            self.cache.update(missing)
        self.waited_ns += self.now - begin
        self.pass_to(self.now + 1000)
        self._tell(stream, access, reader, begin)
        self.pass_to(self.now + self.think_ns)

    def read_all(self, accesses: Iterable[Access], stream: str = "s", reader: str = "1") -> None:
        for access in accesses:
            self.read(stream, access, reader)

    def read_file(self, path: str, block: int = 128 << 10, reader: str = "1") -> None:
        self.tell(Open(path, reader, self.now))
        self.read_all(sequential(path, self.files[path], block), f"{reader}:{path}:{self.now}", reader)
        self.tell(Close(path, reader, self.now))

    def _tell(self, stream: str, access: Access, reader: str, begin: int) -> None:
        last = self._runs.get(stream)
        took = self.now - begin
        if last and last.path == access.path and last.size == access.size and access.offset == self._expected(last):
            stride = access.offset - last.offset if last.count == 1 else last.stride
            run = Run(
                stream, access.path, last.offset, access.size, stride, last.count + 1, last.start_ns, self.now,
                (last.latency_ns or 0) + took, reader=reader,
            )  # fmt: skip
        else:
            run = Run(stream, access.path, access.offset, access.size, 0, 1, begin, self.now, took, reader=reader)
            if last and last.count == 1 and last.path == access.path and last.size == access.size:
                # The collector joins any two accesses.
                run = Run(
                    stream, access.path, last.offset, access.size, access.offset - last.offset, 2, last.start_ns,
                    self.now, (last.latency_ns or 0) + took, reader=reader,
                )  # fmt: skip
        self._runs[stream] = run
        self.tell(run)

    @staticmethod
    def _expected(last: Run) -> int:
        return last.offset + last.stride * last.count if last.count > 1 else -1

    def _takes(self, request: Request) -> int:
        pages = _pages(request.path, request.offset, request.size)
        if request.path in self.hanging:
            return 1 << 60
        cached = request.kind in (Kind.LOOK, Kind.DROP) or all(page in self.cache for page in pages)
        return 20_000 if cached else self.latency_ns

    def _arrive(self) -> None:
        done = []
        while self._flying and self._flying[0][0] <= self.now:
            _, _, request = heapq.heappop(self._flying)
            size = self.files.get(request.path, 0)
            length = max(min(request.size, size - request.offset), 0)
            pages = list(_pages(request.path, request.offset, length))
            there = min(sum(page in self.cache for page in pages) * PAGE, length)
            error = self.broken.get(request.path, 0)
            brought = length - there if request.kind in BRINGING and not error else 0
            if not error and request.kind in BRINGING:
                self.cache.update(pages)
            if request.kind is Kind.DROP:
                self.cache.difference_update(pages)
            took = self._takes(request) if not brought else self.latency_ns
            identity = (1, self.inodes.get(request.path, 0))
            done.append(Done(request.number, brought, there, size, took, error, identity))
        if done:
            self.planner.complete(done, self.now)


def _pages(path: str, offset: int, size: int) -> Iterator[tuple[str, int]]:
    return ((path, page) for page in range(offset // PAGE, -(-(offset + size) // PAGE)))


def _meets(request: Request, pages: list[tuple[str, int]]) -> bool:
    return any(
        path == request.path and request.offset < (page + 1) * PAGE and page * PAGE < request.offset + request.size
        for path, page in pages
    )


def sequential(path: str, size: int, block: int = 128 << 10) -> Iterator[Access]:
    return (Access(path, offset, min(block, size - offset)) for offset in range(0, size, block))


def status(world: World) -> Status:
    return world.planner.status(world.now)


def asked(world: World, path: str = FILE) -> list[tuple[int, int]]:
    """The ranges that were asked for, in order."""
    return [(one.offset, one.offset + one.size) for one in world.requests if one.path == path and one.kind in BRINGING]


def names(count: int) -> list[str]:
    return [f"/d/{number:04d}" for number in range(count)]


def with_client(files: dict[str, int], client: Client = Client(4 * MIB, 3, 2), **world: Any) -> World:  # noqa: B008
    """A mount whose client, unless another is given, fetches blocks of 4 MiB, three at once."""
    made = World(files, **world)
    made.planner.described("/d", Mounted(1, BLOCK, client))
    return made
