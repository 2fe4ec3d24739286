"""Carries a schedule out and says how it went."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable

import numpy as np

from stepwell.replay.errors import ReplayError
from stepwell.replay.files import Files
from stepwell.replay.model import Late, Operation, Replay
from stepwell.replay.native import library
from stepwell.replay.schedule import Schedule
from stepwell.replay.selection import Selection
from stepwell.replay.times import side
from stepwell.trace.definition import Op

LATE_NS = 1_000_000
"""From which delay on, in nanoseconds, a start counts as late: above what a scheduler alone adds."""

_TICK_MS = 100


def replay(
    selection: Selection,
    plan: Schedule,
    files: Files,
    *,
    pace: float,
    progress: Callable[[int], None],
) -> Replay:
    """Issue all accesses of a schedule; Ctrl-C ends it with what was done.

    Args:
        selection: what the schedule was made from.
        plan: the schedule; it can be carried out once.
        files: the files to read.
        pace: recorded time over replayed time; 0 is as fast as possible.
        progress: told ten times a second how many accesses were issued.

    Raises:
        ReplayError: so many threads or so much memory are not to be had.
    """
    _allow_many_files()
    try:
        running = library.Replay(plan.steps, plan.targets, plan.paths, plan.readers, files.directory, pace, LATE_NS)
    except OSError as error:
        raise ReplayError(
            f"cannot start {int(plan.readers['workers'].sum())} threads: {error.strerror}; "
            "allow more with ulimit -u, or replay a smaller trace"
        ) from error
    try:
        while not running.wait(_TICK_MS):
            progress(running.done)
    except KeyboardInterrupt:
        running.stop()
    return _result(selection, plan, files, pace, running.end())


def _allow_many_files() -> None:
    """Raise the limit of open files as far as it may be: a trace can hold as many open as its program could."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _result(selection: Selection, plan: Schedule, files: Files, pace: float, outcome: np.void) -> Replay:
    operations = []
    for op in Op:
        tally = outcome["ops"][op]
        recorded = plan.recorded.side(op)
        if recorded.accesses:
            replayed = side(
                int(tally["accesses"]), int(tally["bytes"]), int(tally["latency_ns"]), int(tally["latency_max_ns"]),
                tally["histogram"],
            )  # fmt: skip
            operations.append(Operation(op.name.lower(), recorded, replayed, int(tally["other_size"])))
    errors = {errno.errorcode.get(code, str(code)): int(count) for code, count in enumerate(outcome["errors"]) if count}
    issued = sum(one.replayed.accesses for one in operations) + sum(errors.values())
    return Replay(
        trace=selection.trace,
        directory=os.fspath(files.path),
        root=selection.root,
        speed=pace,
        status="complete" if issued == plan.accesses else "interrupted",
        threads=len(plan.readers),
        workers=int(plan.readers["workers"].sum()),
        files=len(selection.sizes),
        planned=plan.accesses,
        issued=issued,
        recorded_ns=plan.recorded.end_ns - plan.recorded.begin_ns,
        replayed_ns=int(outcome["elapsed_ns"]),
        recorded_stall_ns=sum(one.recorded.latency_ns for one in operations),
        replayed_stall_ns=sum(one.replayed.latency_ns for one in operations),
        late=Late(int(outcome["late"]), int(outcome["late_ns"]) // max(issued, 1), int(outcome["late_max_ns"])),
        operations=tuple(operations),
        errors=errors,
        undirect=int(outcome["undirect"]),
        smaller_files=files.smaller,
        left_out=selection.left_out,
    )
