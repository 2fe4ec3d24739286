"""Block size and concurrency, tuned while a reader is helped."""

from __future__ import annotations

from dataclasses import replace

from stepwell.analysis.plans import Budget
from stepwell.analysis.thresholds import steer as limits
from stepwell.mounts import Mount, mount_of, mounts
from stepwell.prefetch import protocol
from stepwell.prefetch.protocol import Root
from stepwell.prefetch.tuning import Knobs, Range, Tuner


class Tuning:
    """Gives the tuner its windows: pieces of the turns with acting, whose score is what readers got a second.

    One mount is tuned, the one that answers slowest.

    Attributes:
        tuner: the search; None until the engine has told which block it begins with.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._window: tuple[int, int, int] | None = None
        self._mounts: list[Mount] = []
        self._mount: Mount | None = None
        self.tuner: Tuner | None = None

    @property
    def in_flight(self) -> int:
        """Requests at once that the search begins with: half of what may be, so that more and fewer can be tried."""
        return max(1, self._budget.in_flight // 2)

    def start(self, mount: protocol.Mount) -> None:
        """Begin to search, from the block that the engine chose for a storage."""
        start = Knobs(mount.block_bytes, self.in_flight)
        self._mounts = mounts()
        self._mount = mount_of(mount.root, self._mounts)
        self.tuner = Tuner(
            start,
            Range(
                min(limits.LEAST_BLOCK, start.block_bytes),
                max(limits.MOST_BLOCK, start.block_bytes),
                self._budget.in_flight,
                max(self._budget.memory_bytes, start.block_bytes * start.in_flight),
            ),
        )

    def set(self, root: Root) -> Root:
        """Return a dataset with the setting to use now; what its plan says stays."""
        knobs = self.tuner.knobs if self.tuner and self._is_tuned(root.path) else None
        return replace(
            root,
            block_bytes=root.block_bytes or (knobs.block_bytes if knobs else None),
            in_flight=root.in_flight or (knobs.in_flight if knobs else self.in_flight),
        )

    def found(self, directory: str) -> Knobs | None:
        """Return which setting was found to be better for a directory than the one at the start, if one was."""
        return self.tuner.found if self.tuner and self._is_tuned(directory) else None

    def _is_tuned(self, directory: str) -> bool:
        return mount_of(directory, self._mounts) == self._mount

    def step(self, now_ns: int, octets: int, waited_ns: int, *, acting: bool) -> bool:
        """Take in where readers are; return whether another setting is to be used from now on.

        Args:
            now_ns: nanoseconds since the trace's start.
            octets: bytes that readers got up to now.
            waited_ns: how long they waited for reads up to now.
            acting: whether the engine acts.
        """
        if self.tuner is None or not acting:
            self._window = None
            return False
        if self._window is None or now_ns <= self._window[0]:
            # What follows a rest is no fair measure: the first window begins a little later.
            begin_ns = self._window[0] if self._window else now_ns + limits.SETTLING_NS
            self._window = begin_ns, octets, waited_ns
            return False
        start_ns, before, waited_before = self._window
        length_ns = now_ns - start_ns
        if length_ns < limits.TUNING_NS:
            return False
        self._window = now_ns, octets, waited_ns
        knobs = self.tuner.knobs
        waited = min(1.0, (waited_ns - waited_before) / length_ns)
        return self.tuner.measured((octets - before) * limits.SECOND_NS / length_ns, waited) != knobs
