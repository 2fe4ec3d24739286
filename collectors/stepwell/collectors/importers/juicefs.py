r"""JuiceFS's access log: what came out of .accesslog, or a file that `juicefs profile` reads.

A line has the end of an operation, who asked, the operation with its arguments, what came of it, and how long it took:

    2026.11.25 16:38:41.482688 [uid:0,gid:0,pid:29078] read (4,4096,0,5): (4096) - OK <0.000401>
    2021.01.15 08:26:11.003330 [uid:0,gid:0,pid:4403] write (17669,8666,4993160): OK <0.000010>

the first as of version 1.4 and the second as before it.  The order of arguments is that of JuiceFS's pkg/vfs/vfs.go:
read (inode, size, offset, handle), write likewise, lookup (parent, name), create (parent, name, mode), open (inode,
flags), release (inode, handle), rename (parent, name, new parent, new name, flags); older ones leave out the last.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from stepwell.collectors.importers.recent import Recent
from stepwell.collectors.importers.source import Input, integers
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import EventKind, Op, OpenFlag

UNREAD = "lines whose arguments are of no known form"
OWN = "accesses to JuiceFS's own files (.stats, .control, ...)"
CUT = "last lines that are cut"

LIMITS = (
    "reads that the kernel's page cache answers never reach JuiceFS and are not in the log",
    "sizes are those of FUSE requests: the kernel reads ahead, splits and joins what programs ask for",
    "JuiceFS drops lines when .accesslog is not read fast enough, and does not say so",
    "times are taken to be in this machine's time zone: the log does not tell its own",
    "paths begin at the mount point; inode:N stands for what was looked up before the log began",
    "what the kernel asked for on its own (pid 0) is counted for the process that opened the file",
    "threads of a process are not told apart",
)

_LINE = re.compile(
    r"(\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d)\.(\d{6}) \[uid:(\d{1,10}),gid:\d{1,10},pid:(\d{1,10})\] "
    r"(\w{1,40}) (.*) <(\d{1,9})\.(\d{6})>"
)
_LINES = re.compile(
    r"(.{19})\.(\d{6}) \[uid:\d{1,10}+,gid:\d{1,10}+,pid:\d{1,10}+\] (read|write) "
    r"\((\d{1,18}+),(\d{1,18}+),(\d{1,18}+)(?:,(\d{1,18}+))?+\)"
    r"(?:: \((\d{1,18}+)\) - OK|: OK(?: \((\d{1,18}+)\))?+| - OK) <(\d{1,9}+)\.(\d{6})>\n|.*\n",
    re.ASCII,
)
"""Each line; most are transfers that went well, of which the groups tell all."""

_HEAD = re.compile(rb"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d\.\d{6} \[uid:\d+,gid:\d+,pid:\d+\] \w+ ")
_N = r"(\d{1,20})"
_TRANSFER = re.compile(rf"\({_N},{_N},{_N}(?:,{_N})?\)(.*)")
_MOVED = re.compile(r"\((\d{1,20})\)")
_ENTRY = re.compile(rf"(.*): (?:OK )?\({_N},\[(.)[^\]]*,{_N}\]\)(.*)")
_CHILD = re.compile(rf"\({_N},(.*)\)")
_MODE = re.compile(r",[^,]{1,12}:0[0-7]{1,12}(?:,0x[0-9A-Fa-f]{1,16})?$")
_HANDLE = re.compile(r"\[fh:(\d{1,20})\]")
_OPEN = re.compile(rf"\({_N}(?:,0x([0-9A-Fa-f]{{1,8}}))?\)(.*)")
_RELEASE = re.compile(rf"\({_N}(?:,{_N})?\).*")
_LENGTH = re.compile(rf"\({_N}\[\d+\],0x[0-9A-Fa-f]+,\[(?:[^\]]*,)?size=(\d{{1,20}})\b.*")
_TRUNCATE = re.compile(rf"\({_N},{_N}\).*")
_COPY = re.compile(rf"\({_N},{_N},{_N},{_N},{_N},\d+\)(.*)")
_MOVES = re.compile(r",(?=(\d{1,20}),)")

_OPS = {"read": int(Op.READ), "write": int(Op.WRITE)}

_ERRORS = {os.strerror(number).lower(): number for number in errno.errorcode}
_ROOT = 1
_INTERNAL = 0x7FFFFFFF00000000
"""Inodes from here on are JuiceFS's own (minInternalNode in pkg/vfs/internal.go)."""
_REMEMBERED = 1 << 20
"""Inodes whose names are remembered; of one forgotten, the number is shown."""

_OPENED = 1 << 18
"""Handles that are remembered."""


def sniff(head: bytes, name: str) -> bool:  # noqa: ARG001 - the signature tells
    """A file whose first line that is not # begins as JuiceFS's lines do."""
    first = next((line for line in head.split(b"\n") if line and not line.startswith(b"#")), b"")
    return bool(_HEAD.match(first))


def read(source: Input, trace: TraceWriter) -> None:
    """Tell the trace every line.

    Raises:
        InputError: a line, other than the last, is none of JuiceFS's.
    """
    for sentence in LIMITS:
        trace.limit(sentence)
    trace.epoch(0)
    log = _Log(source, trace)
    for number, text in source.blocks():
        log.take(number, text.decode("utf-8", "surrogateescape"))
    if log.broken is not None:
        if not log.seen:
            raise source.fail("no line of JuiceFS's access log; is it one?", line=log.broken)
        trace.skip(CUT)


@dataclass(slots=True)
class _Operation:
    """Who asked for what, and when; times in nanoseconds."""

    pid: int
    uid: int
    said: str
    start_ns: int
    latency_ns: int

    @property
    def is_ok(self) -> bool:
        """Whether it succeeded, as version 1.4 says at the end and older ones after the arguments."""
        if self.said.endswith(" - OK"):
            return True
        return ": OK" in self.said and self.said.rpartition(" - ")[2].lower() not in _ERRORS

    @property
    def error(self) -> int:
        """Errno, or EIO for a reason of JuiceFS's own."""
        reason = self.said.rsplit(" - ", 1)[-1] if " - " in self.said else self.said.rsplit("): ", 1)[-1]
        return _ERRORS.get(re.sub(r" \(\d+\)$", "", reason).strip().lower(), errno.EIO)


@dataclass
class _Open:
    number: int
    thread: int


class _Log:
    """Tells a trace what the lines of one log mean, in their order.

    Attributes:
        seen: whether there was a line of JuiceFS's.
        broken: number of a line that is none, after which nothing has come.
    """

    def __init__(self, source: Input, trace: TraceWriter) -> None:
        self.seen = False
        self.broken: int | None = None
        self._source = source
        self._trace = trace
        self._threads: dict[int, int] = {}
        self._names: Recent[int, tuple[int, str]] = Recent(_REMEMBERED)
        self._inodes: Recent[tuple[int, str], int] = Recent(_REMEMBERED)
        self._sizes: Recent[int, int] = Recent(_REMEMBERED)
        self._open: Recent[tuple[int, int], _Open] = Recent(_OPENED)
        self._latest: Recent[int, int] = Recent(_OPENED)
        self._second: tuple[str, int] = ("", 0)
        self._offset_ns: int | None = None
        self._plain: list[int] = []
        """Thread, open file, operation and full second of each transfer that the trace is still to be told of."""
        self._texts: list[str] = []
        """What else it needs of each. Both are flat: Python's garbage collector would look at tuples over and over."""

    def take(self, number: int, text: str) -> None:
        r"""Take the next lines, each ended by \n, of which the first has a number.

        Raises:
            InputError: one of them, other than the last, is none of JuiceFS's.
        """
        for at, found in enumerate(_LINES.finditer(text)):
            second, micros, op, inode, asked, offset, handle, moved, moved_then, seconds, part = found.groups()
            file = self._known(int(inode), int(handle or 0)) if op and self.broken is None else None
            if file is None or second != self._second[0]:
                self._take(number + at, found[0][:-1])
                continue
            size = moved or moved_then or asked if op == "read" else asked
            self._plain += (file.thread, file.number, _OPS[op], self._second[1])
            self._texts += (micros, offset, asked, size, seconds, part)
        self._tell_plain()

    def _tell_plain(self) -> None:
        """Tell of the plain transfers since the last time: before another access, and when all lines are taken."""
        if not self._plain:
            return
        thread, opened, op, second_ns = np.array(self._plain).reshape(-1, 4).T
        micros, offset, asked, size, seconds, part = integers(self._texts).reshape(-1, 6).T
        self._plain, self._texts = [], []
        latency_ns = seconds * 1_000_000_000 + part * 1_000
        self._trace.accesses(
            thread, opened, op, offset, size,
            requested=np.maximum(asked, size), start_ns=np.maximum(second_ns + micros * 1_000 - latency_ns, 0),
            latency_ns=latency_ns,
        )  # fmt: skip

    def _take(self, number: int, line: str) -> None:
        if not line or line.startswith("#"):
            return
        if self.broken is not None:
            raise self._source.fail("no line of JuiceFS's access log; correct it, or delete it", line=self.broken)
        found = _LINE.fullmatch(line)
        end_ns = self._time(found[1], found[2]) if found else None
        if found is None or end_ns is None:
            self.broken = number
            return
        self.seen = True
        latency_ns = int(found[7]) * 1_000_000_000 + int(found[8]) * 1_000
        if handler := _HANDLERS.get(found[5]):
            made = _Operation(int(found[4]), int(found[3]), found[6], max(end_ns - latency_ns, 0), latency_ns)
            if not handler(self, made):
                self._trace.skip(UNREAD)

    # ---- accesses ----

    def transfer(self, made: _Operation, op: Op) -> bool:
        """Read or write (inode, size, offset, handle)."""
        found = _TRANSFER.fullmatch(made.said)
        if found is None:
            return False
        inode, asked, offset = int(found[1]), int(found[2]), int(found[3])
        if inode >= _INTERNAL:
            self._trace.skip(OWN)
            return True
        file = self._find(made, inode, int(found[4] or 0))
        if not made.is_ok:
            self._event(made, EventKind.ERROR, file, op=op, value=made.error)
            return True
        moved = _MOVED.search(found[5])
        size = int(moved[1]) if moved and op is Op.READ else asked
        self._access(made, file, op, offset, size, max(asked, size))
        return True

    def _access(self, made: _Operation, file: _Open, op: Op, offset: int, size: int, asked: int) -> None:
        self._tell_plain()
        self._trace.access(
            file.thread, file.number, op, offset, size,
            requested=asked, start_ns=made.start_ns, latency_ns=made.latency_ns,
        )  # fmt: skip

    def copy(self, made: _Operation) -> bool:
        """copy_file_range (inode, offset, inode, offset, size, flags); how much was copied is not told."""
        found = _COPY.fullmatch(made.said)
        if found is None:
            return False
        if made.is_ok:
            size = int(found[5])
            for inode, offset, op in ((1, 2, Op.COPY), (3, 4, Op.WRITE)):
                file = self._find(made, int(found[inode]), 0)
                self._access(made, file, op, int(found[offset]), size, size)
        return True

    # ---- open files ----

    def open(self, made: _Operation) -> bool:
        """Open (inode, flags), with the handle after it."""
        found = _OPEN.fullmatch(made.said)
        if found is None:
            return False
        if made.is_ok and int(found[1]) < _INTERNAL and (handle := _HANDLE.search(found[3])):
            self._opened(made, int(found[1]), int(handle[1]), int(found[2] or "0", 16))
        return True

    def create(self, made: _Operation) -> bool:
        """Create (parent, name, mode), with the new inode and the handle after it."""
        inode = self._learn(made, has_mode=True)
        if inode is not None and (handle := _HANDLE.search(made.said.rsplit("])", 1)[-1])):
            self._opened(made, inode, int(handle[1]), os.O_CREAT | os.O_RDWR)
        return inode is not None or not made.is_ok

    def release(self, made: _Operation) -> bool:
        """Release (inode, handle)."""
        found = _RELEASE.fullmatch(made.said)
        if found is None:
            return False
        inode = int(found[1])
        handle = int(found[2]) if found[2] else self._latest.get(inode, 0)
        if file := self._open.pop((inode, handle), None):
            self._trace.close(file.thread, file.number, start_ns=made.start_ns, latency_ns=made.latency_ns)
        return True

    def sync(self, made: _Operation) -> bool:
        """Fsync (inode, datasync)."""
        found = re.match(r"\((\d{1,20}),", made.said)
        if found and made.is_ok:
            self._event(made, EventKind.SYNC, self._find(made, int(found[1]), 0))
        return found is not None

    def set_attributes(self, made: _Operation) -> bool:
        """Setattr, as far as it sets the size; or truncate (inode, size) of older versions."""
        found = _LENGTH.fullmatch(made.said) or _TRUNCATE.fullmatch(made.said)
        if found and made.is_ok:
            self._event(made, EventKind.TRUNCATE, self._find(made, int(found[1]), 0), value=int(found[2]))
        return True

    def _opened(self, made: _Operation, inode: int, handle: int, flags: int) -> None:
        thread = self._thread(made)
        number = self._trace.open(
            thread, self._path(inode), start_ns=made.start_ns, latency_ns=made.latency_ns, flags=flags,
            size=self._sizes.get(inode, 0),
        )  # fmt: skip
        self._open[inode, handle] = _Open(number, thread)
        self._latest[inode] = handle

    def _find(self, made: _Operation, inode: int, handle: int) -> _Open:
        """Return the open file of a handle, which the trace may learn of only now."""
        known = self._known(inode, handle)
        if known is None:
            thread = self._thread(made)
            number = self._trace.open(
                thread, self._path(inode), start_ns=made.start_ns, size=self._sizes.get(inode, 0),
                state=OpenFlag.BEFORE,
            )  # fmt: skip
            known = _Open(number, thread)
            self._open[inode, handle or self._latest.get(inode, 0)] = known
        return known

    def _known(self, inode: int, handle: int) -> _Open | None:
        """Return the open file of a handle; without one, the inode's that was opened last."""
        return self._open.get((inode, handle or self._latest.get(inode, 0)))

    # ---- names ----

    def look_up(self, made: _Operation) -> bool:
        """Lookup (parent, name), with what was found after it."""
        return self._learn(made) is not None or not made.is_ok

    def make(self, made: _Operation) -> bool:
        """Mkdir or mknod (parent, name, mode, ...)."""
        return self._learn(made, has_mode=True) is not None or not made.is_ok

    def unlink(self, made: _Operation) -> bool:
        """Unlink (parent, name)."""
        end = made.said.removesuffix(" - OK").removesuffix(": OK")
        found = _CHILD.fullmatch(end)
        if found and made.is_ok:
            path = self._join(int(found[1]), found[2])
            self._event(made, EventKind.UNLINK, path=path)
        return found is not None or not made.is_ok

    def rename(self, made: _Operation) -> bool:
        """Rename (parent, name, new parent, new name, flags); names may have commas in them."""
        if not made.is_ok:
            return True
        found = _CHILD.fullmatch(made.said.removesuffix(" - OK").removesuffix(": OK"))
        if found is None:
            return False
        parent, names = int(found[1]), re.sub(r",\d{1,10}$", "", found[2])
        splits = [(names[: at.start()], int(at[1]), names[at.end(1) + 1 :]) for at in _MOVES.finditer(names)]
        if not splits:
            return False
        name, to, name_there = next((one for one in splits if (parent, one[0]) in self._inodes), splits[0])
        old, new = (parent, name), (to, name_there)
        if inode := self._inodes.pop(old, 0):
            self._name(inode, new)
        self._event(made, EventKind.RENAME_FROM, path=self._join(*old))
        self._event(made, EventKind.RENAME_TO, path=self._join(*new))
        return True

    def _learn(self, made: _Operation, *, has_mode: bool = False) -> int | None:
        """Note the name of an inode; return the inode, None if there is none."""
        found = _ENTRY.fullmatch(made.said)
        child = _CHILD.fullmatch(
            _MODE.sub("", found[1][:-1]) + ")" if found and has_mode else found[1] if found else ""
        )
        if found is None or child is None:
            return None
        inode = int(found[2])
        self._name(inode, (int(child[1]), child[2]))
        if found[3] == "-":
            self._sizes[inode] = int(found[4])
        return inode

    def _name(self, inode: int, name: tuple[int, str]) -> None:
        self._names[inode] = name
        self._inodes[name] = inode

    def attributes(self, made: _Operation) -> bool:
        """Getattr (inode), with the attributes after it."""
        found = _ENTRY.fullmatch(made.said)
        if found and found[3] == "-":
            self._sizes[int(found[2])] = int(found[4])
        return True

    def _path(self, inode: int) -> str:
        parts: list[str] = []
        while inode != _ROOT and len(parts) < 4096:
            known = self._names.get(inode)
            if known is None:
                return "/".join([f"inode:{inode}", *reversed(parts)])
            inode, name = known
            parts.append(name)
        return "/" + "/".join(reversed(parts))

    def _join(self, parent: int, name: str) -> str:
        return f"{self._path(parent).rstrip('/')}/{name}"

    # ---- who and when ----

    def _thread(self, made: _Operation) -> int:
        if made.pid not in self._threads:
            comm = "" if made.pid else "(kernel)"
            self._threads[made.pid] = self._trace.thread(made.pid, uid=made.uid, comm=comm, start_ns=made.start_ns)
        return self._threads[made.pid]

    def _event(
        self, made: _Operation, kind: EventKind, file: _Open | None = None, *,
        path: str = "", op: Op = Op.READ, value: int = 0,
    ) -> None:  # fmt: skip
        thread = file.thread if file else self._thread(made)
        self._trace.event(
            thread, kind, open=file.number if file else 0, path=path, op=op, value=value,
            start_ns=made.start_ns, latency_ns=made.latency_ns,
        )  # fmt: skip

    def _time(self, second: str, micros: str) -> int | None:
        """Return nanoseconds since 1970; the offset of the time zone is the one of the log's first line."""
        if second != self._second[0]:
            try:
                local = datetime.strptime(second, "%Y.%m.%d %H:%M:%S").replace(tzinfo=UTC)
                if self._offset_ns is None:
                    offset = local.replace(tzinfo=None).astimezone().utcoffset()
                    self._offset_ns = round(offset.total_seconds() if offset else 0) * 1_000_000_000
            except (ValueError, OverflowError, OSError):
                return None
            self._second = second, int(local.timestamp()) * 1_000_000_000 - self._offset_ns
        return self._second[1] + int(micros) * 1_000


_HANDLERS: dict[str, Callable[[_Log, _Operation], bool]] = {
    "read": lambda log, made: log.transfer(made, Op.READ),
    "write": lambda log, made: log.transfer(made, Op.WRITE),
    "copy_file_range": _Log.copy,
    "open": _Log.open,
    "create": _Log.create,
    "release": _Log.release,
    "fsync": _Log.sync,
    "setattr": _Log.set_attributes,
    "truncate": _Log.set_attributes,
    "lookup": _Log.look_up,
    "mkdir": _Log.make,
    "mknod": _Log.make,
    "getattr": _Log.attributes,
    "unlink": _Log.unlink,
    "rename": _Log.rename,
}
"""By the operation; others do nothing that a trace tells."""
