"""One recording: programs loaded and attached, a native thread that drains, and a clean end."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stepwell.collectors.ebpf.coverage import Feature
from stepwell.collectors.ebpf.privileges import refusal
from stepwell.collectors.ebpf.scope import Scope, kernel_filter
from stepwell.collectors.native.library import CALL, ERROR_BYTES, MOST_CALLS, Counted, Options, Totals, library
from stepwell.trace.definition import FORMAT_VERSION, RUN
from stepwell.trace.errors import StepwellError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

    import numpy as np

OBJECT = Path(__file__).parent / "access.bpf.o"
"""The compiled programs; one file for all kernels."""

RING_BYTES = 32 << 20
"""Ring buffer, in bytes: at 700,000 random accesses/s about 0.7 s pass before it is full."""

HEADS = 65_536
"""Open runs kept in the kernel at once; beyond that accesses are sent one by one, which is counted."""

OPENS = 262_144
"""Open files that the kernel side knows at once; accesses to further ones are lost, which is counted."""

AGE_NS = 10_000_000_000
"""A run is sent at the latest this long after it began or was last continued: bounds what a crash can lose."""


END_BYTES = 65_536
"""Room that is kept on the disk for the end of the trace, which says what was lost."""


class CollectorError(StepwellError):
    """The kernel or the user's rights do not allow recording."""

    exit_code = 3


@dataclass(frozen=True)
class Counters:
    """What was seen and lost until now."""

    accesses: int
    bytes: int
    runs: int
    """Runs that were sent; those still open are not among them."""
    open_files: int
    """Open files that the kernel side knows at the moment, some of which may be closed."""
    losses: dict[str, int]
    """What was lost, by hop; in accesses, `threads` and what ends in `records` in those. Only what is not 0."""
    degraded: dict[str, int]
    """What was kept at a higher cost or with less certainty. Only what is not 0."""

    @property
    def lost(self) -> int:
        """Return the sum of all losses."""
        return sum(self.losses.values())


LOSSES = {
    "ring": "lost_ring",
    "records": "lost_records",
    "threads": "lost_threads",
    "opens": "lost_opens",
    "vectors": "lost_vector",
    "recursion": "lost_recursion",
    "spool": "lost_spool",
    "spool_records": "lost_spool_records",
    "compat": "compat",
    "unmapped": "unmapped",
    "unmatched": "unmatched",
}
"""The hops where something can be lost, and the native library's counter of each."""

DEGRADED = {"uncoalesced": "uncoalesced", "estimated_offset": "estimated"}
"""What can be kept at a higher cost or with less certainty, and its counter."""


def counters(totals: Totals) -> Counters:
    """Return the library's totals under their public names."""
    return Counters(
        accesses=totals.accesses,
        bytes=totals.bytes,
        runs=totals.runs,
        open_files=totals.open_files,
        losses={hop: count for hop, name in LOSSES.items() if (count := getattr(totals, name))},
        degraded={what: count for what, name in DEGRADED.items() if (count := getattr(totals, name))},
    )


def _counted(names: dict[str, str]) -> ctypes.Array[Counted]:
    """Return the counters for the library, which writes the end of a trace even when this process was killed."""
    places = [Counted(public.encode(), getattr(Totals, name).offset) for public, name in names.items()]
    return (Counted * len(places))(*places)


class Collector:
    """A recording by eBPF programs into a spool file.

    A context manager: leaving it detaches and frees everything. The kernel does the same when the process dies, in
    whatever way, because nothing is pinned. A second process, the keeper, then ends the trace in its place.
    """

    def __init__(self, scope: Scope, spool: Path) -> None:
        """Create the spool file and load the programs.

        Raises:
            CollectorError: the kernel or the user's rights do not allow it.
            ScopeError: what to record cannot be named to the kernel.
        """
        self._handle = ctypes.c_void_p()
        self._error = ctypes.create_string_buffer(ERROR_BYTES)
        self._runs: np.ndarray[Any, np.dtype[np.void]] | None = None  # room for `open_runs`
        wanted = kernel_filter(scope)
        self._reserve = _reserve(spool.parent)
        try:
            self._spool = _create_spool(spool)
        except OSError:
            self._reserve.close()
            raise
        pids = (ctypes.c_uint32 * len(scope.pids))(*scope.pids)
        self._names = _counted(LOSSES), _counted(DEGRADED)
        options = Options(
            object=os.fsencode(OBJECT),
            under=os.fsencode(scope.under) if scope.under else None,
            spool=self._spool,
            reserve=self._reserve.fileno(),
            ring_bytes=RING_BYTES,
            heads=HEADS,
            opens=OPENS,
            target_count=len(pids),
            targets=pids,
            age_ns=AGE_NS,
            losses=self._names[0],
            degraded=self._names[1],
            loss_count=len(LOSSES),
            degraded_count=len(DEGRADED),
            filter=wanted,
        )
        try:
            self._check(_load().sw_collector_open(options, ctypes.byref(self._handle), self._error))
        except BaseException:
            self._close()
            spool.unlink(missing_ok=True)
            raise
        self.features = Feature(_load().sw_collector_features(self._handle))

    def start(self) -> None:
        """Attach the programs and begin to drain; after it returns every access in scope is seen.

        Raises:
            CollectorError: the kernel refuses.
        """
        self._check(_load().sw_collector_start(self._handle, self._error))

    def counters(self) -> Counters:
        """Return what was seen and lost until now; cheap enough for ten times a second."""
        totals = Totals()
        _load().sw_collector_totals(self._handle, ctypes.byref(totals))
        return counters(totals)

    def open_runs(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the runs that are open in the kernel now, of RUN's numpy type, without stopping them."""
        # A recording that nobody looks at does not wait for numpy.
        import numpy as np

        from stepwell.trace.layout import DTYPES

        if self._runs is None:
            self._runs = np.empty(HEADS, DTYPES[RUN.kind])
        count = _load().sw_collector_open_runs(self._handle, self._runs.ctypes.data, len(self._runs))
        return self._runs[:count].copy()

    def calls(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the calls under way now that read a mebibyte or more: what they read is no run until they end.

        Members: `start_ns`, `open`, `offset`, `bytes` (asked for), `thread` and `op`, as those of records.
        """
        import numpy as np

        found = np.empty(MOST_CALLS, CALL)
        return found[: _load().sw_collector_calls(self._handle, found.ctypes.data)]

    def catch_up(self) -> None:
        """Bring all that was sent until now into the spool file, which else takes up to 50 ms."""
        _load().sw_collector_catch_up(self._handle)

    def meta(self, values: dict[str, Any]) -> None:
        """Append facts about the trace to the spool file.

        Raises:
            OSError: they cannot be written.
        """
        text = json.dumps(values).encode()
        code = _load().sw_collector_meta(self._handle, text, len(text))
        if code:
            raise OSError(-code, os.strerror(-code))

    def stop(self, values: dict[str, Any]) -> None:
        """Detach, end all open runs, drain, and write the end of the trace; the spool file is closed and unlocked.

        Args:
            values: facts about how the recording ended.

        Raises:
            CollectorError: the threads still running could not be listed, or the end could not be written; everything
                else is in the file.
        """
        facts = json.dumps(values)[1:-1].encode()
        code = _load().sw_collector_stop(self._handle, facts, self._error)
        self._close()
        self._check(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _check(self, code: int) -> None:
        if code:
            raise CollectorError(refusal(-code, os.fsdecode(self._error.value)))

    def _close(self) -> None:
        if self._handle:
            _load().sw_collector_free(self._handle)
            self._handle = ctypes.c_void_p()
        self._reserve.close()
        if self._spool >= 0:
            os.close(self._spool)
            self._spool = -1


def _reserve(directory: Path) -> BinaryIO:
    """Return a nameless file that takes the room for the trace's end, so that a full disk leaves it."""
    directory.mkdir(parents=True, exist_ok=True)
    reserve = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 -- the collector closes it
    try:
        os.posix_fallocate(reserve.fileno(), 0, END_BYTES)
    except OSError:
        reserve.close()
        raise
    return reserve


def _load() -> ctypes.CDLL:
    try:
        return library()
    except OSError as error:
        raise CollectorError(
            f"the native library cannot be loaded: {error}. Install libelf (Debian: libelf1)."
        ) from error


def _create_spool(path: Path) -> int:
    """Create the spool file, locked against being taken for a left-over one, and write its header."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.write(descriptor, struct.pack("<8sII", b"STEPWELL", FORMAT_VERSION, 0)) != 16:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor
