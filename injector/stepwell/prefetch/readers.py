"""Follows readers: their accesses move heads, the files that they open move orders, and what they reached is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stepwell.prefetch.board import Board
from stepwell.prefetch.files import Files
from stepwell.prefetch.guides import Guides
from stepwell.prefetch.head_source import HeadSource
from stepwell.prefetch.learning import SHARE
from stepwell.prefetch.order_source import OrderSource
from stepwell.prefetch.orders import Sequence
from stepwell.prefetch.pace import Pace
from stepwell.prefetch.protocol import Asked, Close, Entry, Open, Policy, Run
from stepwell.prefetch.roots import Dataset
from stepwell.prefetch.streams import Separator
from stepwell.prefetch.tracks import PAGE, Track
from stepwell.prefetch.windows import Waits, Window

STALE = 256
"""Accesses of the stream after which a head that did not move is over: sixteen turns of all heads."""

LONGEST_LAG_NS = 1_000_000_000
"""Delay of observations that is reckoned with: more is a collector that stood still, not one that is slow."""


MOST_READERS = 4096
"""Readers of which is known how long they wait: many more are processes that come and go."""

MOST_FILES = 256
"""Files of which is kept what was seen of the latest stream."""

WAITED_NS = 1_000_000
"""Accesses that take less did not wait for a storage, or for one that is so fast that it does not matter; a reader that
was put aside for another program may take as long."""


@dataclass
class Stream:
    """One open file of one thread."""

    path: str
    reader: str
    separator: Separator = field(default_factory=Separator)
    heads: dict[int, HeadSource] = field(default_factory=dict)
    """By identity of their tracks."""
    waits: Waits = field(default_factory=Waits)
    last: Run | None = None
    told_ns: int = 0
    """When its last news came."""
    lag_ns: int = 0
    """From one time that news came to the next: how long accesses go unseen."""
    number: int = 0


class Readers:
    """All readers of the roots."""

    def __init__(self, board: Board, files: Files, guides: Guides) -> None:
        self.unsized: dict[str, None] = {}
        """Files whose size is wanted."""
        self.seen_accesses = 0
        self.seen_bytes = 0
        self._board = board
        self._files = files
        self._guides = guides
        self._streams: dict[str, Stream] = {}
        self._of_path: dict[str, set[str]] = {}
        self._openers: dict[str, Counter[str]] = {}
        """How often each file is open, and by whom."""
        self._separators: dict[str, Separator] = {}
        """Of the latest stream of each file, some of which are opened anew for every few accesses."""
        self._told: set[str] = set()
        self._waits: dict[str, Waits] = {}

    def run(self, run: Run, dataset: Dataset, now_ns: int) -> None:
        """Take in accesses."""
        stream = self._stream(run, dataset, now_ns)
        first, count, latency_ns, span_ns = _news(stream.last, run)
        stream.last = run
        if count:
            self._told.add(run.path)
            self.seen_accesses += count
            self.seen_bytes += count * run.size
            for waits in (stream.waits, self._waits_of(run.reader)):
                waits.add(count, run.size, span_ns, latency_ns)
            unseen_ns = now_ns - stream.told_ns if stream.told_ns else 0
            # The longest of the last ones, as several messages can come at once.
            stream.lag_ns = min(max(unseen_ns, stream.lag_ns - stream.lag_ns // 8), LONGEST_LAG_NS)
            stream.told_ns = now_ns
            self._grown(run, first, count)
            self._pass(run, first, count, now_ns, _waited_from_ns(run.end_ns - span_ns, latency_ns, count, dataset))
            self._move(run, stream, dataset, first, count, now_ns)
            self._guides.read(run, first, count, dataset, now_ns)
        if run.done:
            self._end(run.stream)

    def asked(self, message: Asked, now_ns: int) -> None:
        """A reader is in a call that asks for a range."""
        self._guides.asked(message, self._waits_of(message.reader), now_ns)

    def opened(self, message: Open, dataset: Dataset, now_ns: int) -> None:
        """A reader opened a file."""
        self._openers.setdefault(message.path, Counter())[message.reader] += 1
        self._guides.visit(message.path, message.reader, self._waits_of(message.reader), dataset, now_ns)

    def closed(self, message: Close, now_ns: int) -> None:
        """A reader closed a file: unless it is open elsewhere, what is left of it was for nothing."""
        openers = self._openers.get(message.path, Counter())
        openers -= Counter([message.reader])
        if openers:
            return
        self._openers.pop(message.path, None)
        self._board.drop(f"calls {message.path}")
        parts = self._guides.has_parts(message.path)
        if not parts:
            # Where not all accesses were told, nobody can know better than that an open file was read.
            used = message.untold or message.path not in self._told
            self._board.abandon(self._board.ledger.of_file(message.path), used=used)
            self._told.discard(message.path)
        for name in list(self._of_path.get(message.path, ())):
            self._end(name)
        if not parts:
            self._guides.closed(message, now_ns)

    # ---- parts ----

    def _stream(self, run: Run, dataset: Dataset, now_ns: int) -> Stream:
        stream = self._streams.get(run.stream)
        if stream is not None and stream.path != run.path:
            self._end(run.stream)
            stream = None
        if stream is None:
            known = self._of_path.setdefault(run.path, set())
            if not known and run.path not in self._openers:
                self._guides.visit(run.path, run.reader, self._waits_of(run.reader), dataset, now_ns)
            known.add(run.stream)
            stream = self._streams[run.stream] = Stream(run.path, run.reader)
            if before := self._separators.pop(run.path, None):
                stream.separator.go_on(before)
            self._separators[run.path] = stream.separator
            if len(self._separators) > MOST_FILES:
                del self._separators[next(iter(self._separators))]
        return stream

    def _waits_of(self, reader: str) -> Waits:
        if reader not in self._waits and len(self._waits) >= MOST_READERS:
            del self._waits[next(iter(self._waits))]
        return self._waits.setdefault(reader, Waits())

    def _grown(self, run: Run, first: int, count: int) -> None:
        """A file that is read beyond its end has grown."""
        size = self._files.size_of(run.path)
        last = first + run.stride * (count - 1) if run.stride > 0 else first
        if size is not None and 0 <= size < last + run.size:
            self._files.doubt(run.path)

    def _pass(self, run: Run, first: int, count: int, now_ns: int, waited_from_ns: int | None) -> None:
        """What these accesses reached is used, late, or gone."""
        if run.path not in self._board.ledger.files:
            return
        if abs(run.stride) < run.size + PAGE:
            last = first + (count - 1) * run.stride
            spans = [(max(min(first, last), 0), max(first, last) + run.size)]
        else:
            spans = [(first + step * run.stride, first + step * run.stride + run.size) for step in range(count)]
        for start, end in spans:
            low, high = start // PAGE * PAGE, -(-end // PAGE) * PAGE
            for one in self._board.ledger.pass_over(run.path, low, high, waited_from_ns):
                source = self._board.sources.get(one.owner)
                if source is None:
                    continue
                pace = source.pace
                smallest, largest = pace.limits()
                if one.ready_ns:
                    pace.window.used(now_ns, now_ns - one.ready_ns, pace.request_ns, smallest)
                else:
                    pace.window.late(now_ns, pace.request_ns, largest)
                self._board.wake(one.owner)

    def _move(self, run: Run, stream: Stream, dataset: Dataset, first: int, count: int, now_ns: int) -> None:
        """Move the heads of a stream; those that are believed become sources, those that are over end."""
        separator = stream.separator
        for track in separator.accesses(first, run.size, run.stride, count):
            head = stream.heads.get(id(track))
            if head is None:
                if track.policy is Policy.NONE:
                    continue
                head = self._head(run, stream, track, dataset)
            pace = head.pace
            pace.moved_ns, pace.lag_ns, pace.still = now_ns, stream.lag_ns, False
            smallest, largest = pace.limits()
            pace.window.target = max(pace.window.target, min(smallest, largest))
            if pace.acted and head.is_behind():
                pace.window.late(now_ns, pace.request_ns, largest)
            self._board.wake(head.name)
        alive = {id(track) for track in separator.tracks if separator.seen - track.seen <= STALE}
        for number in [one for one in stream.heads if one not in alive]:
            self._board.drop(stream.heads.pop(number).name)
        separator.tracks = [track for track in separator.tracks if id(track) in alive]
        if separator.is_random:
            self._random(run, stream, now_ns)

    def _head(self, run: Run, stream: Stream, track: Track, dataset: Dataset) -> HeadSource:
        stream.number += 1
        pace = Pace(Window(2 * max(dataset.block, track.size)), stream.waits)
        head = HeadSource(f"{run.stream}#{stream.number}", run.stream, run.path, track, pace)
        stream.heads[id(track)] = head
        self._board.add(head)
        return head

    def _random(self, run: Run, stream: Stream, now_ns: int) -> None:
        """Bring in the rest of a file that is read at random, if that is worth it and fits."""
        name, size = f"file {run.path}", self._files.size_of(run.path)
        if size is None:
            self.unsized[run.path] = None
        elif name not in self._board.sources and 0 < size <= min(
            self._guides.memory, SHARE * stream.separator.seen * run.size
        ):
            sequence = Sequence(Policy.RANDOM, f"random over {size} bytes, which fit the memory", trusted=True)
            sequence.extend([Entry(run.path)])
            pace = Pace(Window(0), stream.waits, moved_ns=now_ns)
            self._board.add(OrderSource(name, sequence, pace, unbounded=True))

    def _end(self, name: str) -> None:
        """A stream is over."""
        stream = self._streams.pop(name, None)
        if stream is None:
            return
        for head in stream.heads.values():
            self._board.drop(head.name)
        of_path = self._of_path.get(stream.path, set())
        of_path.discard(name)
        if not of_path:
            self._of_path.pop(stream.path, None)


def _waited_from_ns(begin_ns: int, latency_ns: int | None, count: int, dataset: Dataset) -> int | None:
    """Return since when a reader waited for the storage; None when its accesses, all together, did not take that long.

    Some mounts forget what is in memory of a file when it is opened again: what came there before is then gone, and
    only the waiting of its reader tells so.
    """
    if latency_ns is None or latency_ns < count * max(dataset.storage.request_ns // 2, WAITED_NS):
        return None
    return begin_ns


def _news(last: Run | None, run: Run) -> tuple[int, int, int | None, int]:
    """What a message tells beyond the last one: first new offset, accesses, their latency, and the time they took."""
    if (
        last is not None
        and (last.offset, last.size, last.start_ns) == (run.offset, run.size, run.start_ns)
        and last.count <= run.count
        and (last.stride == run.stride or last.count == 1)
    ):
        latency = None if run.latency_ns is None else run.latency_ns - (last.latency_ns or 0)
        return run.offset + last.count * run.stride, run.count - last.count, latency, run.end_ns - last.end_ns
    begin = last.end_ns if last is not None else run.start_ns
    return run.offset, run.count, run.latency_ns, run.end_ns - begin
