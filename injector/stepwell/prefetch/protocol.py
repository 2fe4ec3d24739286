"""What the engine is told, and what it answers: one JSON object a line (PROTOCOL.md).

The classes are the messages; `codec` makes lines of them.  Paths are absolute; bytes that are no UTF-8
travel as the surrogates of `os.fsdecode`.  Times are nanoseconds of CLOCK_MONOTONIC (`time.monotonic_ns`), which
is also the clock of the traces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

VERSION = 1
"""Raised when a message changes so that an older side would misunderstand it; new optional fields do not raise it."""


class Policy(StrEnum):
    """How a head reads ahead; plans and status lines use the same words."""

    NONE = "none"
    SEQUENTIAL = "sequential"
    BACKWARD = "backward"
    STRIDED = "strided"
    RANDOM = "random"
    WHOLE_FILE = "whole-file"
    DIRECTORY = "directory"
    EPOCH = "epoch"
    ORDER = "order"


# ---- to the engine ----


@dataclass(frozen=True)
class Root:
    """A dataset in which the engine may read, with its plan; told again, it changes the plan."""

    path: Annotated[str, "its directory; nothing outside is read, and no symbolic link is followed below it"]
    policies: Annotated[tuple[Policy, ...] | None, "those allowed; null for all"] = None
    block_bytes: Annotated[int | None, "size of a request; null: what the mount reads ahead at most"] = None
    in_flight: Annotated[int | None, "most requests at once on this dataset; null: the budget's"] = None
    window_bytes: Annotated[int | None, "furthest ahead of a reader; null: as the engine finds"] = None
    remounted: Annotated[bool, "its mount was set otherwise: the engine finds out anew what is mounted there"] = False


@dataclass(frozen=True)
class Budget:
    """Limits that hold from now on; null leaves one as it is."""

    memory_bytes: Annotated[int | None, "most bytes brought in, or on their way, and not yet used"] = None
    bandwidth_bytes_s: Annotated[int | None, "most bytes a second from the storage; 0 for no limit"] = None
    in_flight: Annotated[int | None, "most requests at once, 1 to 256"] = None
    cpu_permille: Annotated[int | None, "most of one processor that the engine itself may use"] = None


@dataclass(frozen=True)
class Mode:
    """Whether to read ahead: while not acting, the engine follows its readers and issues nothing."""

    act: bool
    pays: bool = False
    """Acting was measured to pay: what is only supposed of the processors does not hold it back."""


@dataclass(frozen=True)
class Gap:
    """So many of the next steps of the order are left to readers, so that what they are like without help is seen.

    When readers have come to them, the rest of them is read ahead with the next `Mode` that acts.
    """

    steps: int


@dataclass(frozen=True)
class Run:
    """Accesses of one stream with equal size and stride; told again with a larger count as it grows.

    All figures are of the whole run up to now, so that a message that is repeated, or one in between that is lost,
    changes nothing.
    """

    stream: Annotated[str, "which open file of which thread; any text that stays the same"]
    path: str
    offset: Annotated[int, "of the first access, in bytes"]
    size: Annotated[int, "bytes of an access"]
    stride: Annotated[int, "from the start of an access to that of the next, in bytes; negative is backward"]
    count: Annotated[int, "accesses up to now"]
    start_ns: Annotated[int, "when the first access began"]
    end_ns: Annotated[int, "when the last access ended"]
    latency_ns: Annotated[int | None, "time of all accesses, summed; null when not measured"] = None
    op: Annotated[str, "read, mmap, sendfile, splice or copy; writes need not be told"] = "read"
    reader: Annotated[str, "the process; any text that stays the same"] = ""
    done: Annotated[bool, "the stream ends: its file was closed, or its thread ended"] = False


@dataclass(frozen=True)
class Asked:
    """A reader is in a call that asks for this range, which may reach beyond the file's end.

    What a call reads is an access, to be told as a run, only when it has ended; one that takes long may be told of
    before, and again while it lasts.
    """

    path: str
    offset: Annotated[int, "in bytes"]
    size: Annotated[int, "bytes"]
    reader: Annotated[str, "the process; any text that stays the same"] = ""


@dataclass(frozen=True)
class Open:
    """A reader opened a file."""

    path: str
    reader: str
    time_ns: int


@dataclass(frozen=True)
class Close:
    """A reader closed a file; what was brought in of it and not reached was for nothing."""

    path: str
    reader: str
    time_ns: int
    untold: Annotated[bool, "true: not all of its accesses were told, so that nobody knows what was not reached"] = (
        False
    )


@dataclass(frozen=True)
class Entry:
    """One step of a known order: a file, or a part of it."""

    path: Annotated[str, "absolute, or relative to the first root"]
    offset: Annotated[int, "in bytes"] = 0
    size: Annotated[int | None, "bytes; null for up to the end"] = None


@dataclass(frozen=True)
class Order:
    """Steps that readers will take, in order, after those told before."""

    entries: tuple[Entry, ...]
    done: Annotated[bool, "nothing will follow"] = False


@dataclass(frozen=True)
class Position:
    """How far readers are in the known order; where opens or runs are told, this is not needed."""

    index: Annotated[int, "steps that are over: the number of the next one, from 0"]


@dataclass(frozen=True)
class Stop:
    """End: nothing more is issued, the last status is told, and the engine exits."""


Message = Root | Budget | Mode | Gap | Run | Asked | Open | Close | Order | Position | Stop

# ---- from the engine ----


@dataclass(frozen=True)
class Head:
    """One position that moves through a file, an order or a directory."""

    stream: Annotated[str, "the stream it was found in; for orders, the reader"]
    path: str
    policy: Policy
    why: Annotated[str, "the evidence, or why nothing is read ahead"]
    position: Annotated[int, "next byte that the reader is expected to ask for; in an order, the next step"]
    stride: Annotated[int, "bytes from one access to the next; 0 where it has none"]
    window_bytes: Annotated[int, "how far ahead is read"]
    accesses: Annotated[int, "accesses of the reader that followed it"]


@dataclass(frozen=True)
class Totals:
    """Since the engine began; bytes unless the name says otherwise.

    `brought_bytes` is the sum of `used`, `late`, `early`, `wasted` and `ahead`.
    """

    requests: Annotated[int, "requests that were answered"] = 0
    failed_requests: Annotated[int, "of these, with an error"] = 0
    requested_bytes: Annotated[int, "asked for"] = 0
    brought_bytes: Annotated[int, "came, and had not been in memory"] = 0
    resident_bytes: Annotated[int, "had been in memory already, so were not read"] = 0
    used_bytes: Annotated[int, "brought in before their reader reached them"] = 0
    late_bytes: Annotated[int, "still on their way when their reader reached them"] = 0
    early_bytes: Annotated[int, "evicted before their reader reached them"] = 0
    wasted_bytes: Annotated[int, "their reader ended or went elsewhere without them"] = 0
    ahead_bytes: Annotated[int, "brought in, and not yet used"] = 0
    alone_ns: Annotated[int, "time that readers alone would have waited for what was brought in, at most"] = 0
    opened_files: Annotated[int, "files of which something was brought in"] = 0
    seen_accesses: Annotated[int, "accesses of readers that were told"] = 0
    seen_bytes: Annotated[int, "of these accesses"] = 0


@dataclass(frozen=True)
class Mount:
    """What is known of a storage."""

    root: str
    mechanism: Annotated[str, "how it is read ahead, and the measurement that decided it"]
    block_bytes: Annotated[int, "size of a request"]
    request_ns: Annotated[int, "time of a request, moving average; 0 before the first"]
    hung: Annotated[int, "requests without an answer for so long that nothing new is asked of it"]
    parts: Annotated[bool, "parts of files were asked of it, of a size that can be chosen, not only its blocks"] = False


@dataclass(frozen=True)
class Status:
    """Told ten times a second while something happens, and at the end."""

    time_ns: int
    state: Annotated[str, "acting, watching, stopped, ended"]
    why: Annotated[str, "why it is in this state, or why it waits"]
    in_flight: Annotated[int, "requests on their way"]
    in_flight_bytes: int
    most_ahead_bytes: Annotated[int, "highest so far of what was brought in, or on its way, and not yet used"]
    budget: Budget
    totals: Totals
    heads: tuple[Head, ...] = ()
    ended: Annotated[tuple[Head, ...], "the latest that have ended since the last status"] = ()
    mounts: tuple[Mount, ...] = ()
    stops: Annotated[tuple[str, ...], "policies that were stopped because they did not pay, each with its reason"] = ()
    errors: Annotated[dict[str, int], "failed requests by name of the error"] = field(default_factory=dict)
    cpu_ns: Annotated[int, "processor time of the engine"] = 0
    order_position: Annotated[int, "steps of the known order that are over"] = 0
    order_length: Annotated[int, "steps of the known order that are known"] = 0
    gap: Annotated[int, "steps of it that are left to readers and are not over"] = 0
    alone: Annotated[bool, "all readers are at such steps"] = False


@dataclass(frozen=True)
class Refused:
    """A message was not understood, and is ignored."""

    line: Annotated[int, "its number on this connection, from 1"]
    error: str


Answer = Status | Refused
