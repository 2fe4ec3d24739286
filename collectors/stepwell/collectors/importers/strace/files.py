"""What a system call means for files: accesses at their offsets, opens, closes and other events."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from typing import TypeVar

from stepwell.collectors.importers.strace.lines import (
    arguments,
    descriptor,
    integer,
    pointed,
    string,
    strings,
)
from stepwell.collectors.importers.strace.made import Made, flags_of, iovec, is_of_descriptor, result_of
from stepwell.collectors.importers.strace.tasks import NO_FILES, OpenFile, Task
from stepwell.collectors.importers.writer import TraceWriter
from stepwell.trace.definition import EventKind, Op, OpenFlag, RunFlag

NO_FILE = "accesses to pipes, sockets, devices, directories, /proc and /sys"
NO_PATH = "accesses through descriptors whose path is not known: use strace -y"
NO_END = "appending writes to files whose size is not known"
URING = "calls of io_uring: strace does not tell which accesses they made"
AIO = "accesses of libaio that strace did not print whole"
AIO_LIMIT = "libaio: accesses are told when they were submitted, as asked for; when and how they ended is not known"
ESTIMATED = "offsets estimated: the descriptor was open before the log began, and is taken to have been at 0"

_RETRIED = frozenset({"EAGAIN", "EINTR", "EWOULDBLOCK"})
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_STAT = re.compile(r"(?:st|stx)_mode=S_IF(?P<kind>[A-Z]+)\b.*?(?:st|stx)_size=(?P<size>\d{1,18})\b")
_Value = TypeVar("_Value")

PLAIN = {
    "read": (Op.READ, False),
    "write": (Op.WRITE, False),
    "pread64": (Op.READ, True),
    "pwrite64": (Op.WRITE, True),
    "close": None,
}
"""Calls that `Files.plain` takes: the operation, and whether an offset is named."""

_SUBMITTED = {
    **dict.fromkeys(("IOCB_CMD_PREAD", "IOCB_CMD_PREADV"), Op.READ),
    **dict.fromkeys(("IOCB_CMD_PWRITE", "IOCB_CMD_PWRITEV"), Op.WRITE),
}
_NO_TRANSFERS = frozenset({"IOCB_CMD_FSYNC", "IOCB_CMD_FDSYNC", "IOCB_CMD_POLL", "IOCB_CMD_NOOP"})
"""What libaio does."""

_REMEMBERED = 1 << 16
"""Paths whose size or former name is remembered."""


class Files:
    """Tells a trace what calls do to files."""

    def __init__(self, trace: TraceWriter) -> None:
        self._trace = trace
        self._has_command = False
        self._renamed: dict[str, str] = {}
        self._sizes: dict[str, int] = {}

    def number(self, file: OpenFile) -> int:
        """Return a file's id in the trace, which learns of it only now; 0 if it is no regular file."""
        if not file.number and file.is_file:
            file.number = self._trace.open(
                file.thread,
                file.path,
                start_ns=file.start_ns,
                latency_ns=file.latency_ns,
                flags=file.flags,
                size=self._sizes.get(file.path, 0),
                state=0 if file.seen_opening else OpenFlag.BEFORE,
            )
        return file.number

    # ---- accesses ----

    def transfer(self, made: Made, op: Op, offset: int | None = None) -> None:
        """A read or write of one buffer, at an offset or at the descriptor's position."""
        self._access(made, made.argument(0), op, integer(made.argument(2)), offset)

    def transfer_at(self, made: Made, op: Op) -> None:
        """The same at the offset that is the fourth argument; -1 stands for the descriptor's position."""
        at = integer(made.argument(3))
        self.transfer(made, op, at if at != -1 else None)

    def vector(self, made: Made, op: Op, offset: int | None = None) -> None:
        """A read or write of several buffers."""
        self._access(made, made.argument(0), op, iovec(_STRING.sub("", made.argument(1))), offset)

    def vector_at(self, made: Made, op: Op) -> None:
        """The same at an offset."""
        at = integer(made.argument(3))
        self.vector(made, op, at if at != -1 else None)

    def copy(self, made: Made, op: Op, places: tuple[int, int, int, int, int]) -> None:
        """Move bytes between two descriptors; `places` are those of in, its offset, out, its offset, and the count."""
        source, source_at, target, target_at, count = places
        asked = integer(made.argument(count))
        for place, at, kind in ((source, source_at, op), (target, target_at, Op.WRITE)):
            given = made.argument(at) if at >= 0 else "NULL"
            if self._entry(made.task, made.argument(place)) and made.result < 0 and kind is Op.WRITE:
                continue  # a failure is told once
            self._access(made, made.argument(place), kind, asked, pointed(given))

    def _access(self, made: Made, fd: str, op: Op, asked: int | None, offset: int | None) -> None:
        file = self._entry(made.task, fd)
        result = made.result
        if file is None or not file.is_file:
            if result >= 0:
                self._trace.skip(NO_PATH if file is None else NO_FILE)
            return
        if result < 0:
            code = getattr(errno, made.call.error, None)
            if code is not None and made.call.error not in _RETRIED:
                self._event(made, EventKind.ERROR, open=self.number(file), op=op, value=code)
            return
        asked = result if asked is None else max(asked, result)
        self._moved(made.task.thread, file, op, asked, offset, result, made.start_ns, made.took_ns)

    def _moved(
        self,
        thread: int,
        file: OpenFile,
        op: Op,
        asked: int,
        offset: int | None,
        size: int,
        start_ns: int | None,
        took_ns: int,
        flags: int = 0,
    ) -> None:
        """Tell of an access at an offset, or at the position, which it moves."""
        if offset is None:
            if op is Op.WRITE and file.appends:
                if file.path not in self._sizes:
                    self._trace.skip(NO_END)
                    return
                file.position = self._sizes[file.path]
                flags = RunFlag.ESTIMATED_OFFSET  # others may have appended, too
            elif not file.position_known:
                self._trace.estimate(ESTIMATED)
                flags = RunFlag.ESTIMATED_OFFSET
            offset = file.position
            file.position += size
        number = file.number or self.number(file)
        if op is Op.WRITE and file.path in self._sizes:
            self._sizes[file.path] = max(self._sizes[file.path], offset + size)
        self._trace.access(thread, number, op, offset, size, asked, start_ns, took_ns, flags)

    def plain(
        self,
        task: Task,
        name: str,
        own: int,
        path: str,
        asked: str | None,
        offset: str | None,
        result: int,
        start_ns: int | None,
        took_ns: int,
    ) -> bool:
        """Take one of `PLAIN` on an open file that is known by its path; return False, and do nothing, if it is not."""
        file = task.table.files.get(own)
        if file is None or file.path != path or not file.is_file or result < 0:
            return False
        transfer = PLAIN[name]
        if transfer is None:
            if asked is not None or result:
                return False
            self._closed(task, task.table.drop(own), start_ns, took_ns)
            return True
        op, has_offset = transfer
        if asked is None or has_offset is (offset is None):
            return False
        at = None if offset is None else int(offset)
        self._moved(task.thread, file, op, max(int(asked), result), at, result, start_ns, took_ns)
        return True

    def submit(self, made: Made) -> None:
        """io_submit(2): accesses at their offsets. What ends them names addresses that this call does not tell."""
        blocks = arguments(made.argument(2)[1:-1])[: max(made.result, 0)]
        told = sum(self._submitted(made, block) for block in blocks)
        if made.result > 0:
            self._trace.limit(AIO_LIMIT)
            self._trace.skip(AIO, made.result - told)

    def _submitted(self, made: Made, block: str) -> bool:
        """Take one control block of libaio; return whether it told all."""
        told = dict(part.split("=", 1) for part in arguments(block[1:-1]) if "=" in part)
        op = _SUBMITTED.get(told.get("aio_lio_opcode", ""))
        if op is None:
            return told.get("aio_lio_opcode", "") in _NO_TRANSFERS
        buffers, offset = _STRING.sub("", told.get("aio_buf", "")), integer(told.get("aio_offset", ""))
        size = integer(told.get("aio_nbytes", "")) if "aio_nbytes" in told else iovec(buffers)
        if size is None or offset is None:
            return False
        file = self._entry(made.task, told.get("aio_fildes", ""))
        if file is None or not file.is_file:
            self._trace.skip(NO_PATH if file is None else NO_FILE)
            return True
        self._moved(made.task.thread, file, op, size, offset, size, made.start_ns, 0, RunFlag.ASYNC)
        return True

    def uring(self, made: Made) -> None:
        """Count what cannot be told."""
        if made.result > 0:
            self._trace.skip(URING)

    # ---- descriptors ----

    def open(self, made: Made, path: int, flags: int, directory: int | None = None) -> None:
        """Open a file; the arguments' places are given."""
        name = self._path(made, directory, path)
        self._opened(made, name or "", flags_of(made.argument(flags)))

    def create(self, made: Made) -> None:
        """Create or empty a file."""
        self._opened(made, self._path(made, None, 0) or "", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    def _opened(self, made: Made, path: str, flags: int) -> None:
        new = result_of(made)
        if new is None:
            return
        path = new[1] or path
        file = OpenFile(
            path,
            made.task.thread,
            made.start_ns,
            made.took_ns,
            flags,
            is_file=_may_be_file(path, told=new[1] is not None) and not flags & (os.O_DIRECTORY | os.O_PATH),
            appends=bool(flags & os.O_APPEND),
        )
        if flags & (os.O_TRUNC | os.O_EXCL):
            self._set_size(path, 0)
        self._set(made, new[0], file, closed_by_exec=bool(flags & os.O_CLOEXEC))

    def duplicate(self, made: Made, flags: int | None = None) -> None:
        """Make another descriptor of an open file."""
        new, file = result_of(made), self._first(made)
        if new is not None and file is not None and made.task.table.files.get(new[0]) is not file:
            cloexec = flags is not None and "O_CLOEXEC" in made.argument(flags)
            self._set(made, new[0], file, closed_by_exec=cloexec)

    def control(self, made: Made) -> None:
        """fcntl(2), as far as it makes or changes descriptors."""
        command, said = made.argument(1), made.argument(2)
        if command in {"F_DUPFD", "F_DUPFD_CLOEXEC"}:
            new, file = result_of(made), self._first(made)
            if new is not None and file is not None:
                self._set(made, new[0], file, closed_by_exec=command == "F_DUPFD_CLOEXEC")
        elif command == "F_SETFD":
            self.close_by_exec(made, wanted="FD_CLOEXEC" in said)
        elif command == "F_SETFL" and made.result == 0 and (file := self._first(made)):
            file.appends = "O_APPEND" in said

    def close_by_exec(self, made: Made, *, wanted: bool) -> None:
        """Let execve close a descriptor, or not."""
        own, table = descriptor(made.argument(0)), made.task.table
        if own is not None and own.number in table.files and made.result == 0:
            (table.closed_by_exec.add if wanted else table.closed_by_exec.discard)(own.number)

    def ioctl(self, made: Made) -> None:
        """The two requests that do the same as fcntl's F_SETFD."""
        if made.argument(1) in {"FIOCLEX", "FIONCLEX"}:
            self.close_by_exec(made, wanted=made.argument(1) == "FIOCLEX")

    def close(self, made: Made) -> None:
        """Close a descriptor."""
        own = descriptor(made.argument(0))
        if own is not None and made.result == 0 and self._first(made):
            self._closed(made.task, made.task.table.drop(own.number), made.start_ns, made.took_ns)

    def close_range(self, made: Made) -> None:
        """Close descriptors from one to another."""
        first, last = integer(made.argument(0)), integer(made.argument(1))
        if first is None or last is None or made.result != 0:
            return
        table = made.task.table
        for own in [own for own in table.files if first <= own <= last]:
            if "CLOSE_RANGE_CLOEXEC" in made.argument(2):
                table.closed_by_exec.add(own)
            else:
                self._closed(made.task, table.drop(own), made.start_ns, made.took_ns)

    def seek(self, made: Made) -> None:
        """lseek(2): its result is the position."""
        file = self._first(made)
        if file is not None and made.result >= 0:
            file.position, file.position_known = made.result, True
            if made.argument(1) == "0" and made.argument(2) == "SEEK_END":
                self._set_size(file.path, made.result)

    def list_directory(self, made: Made) -> None:
        """getdents64(2): what it lists is no regular file."""
        if file := self._first(made):
            file.is_file = False

    def stat(self, made: Made) -> None:
        """A stat of a descriptor tells whether it is a file, and how large."""
        file = self._first(made) if is_of_descriptor(made) else None
        if file is None or made.result != 0:
            return
        if found := _STAT.search(_STRING.sub("", made.rest)):
            file.is_file = file.is_file and found["kind"] == "REG"
            self._set_size(file.path, int(found["size"]))

    def execute(self, made: Made) -> None:
        """execve(2): a new program, without the descriptors that are closed by it."""
        if made.result != 0:
            return
        task, place = made.task, 1 if made.call.name == "execveat" else 0
        words = strings(made.argument(place + 1))
        path = string(made.argument(place)) or ""
        if words and words[0].endswith("...") and path.startswith(words[0][:-3]):
            words[0] = path
        task.comm = path.rsplit("/", 1)[-1][:15]
        self._trace.program(task.thread, words, task.comm, start_ns=made.start_ns)
        if not self._has_command:
            self._has_command = True
            self._trace.meta(command=[word.encode("utf-8", "replace").decode() for word in words])
        task.table = task.table.copy()
        for own in sorted(task.table.closed_by_exec):
            task.table.drop(own)

    # ---- names ----

    def unlink(self, made: Made, path: int, directory: int | None = None) -> None:
        """Remove a name."""
        name = self._path(made, directory, path)
        self._named(made, EventKind.UNLINK, name)
        if made.result == 0 and name:
            self._sizes.pop(name, None)

    def rename(self, made: Made, places: tuple[int | None, int, int | None, int]) -> None:
        """Rename; `places` are those of a directory and a path, twice."""
        old, new = self._path(made, places[0], places[1]), self._path(made, places[2], places[3])
        self._named(made, EventKind.RENAME_FROM, old)
        self._named(made, EventKind.RENAME_TO, new)
        if made.result == 0 and old and new:
            _remember(self._renamed, new, old)
            self._sizes.pop(new, None)
            if (size := self._sizes.pop(old, None)) is not None:
                self._set_size(new, size)

    def truncate(self, made: Made) -> None:
        """Truncate a file by its path."""
        path, size = self._path(made, None, 0), integer(made.argument(1))
        if path and size is not None and made.result == 0:
            self._event(made, EventKind.TRUNCATE, path=path, value=size)
            self._set_size(path, size)

    def truncate_open(self, made: Made) -> None:
        """Truncate an open file."""
        file, size = self._first(made), integer(made.argument(1))
        if file is not None and file.is_file and made.result == 0 and size is not None:
            self._event(made, EventKind.TRUNCATE, open=self.number(file), value=size)
            self._set_size(file.path, size)

    def sync(self, made: Made) -> None:
        """Write an open file back."""
        file = self._first(made)
        if file is not None and file.is_file and made.result == 0:
            self._event(made, EventKind.SYNC, open=self.number(file))

    def change_directory(self, made: Made) -> None:
        """Note where relative paths begin."""
        if made.result == 0:
            made.task.cwd = self._path(made, None, 0)

    # ---- within ----

    def _first(self, made: Made) -> OpenFile | None:
        """Return the file that the first argument refers to; None when nothing tells which."""
        call = made.call
        known = made.task.table.files.get(int(call.own)) if call.own is not None else None
        if known is not None and known.path == call.path:
            return known
        return self._entry(made.task, made.argument(0))

    def _entry(self, task: Task, text: str) -> OpenFile | None:
        """Return the file that a descriptor refers to; None when nothing tells which."""
        own = descriptor(text)
        if own is None or own.number < 0:
            return None
        known = task.table.files.get(own.number)
        if known is not None and (own.path is None or self._is_path_of(known, own.path)):
            return known
        if own.path is None:
            return None
        # Open before the log began, passed by another process, or made by a call that is not followed.
        file = OpenFile(own.path, task.thread, None, seen_opening=False, position_known=False)
        file.is_file = _may_be_file(own.path, told=True)
        task.table.set(own.number, file)
        return file

    def _is_path_of(self, file: OpenFile, path: str) -> bool:
        if file.path != path and self._renamed.get(path) == file.path:
            if file.number == 0:
                self.number(file)  # under the name that it was opened by
            file.path = path
        return file.path == path

    def _set(self, made: Made, own: int, file: OpenFile, *, closed_by_exec: bool) -> None:
        ended = made.task.table.set(own, file, closed_by_exec=closed_by_exec)
        self._closed(made.task, ended, made.start_ns, made.took_ns)

    def _closed(self, task: Task, file: OpenFile | None, start_ns: int | None, took_ns: int) -> None:
        if file is not None and self.number(file):
            self._trace.close(task.thread, file.number, start_ns=start_ns, latency_ns=took_ns)

    def _path(self, made: Made, directory: int | None, place: int) -> str | None:
        """Return the path that an argument is, after the directory it is relative to as far as that is known."""
        path = string(made.argument(place))
        own = descriptor(made.argument(directory)) if directory is not None else None
        if own is not None and own.number == -100 and own.path:
            made.task.cwd = own.path
        base = own.path if own is not None and own.path else made.task.cwd
        if path is None or path.startswith("/") or not base:
            return path
        return os.path.normpath(f"{base}/{path}")

    def _set_size(self, path: str, size: int) -> None:
        _remember(self._sizes, path, size)

    def _named(self, made: Made, kind: EventKind, path: str | None) -> None:
        if made.result == 0 and path:
            self._event(made, kind, path=path)

    def _event(
        self,
        made: Made,
        kind: EventKind,
        *,
        open: int = 0,  # noqa: A002 - the word of the trace
        path: str = "",
        op: Op = Op.READ,
        value: int = 0,
    ) -> None:
        self._trace.event(
            made.task.thread,
            kind,
            open=open,
            path=path,
            op=op,
            start_ns=made.start_ns,
            latency_ns=made.took_ns,
            value=value,
        )


def _remember(known: dict[str, _Value], path: str, value: _Value) -> None:
    if len(known) >= _REMEMBERED and path not in known:
        known.clear()
    known[path] = value


def _may_be_file(path: str, *, told: bool) -> bool:
    """Tell whether a path may be a regular file's; what -y tells of others does not begin with a slash."""
    return (path.startswith("/") or (not told and path != "")) and not NO_FILES.match(path)


Handler = Callable[[Files, Made], None]

HANDLERS: dict[str, Handler] = {
    "read": lambda files, made: files.transfer(made, Op.READ),
    "write": lambda files, made: files.transfer(made, Op.WRITE),
    **dict.fromkeys(("pread64", "pread"), lambda files, made: files.transfer_at(made, Op.READ)),
    **dict.fromkeys(("pwrite64", "pwrite"), lambda files, made: files.transfer_at(made, Op.WRITE)),
    "readv": lambda files, made: files.vector(made, Op.READ),
    "writev": lambda files, made: files.vector(made, Op.WRITE),
    **dict.fromkeys(("preadv", "preadv2"), lambda files, made: files.vector_at(made, Op.READ)),
    **dict.fromkeys(("pwritev", "pwritev2"), lambda files, made: files.vector_at(made, Op.WRITE)),
    **dict.fromkeys(("sendfile", "sendfile64"), lambda files, made: files.copy(made, Op.SENDFILE, (1, 2, 0, -1, 3))),
    "copy_file_range": lambda files, made: files.copy(made, Op.COPY, (0, 1, 2, 3, 4)),
    "splice": lambda files, made: files.copy(made, Op.SPLICE, (0, 1, 2, 3, 4)),
    "io_submit": Files.submit,
    "io_uring_enter": Files.uring,
    "open": lambda files, made: files.open(made, 0, 1),
    **dict.fromkeys(("openat", "openat2"), lambda files, made: files.open(made, 1, 2, 0)),
    "creat": Files.create,
    **dict.fromkeys(("dup", "dup2"), Files.duplicate),
    "dup3": lambda files, made: files.duplicate(made, 2),
    **dict.fromkeys(("fcntl", "fcntl64"), Files.control),
    "ioctl": Files.ioctl,
    "close": Files.close,
    "close_range": Files.close_range,
    "lseek": Files.seek,
    **dict.fromkeys(("getdents", "getdents64"), Files.list_directory),
    **dict.fromkeys(("fstat", "fstat64", "newfstatat", "fstatat64", "statx"), Files.stat),
    **dict.fromkeys(("execve", "execveat"), Files.execute),
    "unlink": lambda files, made: files.unlink(made, 0),
    "unlinkat": lambda files, made: files.unlink(made, 1, 0),
    "rename": lambda files, made: files.rename(made, (None, 0, None, 1)),
    **dict.fromkeys(("renameat", "renameat2"), lambda files, made: files.rename(made, (0, 1, 2, 3))),
    "truncate": Files.truncate,
    "ftruncate": Files.truncate_open,
    **dict.fromkeys(("fsync", "fdatasync"), Files.sync),
    "chdir": Files.change_directory,
}
"""By name of the call. Others do nothing to files that a trace tells."""
