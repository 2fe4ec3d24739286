"""Follows readers: their accesses move heads, the files that they open move orders, and what they reached is used."""

from __future__ import annotations

from dataclasses import dataclass, field

from stepwell.prefetch.files import Files
from stepwell.prefetch.learning import SHARE, Learning
from stepwell.prefetch.ledger import Ledger, Range
from stepwell.prefetch.mounts import Storage
from stepwell.prefetch.orders import JUDGED, Sequence
from stepwell.prefetch.protocol import Close, Entry, Open, Policy, Run
from stepwell.prefetch.sources import HeadSource, OrderSource, Pace, Source
from stepwell.prefetch.streams import PAGE, Separator, Track
from stepwell.prefetch.windows import Waits, Window

STALE = 256
"""Accesses of the stream after which a head that did not move is over: sixteen turns of all heads."""

FIRST_WINDOW = 4
"""Requests that an order begins with; it doubles when readers come too soon."""

SET_EVERY = 16
"""Visits from one look at whether the rest of a set fits the memory to the next: the look goes over all files."""

LONGEST_LAG_NS = 1_000_000_000
"""Delay of observations that is reckoned with: more is a collector that stood still, not one that is slow."""


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
    lag_ns: int = 0
    number: int = 0


class Readers:
    """All readers of the roots, and everything that reads ahead of them."""

    def __init__(self, ledger: Ledger, files: Files) -> None:
        self.sources: dict[str, Source] = {}
        self.active: dict[str, None] = {}
        """Names of the sources that may have a next piece, in the order of their turns."""
        self.known: OrderSource | None = None
        self.listings: list[str] = []
        """Directories whose names are wanted."""
        self.unsized: list[str] = []
        """Files whose size is wanted."""
        self.abandoned: list[Range] = []
        """What is in memory for nothing."""
        self.seen_accesses = 0
        self.seen_bytes = 0
        self.memory = 0
        """Bytes that may be ahead."""
        self._ledger = ledger
        self._files = files
        self._streams: dict[str, Stream] = {}
        self._of_path: dict[str, set[str]] = {}
        self._openers: dict[str, set[str]] = {}
        self._told: set[str] = set()
        self._learning: dict[str, Learning] = {}
        self._epochs: dict[str, int] = {}
        self._waits: dict[str, Waits] = {}
        self._visits = 0

    # ---- messages ----

    def run(self, run: Run, storage: Storage, now_ns: int) -> None:
        """Take in accesses."""
        stream = self._stream(run, storage, now_ns)
        first, count, latency_ns, span_ns = _news(stream.last, run)
        stream.last = run
        if count:
            self._told.add(run.path)
            self.seen_accesses += count
            self.seen_bytes += count * run.size
            for waits in (stream.waits, self._waits.setdefault(run.reader, Waits())):
                waits.add(count, run.size, span_ns, latency_ns)
            lag = min(now_ns - run.end_ns + (now_ns - stream.told_ns if stream.told_ns else 0), LONGEST_LAG_NS)
            stream.lag_ns += (max(lag, 0) - stream.lag_ns) // 4
            stream.told_ns = now_ns
            size = self._files.size_of(run.path)
            if size is not None and 0 <= size < first + run.size + (run.stride * (count - 1) if run.stride > 0 else 0):
                self._files.doubt(run.path)
            self._pass(run, first, count, now_ns)
            self._move(run, stream, storage, first, count, now_ns)
            self._learn(run, storage, first, count, now_ns)
        if run.done:
            self._end(run.stream)

    def opened(self, message: Open, storage: Storage, now_ns: int) -> None:
        """A reader opened a file."""
        self._openers.setdefault(message.path, set()).add(message.reader)
        self._visit(message.path, message.reader, storage, now_ns)

    def closed(self, message: Close) -> None:
        """A reader closed a file: unless others have it open, what is left of it was for nothing."""
        openers = self._openers.get(message.path, set())
        openers.discard(message.reader)
        if openers:
            return
        self._openers.pop(message.path, None)
        for name in list(self._of_path.get(message.path, ())):
            self._end(name)
        if self.known and len(self.known.sequence.places.get(message.path, ())) > 1:
            return
        # Where no access was told, nobody can know better than that an open file was read.
        told = message.path in self._told
        self._told.discard(message.path)
        self.abandoned += self._abandon(self._ledger.of_file(message.path), used=not told)
        self._drop_source(f"file {message.path}")
        for source in self.sources.values():
            if isinstance(source, OrderSource):
                source.leave(message.path)

    def order(self, entries: list[Entry]) -> None:
        """Append to the known order."""
        if self.known is None:
            sequence = Sequence(Policy.ORDER, "the order was given", trusted=True)
            self.known = OrderSource("order", sequence, self._pace(Waits()), unbounded=True)
            self.sources["order"] = self.known
        self.known.sequence.extend(entries)
        self.active["order"] = None

    def position(self, index: int) -> None:
        """So many steps of the known order are over."""
        if self.known is None:
            return
        self._leave_out(self.known.sequence.advance(index))
        self.active["order"] = None

    def listed(self, path: str, names: list[str], root: str) -> None:
        """Take in the names of a directory."""
        self._learning.setdefault(root, Learning()).listed(path, names)

    def give_up(self, now_ns: int, stopped_ns: int) -> None:
        """What lies ready for heads that did not move for so long was for nothing, if others move: they need room."""
        still = [
            source
            for source in self.sources.values()
            if isinstance(source, HeadSource) and now_ns - source.pace.moved_ns > stopped_ns
        ]
        if len(still) == len(self.sources):
            return
        for source in still:
            source.pace.still = True
            left = [one for one in self._ledger.of_file(source.path) if one.owner == source.name and one.ready_ns]
            self.abandoned += self._abandon(left, used=False)

    # ---- accesses ----

    def _stream(self, run: Run, storage: Storage, now_ns: int) -> Stream:
        stream = self._streams.get(run.stream)
        if stream is not None and stream.path != run.path:
            self._end(run.stream)
            stream = None
        if stream is None:
            known = self._of_path.setdefault(run.path, set())
            if not known and run.path not in self._openers:
                self._visit(run.path, run.reader, storage, now_ns)
            known.add(run.stream)
            stream = self._streams[run.stream] = Stream(run.path, run.reader)
        return stream

    def _pass(self, run: Run, first: int, count: int, now_ns: int) -> None:
        """What these accesses reached is used, or late."""
        if run.path not in self._ledger.files:
            return
        if abs(run.stride) < run.size + PAGE:
            spans = [_span(run, first, count)]
        else:
            spans = [(first + step * run.stride, first + step * run.stride + run.size) for step in range(count)]
        for start, end in spans:
            for one in self._ledger.pass_over(run.path, start // PAGE * PAGE, -(-end // PAGE) * PAGE):
                source = self.sources.get(one.owner)
                if source is None:
                    continue
                pace = source.pace
                smallest, largest = pace.limits()
                if one.ready_ns:
                    pace.window.used(now_ns, now_ns - one.ready_ns, pace.request_ns, smallest)
                else:
                    pace.window.late(now_ns, pace.request_ns, largest)
                self.active[one.owner] = None

    def _move(self, run: Run, stream: Stream, storage: Storage, first: int, count: int, now_ns: int) -> None:
        """Move the heads of a stream; those that are believed become sources, those that are over end."""
        separator = stream.separator
        for track, _, _ in separator.accesses(first, run.size, run.stride, count):
            head = stream.heads.get(id(track))
            if head is None:
                if track.policy is Policy.NONE:
                    continue
                head = self._head(run, stream, track, storage)
            pace = head.pace
            pace.moved_ns, pace.lag_ns, pace.still = now_ns, stream.lag_ns, False
            smallest, largest = pace.limits()
            pace.window.target = max(pace.window.target, min(smallest, largest))
            if pace.acted and head.policy is Policy.SEQUENTIAL and head.cursor < track.position:
                pace.window.late(now_ns, pace.request_ns, largest)
            self.active[head.name] = None
        alive = {id(track) for track in separator.tracks if separator.seen - track.seen <= STALE}
        for number in [one for one in stream.heads if one not in alive]:
            self._end_head(stream.heads.pop(number))
        separator.tracks = [track for track in separator.tracks if id(track) in alive]
        if separator.is_random:
            self._random(run, stream)

    def _head(self, run: Run, stream: Stream, track: Track, storage: Storage) -> HeadSource:
        stream.number += 1
        name = f"{run.stream}#{stream.number}"
        pace = self._pace(stream.waits)
        pace.window.target = 2 * max(storage.block, track.size)
        head = HeadSource(name, run.stream, run.path, track, pace)
        stream.heads[id(track)] = head
        self.sources[name] = head
        return head

    def _random(self, run: Run, stream: Stream) -> None:
        """Bring in the rest of a file that is read at random, if that is worth it and fits."""
        name, size = f"file {run.path}", self._files.size_of(run.path)
        if size is None:
            self.unsized.append(run.path)
        elif name not in self.sources and 0 < size <= min(self.memory, SHARE * stream.separator.seen * run.size):
            sequence = Sequence(Policy.RANDOM, f"random over {size} bytes, which fit the memory", trusted=True)
            sequence.extend([Entry(run.path)])
            self.sources[name] = OrderSource(name, sequence, self._pace(stream.waits), unbounded=True)
            self.active[name] = None

    # ---- files ----

    def _visit(self, path: str, reader: str, storage: Storage, now_ns: int) -> None:
        """A reader came to a file."""
        if self._files.size_of(path) == 0:
            self._files.doubt(path)
        root = storage.root.path
        learning = self._learning.setdefault(root, Learning())
        self.listings += learning.visit(path)
        self._visits += 1
        for name in _guides(root):
            source = self.sources.get(name)
            if isinstance(source, OrderSource):
                self._follow(source, path, now_ns)
        if self.known:
            if len(self.known.sequence.places.get(path, ())) <= 1:
                self._follow(self.known, path, now_ns)
            if self.known.sequence.follows:
                return
        self._guess(path, reader, learning, storage)

    def _follow(
        self, source: OrderSource, path: str, now_ns: int, start: int | None = None, end: int = 0
    ) -> Entry | None:
        """Move an order by a visit; return the step that it took, None when it took none of those expected."""
        step = source.sequence.visit(path, start, end)
        if step is None:
            return None
        source.visits += 1
        left_out, source.sequence.left_out = source.sequence.left_out, []
        self._leave_out(left_out)
        source.pace.moved_ns = now_ns
        if any(not one.ready_ns for one in self._ledger.of_file(path)) or step >= source.sequence.asked:
            source.pace.window.late(now_ns, source.pace.request_ns, source.pace.limits()[1])
        self.active[source.name] = None
        return source.sequence.entries[step]

    def _leave_out(self, entries: list[Entry]) -> None:
        """Readers are past these steps; that they took them was only not seen where no access is told at all."""
        for entry in entries:
            end = entry.offset + entry.size if entry.size is not None else 1 << 62
            left = [one for one in self._ledger.of_file(entry.path) if one.start < end and entry.offset < one.end]
            self.abandoned += self._abandon(left, used=not self.seen_accesses)

    def _guess(self, path: str, reader: str, learning: Learning, storage: Storage) -> None:
        """Begin orders that are seen, end those that are not followed."""
        root, waits = storage.root.path, self._waits.setdefault(reader, Waits())
        epoch, folder, rest = _guides(root)
        if self._epochs.get(root, 1) != learning.epoch:
            self._epochs[root] = learning.epoch
            self._drop_source(epoch)
            self._drop_source(rest)
            self._guide(epoch, learning.last_epoch(), waits, storage)
        for name in (epoch, folder, rest):
            source = self.sources.get(name)
            if not isinstance(source, OrderSource):
                continue
            # Too short to tell is not wrong; the order of an epoch may also be found later in it.
            judged = len(source.sequence.recent) == JUDGED or name != epoch
            over = name != epoch and source.sequence.next_step() is None and name not in self._ledger.owners
            if over or (judged and source.sequence.diverged):
                self._drop_source(name)
        guide = self.sources.get(epoch)
        if isinstance(guide, OrderSource) and guide.sequence.follows:
            return
        if folder not in self.sources:
            self._guide(folder, learning.directory_order(path), waits, storage)
        if f"file {path}" not in self.sources:
            self._guide(f"file {path}", learning.whole_file(path, storage.block), waits, storage)
        if folder not in self.sources and rest not in self.sources and self._visits % SET_EVERY == 0:
            found = learning.rest_of_set(path, self._files.sizes, self.memory)
            self._guide(rest, found, waits, storage, unbounded=True)

    def _guide(
        self, name: str, sequence: Sequence | None, waits: Waits, storage: Storage, *, unbounded: bool = False
    ) -> None:
        if sequence is None or not sequence.entries:
            return
        pace = self._pace(waits)
        pace.window.target = FIRST_WINDOW * storage.block
        self.sources[name] = OrderSource(name, sequence, pace, unbounded)
        self.active[name] = None

    def _learn(self, run: Run, storage: Storage, first: int, count: int, now_ns: int) -> None:
        start, end = _span(run, first, count)
        self._learning.setdefault(storage.root.path, Learning()).read(run.path, start, end, count * run.size)
        if self.known and len(self.known.sequence.places.get(run.path, ())) > 1:
            for step in range(count):
                offset = first + step * run.stride
                end = offset + run.size
                # One access may take several steps.
                while (entry := self._follow(self.known, run.path, now_ns, offset, end)) is not None:
                    offset = entry.offset + (entry.size if entry.size is not None else end)
                    if offset >= end:
                        break

    # ---- ends ----

    def _end(self, name: str) -> None:
        """A stream is over."""
        stream = self._streams.pop(name, None)
        if stream is None:
            return
        for head in stream.heads.values():
            self._end_head(head)
        of_path = self._of_path.get(stream.path, set())
        of_path.discard(name)
        if not of_path:
            self._of_path.pop(stream.path, None)

    def _end_head(self, head: HeadSource) -> None:
        self._drop_source(head.name, head.path)

    def _drop_source(self, name: str, path: str = "") -> None:
        """End a source; what it brought in, or asked for, has no reader any more."""
        self.active.pop(name, None)
        if self.sources.pop(name, None) is None or name not in self._ledger.owners:
            return
        files = [path] if path else list(self._ledger.files)
        left = [one for file in files for one in self._ledger.of_file(file) if one.owner == name]
        self.abandoned += self._abandon(left, used=False)

    def _abandon(self, ranges: list[Range], *, used: bool) -> list[Range]:
        ready = self._ledger.abandon(ranges, used=used)
        return [] if used else ready

    @staticmethod
    def _pace(waits: Waits) -> Pace:
        return Pace(Window(0), waits, block=0, in_flight=0)


def _guides(root: str) -> tuple[str, str, str]:
    """Names of the orders that are guessed for a root: of the last epoch, of a directory, the rest of a set."""
    return f"epoch {root}", f"directory {root}", f"set {root}"


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


def _span(run: Run, first: int, count: int) -> tuple[int, int]:
    """First byte, and one behind the last, of the new accesses of a run."""
    other = first + (count - 1) * run.stride
    return max(min(first, other), 0), max(first, other) + run.size
