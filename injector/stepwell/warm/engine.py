"""Carries a warm-up out: keeps so many pieces on their way, at most so many bytes a second, and says how it went."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stepwell.prefetch.budgets import BURST_NS, Bucket
from stepwell.prefetch.mounted import Client, describe
from stepwell.prefetch.native.library import MOST_WORKERS, Answer, Pool
from stepwell.prefetch.requests import Kind
from stepwell.warm.find import Failure, File
from stepwell.warm.journal import Journal
from stepwell.warm.work import Piece, Work

LARGEST_BLOCK = 4 << 20
"""Bytes of a piece at most: it is as much as the mount's kernel reads ahead, which takes larger ones apart, one part
after the other."""

CONCURRENCY = 32
"""Pieces on their way.  Default 32: at 20 ms a request, 1,600 requests a second."""

SMALLEST = 64 << 10
"""Bytes that a piece is made smaller to, at least, so that a small bandwidth is kept to evenly."""

HUNG_S = 60.0
"""Seconds without any piece coming after which the storage hangs: clients of object storage try again for less."""

_TELL_S = 0.2
_MOST_NAMED = 100


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
    """Files that there are."""
    done: int
    """Files that are through, those that failed included."""
    failed: int
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
    done: int
    failed: int
    brought_bytes: int
    elapsed_ns: int


class _Run:
    """A warm-up on its way."""

    def __init__(self, files: list[File], limits: Limits, journal: Journal) -> None:
        mounts = {root: describe(root) for root in dict.fromkeys(file.root for file in files)}
        ahead = min((one.read_ahead for one in mounts.values()), default=LARGEST_BLOCK)
        block = limits.block or min(ahead, LARGEST_BLOCK)
        self.client = min((one.client for one in mounts.values()), key=lambda one: one.block, default=Client())
        if limits.bandwidth:
            most = max(SMALLEST, limits.bandwidth * BURST_NS // 10**9)
            block = min(block, most)
            self.client = self.client if self.client.block <= most else Client()
        self.files, self.limits, self.journal = files, limits, journal
        about = {number: file.about for number, file in enumerate(files) if file.about}
        self.work = Work(len(files), block // 4096 * 4096, journal.known(files), about, self.client.block)
        self.held: Piece | None = None
        """The next piece, which the mount's client does not take yet."""
        self.blocks = 0
        self.pool = Pool()
        self.bucket = Bucket(limits.bandwidth, 0.0, time.monotonic_ns())
        self.roots = {root: self.pool.root(root) for root in mounts}
        self.flying: dict[int, Piece] = {}
        self.brought = self.resident = self.number = 0
        self.began_ns = time.monotonic_ns()

    def fill(self) -> None:
        """Give the workers what they may have now."""
        while len(self.flying) < self.limits.concurrency and self.bucket.ready(time.monotonic_ns()):
            piece, self.held = self.held or self.work.next(), None
            if piece is None:
                return
            if piece.whole and self.blocks >= self.client.at_once:
                self.held = piece
                return
            file = self.files[piece.file]
            self.number += 1
            self.blocks += piece.whole
            self.flying[self.number] = piece
            kind = Kind.BLOCK if piece.whole else Kind.READ
            self.pool.submit(self.number, self.roots[file.root], file.path, piece.offset, piece.size, kind)
            self.bucket.take(piece.size)

    def wait(self) -> bool:
        """Wait for an answer, or until more may be asked for; whether there were answers."""
        seconds = _TELL_S
        if len(self.flying) < self.limits.concurrency:
            now = time.monotonic_ns()
            seconds = min(seconds, max(0.0, (self.bucket.due_ns(now) - now) / 1e9) or seconds)
        select.select([self.pool.event], [], [], seconds)
        answers = self.pool.take()
        for answer in answers:
            self._answered(answer)
        return bool(answers)

    def progress(self) -> Progress:
        """Return how far it is."""
        tally = self.work.tally
        elapsed = time.monotonic_ns() - self.began_ns
        return Progress(len(self.files), tally.files, len(tally.failed), self.brought, elapsed)

    def result(self, status: str) -> Warmed:
        """Return how it went."""
        tally, elapsed = self.work.tally, time.monotonic_ns() - self.began_ns
        failures = tuple(Failure.of(self.files[file].name, code) for file, code in tally.failed.items())
        return Warmed(
            status=status,
            files=len(self.files),
            done=tally.files,
            failed=len(tally.failed),
            brought_bytes=self.brought,
            resident_bytes=self.resident,
            known_bytes=tally.known_bytes,
            elapsed_ns=elapsed,
            bytes_s=self.brought * 10**9 // max(elapsed, 1),
            failures=failures[:_MOST_NAMED],
        )

    def _answered(self, answer: Answer) -> None:
        piece = self.flying.pop(answer.number)
        self.blocks -= piece.whole
        self.bucket.give_back(piece.size - answer.brought, time.monotonic_ns())
        self.brought += answer.brought
        self.resident += answer.resident
        if not answer.error:
            octets = max(0, min(piece.size, answer.file_size - piece.offset))
            self.journal.add(self.files[piece.file], answer.file_size, answer.ino, piece.offset, octets)
        self.work.done(piece, answer.file_size, answer.ino, answer.error)


def warm(
    files: list[File],
    limits: Limits,
    journal: Journal,
    progress: Callable[[Progress], None],
    unlisted: tuple[Failure, ...] = (),
) -> Warmed:
    """Read files once, in their order; Ctrl-C ends it, and the next call goes on from there.

    When the storage hangs, workers of this process hang with it: the caller ends by `os._exit`.

    Args:
        files: what to read.
        limits: what it may take.
        journal: what was read before; it is kept unless all was read.
        progress: told some times a second how far it is.
        unlisted: what could not be looked for files: with any of it, not all is read.
    """
    assert limits.concurrency <= MOST_WORKERS // 2
    run = _Run(files, limits, journal)
    status, told, heard = "complete", 0.0, time.monotonic()
    try:
        run.fill()
        while not run.work.finished:
            if run.wait():
                heard = time.monotonic()
            if run.flying and time.monotonic() - heard > HUNG_S:
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
    if status == "complete" and not result.failed and not unlisted:
        journal.remove()
    else:
        journal.save()
    return replace(result, unlisted=unlisted[:_MOST_NAMED], forgotten=journal.broken)
