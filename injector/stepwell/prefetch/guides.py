"""Orders of files that readers are expected to take: the given one, and those that are learnt from their visits."""

from __future__ import annotations

from collections.abc import Iterable

from stepwell.prefetch.board import Board
from stepwell.prefetch.directory import Names
from stepwell.prefetch.files import Files
from stepwell.prefetch.learning import SHARE, Learning
from stepwell.prefetch.order_source import OrderSource
from stepwell.prefetch.orders import JUDGED, Sequence
from stepwell.prefetch.pace import Pace
from stepwell.prefetch.protocol import Asked, Close, Entry, Policy, Run
from stepwell.prefetch.roots import Dataset
from stepwell.prefetch.windows import Waits, Window

FIRST_WINDOW = 4
"""Requests that an order begins with; it doubles when readers come too soon."""

WAITED_FOR = 0.5
"""Share of the memory that may lie ready for steps that others went past: the rest is for what comes next."""

SET_MEMORY = 0.75
"""Share of the memory that a set takes: what follows a pattern needs little, but at once."""

SWEEP_EVERY = 64
"""Visits from one look for orders that are over to the next."""


class Guides:
    """The given order, and for each storage those that are guessed."""

    def __init__(self, board: Board, files: Files) -> None:
        self.known: OrderSource | None = None
        self.listings: list[str] = []
        """Directories whose names are wanted."""
        self.memory = 0
        """Bytes that may be ahead."""
        self.told = False
        """Whether any access was told: if not, only opens are known, and a file that is open counts as read."""
        self._board = board
        self._files = files
        self._learning: dict[str, Learning] = {}
        self._windows: dict[str, Window] = {}
        """Of the latest order of a directory, by storage: the next one begins as far ahead."""
        self._latest: dict[str, tuple[Waits, Dataset, int]] = {}
        """Of the latest visit, by storage: how long its reader waits, where it was, and when."""
        self._came: dict[str, int] = {}
        """Directories that readers had come to when the ones ahead were looked at last, by storage."""
        self._epochs: dict[str, int] = {}
        self._unread: set[str] = set()
        """Files of the given order that were opened and come again in it, until something of them is read."""
        self._visits = 0

    # ---- the given order ----

    def order(self, entries: Iterable[Entry]) -> None:
        """Append to the given order."""
        if self.known is None:
            sequence = Sequence(Policy.ORDER, "the order was given", trusted=True)
            self.known = OrderSource("order", sequence, Pace(Window(0), Waits()), unbounded=True)
            self._board.add(self.known)
        self.known.sequence.extend(entries)
        self._board.wake("order")

    def position(self, index: int) -> None:
        """So many steps of the given order are over."""
        if self.known:
            self._leave_out(self.known.sequence, self.known.sequence.advance(index))
            self._board.wake("order")

    def gap(self, steps: int) -> None:
        """So many of the next steps of the given order are left to readers."""
        if self.known:
            self.known.leave_gap(steps)

    def close_gap(self) -> None:
        """What is left of them is left to readers no more, if one of these has come to them."""
        if self.known and self.known.left() < len(self.known.gap):
            self.known.close_gap()
            self._board.wake("order")

    def progress(self) -> tuple[int, int]:
        """Return how many steps of the given order are over, and how many are known."""
        return (self.known.sequence.position, len(self.known.sequence.entries)) if self.known else (0, 0)

    def _comes_again(self, path: str) -> bool:
        return self.known is not None and len(self.known.sequence.places.get(path, ())) > 1

    def has_parts(self, path: str) -> bool:
        """Whether the given order comes to parts of a file: then opens do not tell which step is meant."""
        if self.known is None or not self._comes_again(path):
            return False
        sequence = self.known.sequence
        return any(sequence.entries[place].size is not None for place in sequence.places[path])

    # ---- what readers do ----

    def visit(self, path: str, reader: str, waits: Waits, dataset: Dataset, now_ns: int) -> None:
        """A reader came to a file."""
        if self._files.size_of(path) == 0:
            self._files.doubt(path)
        learning = self._of(dataset)
        self.listings += learning.visit(path, reader)
        self._visits += 1
        for name in _names(path, dataset):
            source = self._board.sources.get(name)
            if isinstance(source, OrderSource):
                self._follow(source, path, reader, now_ns)
        if self._visits % SWEEP_EVERY == 0:
            self._sweep()
        if self.known:
            # A file that is opened without being read does not come again for that.
            if self.told and self._comes_again(path):
                self._unread.add(path)
            elif not self.has_parts(path):
                self._follow(self.known, path, reader, now_ns)
            if self.known.sequence.follows and path in self.known.sequence.places:
                return
        self._guess(path, waits, learning, dataset, now_ns)

    def asked(self, message: Asked, waits: Waits, now_ns: int) -> None:
        """A reader is in a call that asks for a range: all of it is needed at once, in this order."""
        name, entry = f"calls {message.path}", Entry(message.path, message.offset, message.size)
        source = self._board.sources.get(name)
        if not isinstance(source, OrderSource):
            calls = Sequence(Policy.SEQUENTIAL, "a call that asks for it is under way", trusted=True)
            source = OrderSource(name, calls, Pace(Window(0), waits), unbounded=True)
            self._board.add(source)
        sequence = source.sequence
        if entry not in sequence.entries[sequence.position :]:
            sequence.extend([entry])
        source.pace.moved_ns = now_ns
        self._board.wake(name)  # it may have been left to its mount's client

    def read(self, run: Run, first: int, count: int, dataset: Dataset, now_ns: int) -> None:
        """A reader made accesses.

        Args:
            run: all of them up to now.
            first: where those begin that were not told before.
            count: how many these are.
            dataset: where the file lies.
            now_ns: the caller's clock.
        """
        self.told = True
        path, size, stride = run.path, run.size, run.stride
        last = first + (count - 1) * stride
        self._of(dataset).read(path, min(first, last), max(first, last) + size, count * size)
        if self.known and path in self._unread and not self.has_parts(path):
            self._follow(self.known, path, run.reader, now_ns)
        self._unread.discard(path)
        if self.known and self.has_parts(path):
            for step in range(count):
                offset, end = first + step * stride, first + step * stride + size
                # One access may take several steps.
                while offset < end and (entry := self._follow(self.known, path, run.reader, now_ns, offset, end)):
                    offset = end if entry.size is None else entry.offset + entry.size
        calls = self._board.sources.get(f"calls {path}")
        if isinstance(calls, OrderSource):
            for start in range(first, first + count * stride, stride) if stride else (first,):
                self._follow(calls, path, run.reader, now_ns, start, start + size)
            if calls.sequence.position == len(calls.sequence.entries):
                self._board.drop(calls.name)

    def closed(self, message: Close, now_ns: int) -> None:
        """The last reader of a file closed it: what is left of its step is no longer asked for."""
        path = message.path
        if self.known and message.untold and path in self._unread:
            self._follow(self.known, path, message.reader, now_ns)
        self._unread.discard(path)
        for learning in self._learning.values():
            learning.closed(path)
        self._board.drop(f"file {path}")
        for source in self._board.sources.values():
            if isinstance(source, OrderSource):
                source.leave(path)

    def listed(self, path: str, names: Names, dataset: Dataset) -> None:
        """Take in what is in a directory."""
        self._of(dataset).listed(path, names)
        if latest := self._latest.get(dataset.storage.name):
            self._foresee(*latest)

    # ---- parts ----

    def _of(self, dataset: Dataset) -> Learning:
        return self._learning.setdefault(dataset.storage.name, Learning())

    def _follow(
        self, source: OrderSource, path: str, reader: str, now_ns: int, start: int | None = None, end: int = 0
    ) -> Entry | None:
        """Move an order by a visit; return the step that it took, None when it took none of those expected."""
        sequence, pace = source.sequence, source.pace
        step = sequence.visit(path, reader, now_ns, start, end)
        if step is None:
            return None
        if sequence.waited_for() * self._board.ledger.owners.get(source.name, 0) > self.memory * WAITED_FOR:
            sequence.hurry()
        source.took()
        pace.moved_ns, pace.still = now_ns, False
        left_out, sequence.left_out = sequence.left_out, []
        self._leave_out(sequence, left_out)
        if step >= sequence.asked or any(not one.ready_ns for one in self._board.ledger.of_file(path)):
            pace.window.late(now_ns, pace.request_ns, pace.limits()[1])
        self._board.wake(source.name)
        return sequence.entries[step]

    def _leave_out(self, sequence: Sequence, entries: list[Entry]) -> None:
        """Readers are past these steps; that they took them was only not seen where no access is told at all."""
        for entry in entries:
            if any(sequence.position <= step < sequence.asked for step in sequence.places[entry.path]):
                continue  # it comes again, and has been brought in for that, too
            end = entry.offset + entry.size if entry.size is not None else 1 << 62
            ranges = self._board.ledger.of_file(entry.path)
            left = [one for one in ranges if one.start < end and entry.offset < one.end]
            self._board.abandon(left, used=not self.told)

    def _guess(self, path: str, waits: Waits, learning: Learning, dataset: Dataset, now_ns: int) -> None:
        """Begin orders that are seen, end those that are not followed."""
        sources, storage = self._board.sources, dataset.storage.name
        epoch, folder, rest = _names(path, dataset)
        if self._epochs.get(storage, 1) != learning.epoch:
            self._epochs[storage] = learning.epoch
            self._board.drop(epoch)
            self._board.drop(rest)
            self._begin(epoch, learning.last_epoch(), waits, dataset, now_ns)
        for name in (epoch, folder, rest):
            source = sources.get(name)
            if not isinstance(source, OrderSource):
                continue
            # Too short to tell is not wrong; the order of an epoch may also be found later in it.
            judged = len(source.sequence.recent) == JUDGED or name != epoch
            if (judged and source.sequence.diverged) or (name != epoch and self._is_over(source)):
                self._board.drop(name)
        guide = sources.get(epoch)
        if isinstance(guide, OrderSource) and guide.sequence.follows:
            return
        self._latest[storage] = waits, dataset, now_ns
        if self._came.get(storage) != learning.tree.came:
            self._came[storage] = learning.tree.came
            self._foresee(waits, dataset, now_ns)
        if folder not in sources:
            self._begin(folder, learning.directory_order(path), waits, dataset, now_ns)
        if f"file {path}" not in sources:
            self._begin(f"file {path}", learning.whole_file(path, dataset.block), waits, dataset, now_ns)
        if folder not in sources and rest not in sources and learning.is_due():
            self._begin(rest, learning.rest_of_set(path, self._files.sizes, self.memory), waits, dataset, now_ns)

    def _foresee(self, waits: Waits, dataset: Dataset, now_ns: int) -> None:
        """Bring in directories that readers come to next, and give up those that they did not come to."""
        learning = self._of(dataset)
        for directory in learning.tree.missed():
            self._board.drop(f"directory {directory}")
        found, unlisted = learning.tree.ahead(dataset.root.path)
        self.listings += unlisted
        for directory in found:
            self._begin(f"directory {directory}", learning.foreseen(directory), waits, dataset, now_ns)

    def _begin(self, name: str, sequence: Sequence | None, waits: Waits, dataset: Dataset, now_ns: int) -> None:
        if sequence is not None and sequence.entries:
            window = Window(FIRST_WINDOW * dataset.block)
            if sequence.policy is Policy.DIRECTORY:
                before = self._windows.get(dataset.storage.name, window)
                window.target = max(window.target, before.target)
                self._windows[dataset.storage.name] = window
            pace = Pace(window, waits, moved_ns=now_ns)
            # A set comes in no order, so that nothing of it is nearer than the rest.
            if sequence.policy is Policy.RANDOM:
                most = int(self.memory * SET_MEMORY)
                self._board.add(OrderSource(name, sequence, pace, unbounded=True, share=SHARE, most=most))
            else:
                self._board.add(OrderSource(name, sequence, pace, unbounded=False))

    def _sweep(self) -> None:
        """Forget orders that were guessed and are over."""
        orders = [source for source in self._board.sources.values() if isinstance(source, OrderSource)]
        for source in orders:
            if source.policy not in (Policy.ORDER, Policy.EPOCH) and self._is_over(source):
                self._board.drop(source.name)

    def _is_over(self, source: OrderSource) -> bool:
        left = source.begun or source.name in self._board.ledger.owners
        return not left and source.sequence.next_step() is None


def _names(path: str, dataset: Dataset) -> tuple[str, str, str]:
    """Names of the orders in which a file may stand: of the last epoch, of its directory, the rest of a set."""
    return f"epoch {dataset.storage.name}", f"directory {path.rpartition('/')[0]}", f"set {dataset.storage.name}"
