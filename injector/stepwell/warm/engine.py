"""Carries a warm-up out: keeps so many pieces on their way, at most so many bytes a second, and says how it went."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from stepwell.prefetch.budgets import BURST_NS, Bucket
from stepwell.prefetch.mounted import Client, describe
from stepwell.prefetch.native.library import MOST_WORKERS, Answer, Pool
from stepwell.prefetch.requests import Kind
from stepwell.warm.find import Failure, File
from stepwell.warm.journal import Journal
from stepwell.warm.listing import Listing
from stepwell.warm.work import MOST_NAMED, Piece, Work

LARGEST_BLOCK = 4 << 20
"""Bytes of a piece at most: it is as much as the mount's kernel reads ahead, which takes larger ones apart, one part
after the other."""

CONCURRENCY = 32
"""Pieces on their way.  Default 32: at 20 ms a request, 1,600 requests a second."""

SMALLEST = 64 << 10
"""Bytes that a piece is made smaller to, at least, so that a small bandwidth is kept to evenly."""

HUNG_S = 60.0
"""Seconds without any answer after which the storage hangs: clients of object storage try again for less."""

_TELL_S = 0.2


@dataclass(frozen=True)
class Limits:
    """What a warm-up may take."""

    concurrency: int = CONCURRENCY
    """Pieces on their way, half of `MOST_WORKERS` at most: a worker that has answered is not free at once."""
    bandwidth: int = 0
    """Bytes a second; 0 is without limit."""
    block: int = 0
    """Bytes of a piece; 0: as the mount reads ahead."""


@dataclass(frozen=True)
class Warmed:
    """How a warm-up went."""

    status: str
    """complete, interrupted or hung."""
    files: int
    """Files that were found."""
    done: int
    """Files that are through, those that failed or were gone included."""
    failed: int
    gone: int
    """Files that were removed after they had been found."""
    brought_bytes: int
    """Bytes that were read."""
    resident_bytes: int
    """Bytes that had been in the page cache already."""
    known_bytes: int
    """Bytes that were read before an interruption, and not again."""
    elapsed_ns: int
    bytes_s: int
    """Bytes read a second."""
    failures: tuple[Failure, ...]
    """The first hundred files that failed."""
    unlisted: tuple[Failure, ...] = ()
    """The first hundred directories that could not be listed: what is below them was not read."""
    forgotten: str = ""
    """Why what was read could not be noted; empty when it was."""


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    files: int
    """Files that were found."""
    listed: bool
    """There are no others."""
    done: int
    failed: int
    brought_bytes: int
    elapsed_ns: int


class _Run:
    """A warm-up on its way."""

    def __init__(self, batches: Iterable[list[File]], roots: Iterable[str], limits: Limits, journal: Journal) -> None:
        mounts = {root: describe(root) for root in roots}
        ahead = min((one.read_ahead for one in mounts.values()), default=LARGEST_BLOCK)
        block = limits.block or min(ahead, LARGEST_BLOCK)
        self.client = min((one.client for one in mounts.values()), key=lambda one: one.block, default=Client())
        if limits.bandwidth:
            most = max(SMALLEST, limits.bandwidth * BURST_NS // 10**9)
            block = min(block, most)
            self.client = self.client if self.client.block <= most else Client()
        self.limits, self.journal = limits, journal
        self.work = Work(block // 4096 * 4096, self.client.block)
        self.held: Piece | None = None
        """The next piece, which is not to be asked for yet."""
        self.blocks = 0
        self.pool = Pool()
        self.bucket = Bucket(limits.bandwidth, 0.0, time.monotonic_ns())
        self.roots = {root: self.pool.root(root) for root in mounts}
        self.flying: dict[int, Piece] = {}
        self.brought = self.resident = self.number = 0
        self.began_ns = time.monotonic_ns()
        self.listing = Listing(batches)

    @property
    def finished(self) -> bool:
        """Whether all was read."""
        return self.listing.over and self.work.finished

    @property
    def starved(self) -> bool:
        """Whether more could be read if more files had been found."""
        return not self.held and not self.listing.over

    def fill(self) -> None:
        """Give the workers what they may have now."""
        while piece := self.held or self._next():
            self.held = piece
            if len(self.flying) >= self.limits.concurrency or not self.bucket.ready(time.monotonic_ns()):
                return
            if piece.whole and self.blocks >= self.client.at_once:
                return
            self.held = None
            self.number += 1
            self.blocks += piece.whole
            self.flying[self.number] = piece
            # An empty piece only looks at a file, which need not stay open for others.
            kind = Kind.BLOCK if piece.whole or not piece.size else Kind.READ
            self.pool.submit(self.number, self.roots[piece.file.root], piece.file.path, piece.offset, piece.size, kind)
            self.bucket.take(piece.size)

    def wait(self) -> bool:
        """Wait for an answer, or until more may be asked for; whether there was one."""
        seconds = _TELL_S
        if len(self.flying) < self.limits.concurrency:
            now = time.monotonic_ns()
            seconds = min(seconds, max(0.0, (self.bucket.due_ns(now) - now) / 1e9) or seconds)
        events = [self.pool.event, self.listing.event] if self.starved else [self.pool.event]
        ready = select.select(events, [], [], seconds)[0]
        for answer in self.pool.take():
            self._answered(answer)
        return bool(ready)

    def progress(self) -> Progress:
        """Return how far it is."""
        tally, elapsed = self.work.tally, time.monotonic_ns() - self.began_ns
        return Progress(self.listing.found, self.listing.over, tally.files, tally.failed, self.brought, elapsed)

    def result(self, status: str) -> Warmed:
        """Return how it went."""
        tally, elapsed = self.work.tally, time.monotonic_ns() - self.began_ns
        return Warmed(
            status=status,
            files=self.listing.found,
            done=tally.files,
            failed=tally.failed,
            gone=tally.gone,
            brought_bytes=self.brought,
            resident_bytes=self.resident,
            known_bytes=tally.known_bytes,
            elapsed_ns=elapsed,
            bytes_s=self.brought * 10**9 // max(elapsed, 1),
            failures=tuple(Failure.of(file.name, code) for file, code in tally.failures),
        )

    def _next(self) -> Piece | None:
        """Return the next piece, of files that were just found where there is none of others."""
        piece = self.work.next()
        while not piece and (batch := self.listing.take()):
            for file in batch:
                self.work.add(file, self.journal.known(file))
            piece = self.work.next()
        return piece

    def _answered(self, answer: Answer) -> None:
        piece = self.flying.pop(answer.number)
        self.blocks -= piece.whole
        self.bucket.give_back(piece.size - answer.brought, time.monotonic_ns())
        self.brought += answer.brought
        self.resident += answer.resident
        if not answer.error and piece.size:
            octets = max(0, min(piece.size, answer.file_size - piece.offset))
            self.journal.add(piece.file, answer.file_size, answer.ino, piece.offset, octets)
        self.work.done(piece, answer.file_size, answer.ino, answer.error)


def warm(
    batches: Iterable[list[File]],
    roots: Iterable[str],
    limits: Limits,
    journal: Journal,
    progress: Callable[[Progress], None],
    unlisted: list[Failure],
) -> Warmed:
    """Read files once, in their order, while they are still being found; KeyboardInterrupt ends it.

    When the storage hangs, threads of this process hang with it: the caller ends by `os._exit`.

    Args:
        batches: what to read; a thread of its own goes through them.
        roots: the roots of all files.
        limits: what it may take.
        journal: what was read before. It is kept when this does not come to its end; files that failed are an end.
        progress: told some times a second how far it is.
        unlisted: the directories that could not be listed, by what goes through `batches`.
    """
    assert limits.concurrency <= MOST_WORKERS // 2
    run = _Run(batches, roots, limits, journal)
    status, told, heard = "complete", 0.0, time.monotonic()
    try:
        run.fill()
        while not run.finished:
            if run.wait() or not (run.flying or run.starved):
                heard = time.monotonic()
            if time.monotonic() - heard > HUNG_S:
                status = "hung"
                break
            run.fill()
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                journal.save()
                progress(run.progress())
    except KeyboardInterrupt:
        status = "interrupted"
    result = run.result(status)
    if status == "complete":
        journal.remove()
    else:
        journal.save()
    return replace(result, unlisted=tuple(unlisted[:MOST_NAMED]), forgotten=journal.broken)
