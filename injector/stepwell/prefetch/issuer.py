"""Carries requests out: the planner's words on one side, the pool's workers on the other."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from collections import Counter
from dataclasses import dataclass, field

from stepwell.prefetch.directory import Names
from stepwell.prefetch.mounted import Mounted, describe
from stepwell.prefetch.native.library import Pool, open_directory
from stepwell.prefetch.requests import Done, Request

MOST_NAMES = 1_000_000
"""Names of a directory that are taken in: more take longer to sort than they save."""


MOST_ASKING = 8
"""Questions to storages that are asked at once: as many directories of mounts that hang leave others unasked."""


@dataclass(frozen=True)
class Told:
    """What a storage answered: what is mounted there, or the names of a directory."""

    root: str
    path: str
    mounted: Mounted | None = None
    names: Names = field(default_factory=Names)


class Issuer:
    """Reads, lists and looks, without ever making its caller wait for a storage."""

    def __init__(self) -> None:
        self._pool = Pool()
        self.event = self._pool.event
        """Becomes readable when requests were answered."""
        self.told = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Becomes readable when a storage told something."""
        self.opened: Counter[str] = Counter()
        """How often it opened each file itself."""
        self.in_flight: Counter[str] = Counter()
        """Requests on their way, by file."""
        self._roots: dict[str, int] = {}
        self._paths: dict[int, str] = {}
        self._failed: list[Done] = []
        self._questions: dict[tuple[str, str], None] = {}
        """What nobody asks yet, each question once, oldest first."""
        self._asking: set[tuple[str, str]] = set()
        self._known: dict[int, Mounted] = {}
        self._askers = self._idle = 0
        self._wanted = threading.Condition()
        self._answers: queue.SimpleQueue[Told] = queue.SimpleQueue()

    def add_root(self, root: str, *, anew: bool = False) -> None:
        """Begin to use a root, and find out what is mounted there.

        Args:
            root: the directory.
            anew: its mount was set otherwise, and is looked at again if the root is known.
        """
        known = root in self._roots
        if not known:
            self._roots[root] = self._pool.root(root)
        if anew:
            self._known.clear()
        if anew or not known:
            self._question(root, "")

    def list_directory(self, root: str, path: str) -> None:
        """Ask for the names in a directory below a root."""
        self._question(root, path)

    def issue(self, request: Request) -> None:
        """Give a request to a worker."""
        self.in_flight[request.path] += 1
        self._paths[request.number] = request.path
        try:
            self._pool.submit(
                request.number, self._roots[request.root], _below(request.root, request.path), request.offset,
                request.size, request.kind,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL
            code = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
            self._failed.append(Done(request.number, 0, 0, 0, 0, code))

    def done(self) -> list[Done]:
        """Return what became of requests since the last call."""
        failed, self._failed = self._failed, []
        done = failed + [
            Done(
                one.number, one.brought, one.resident, one.file_size, one.end_ns - one.begin_ns, one.error,
                (one.dev, one.ino),
            )
            for one in self._answered()
        ]  # fmt: skip
        for one in done:
            path = self._paths.pop(one.number)
            self.in_flight[path] -= 1
            if not self.in_flight[path]:
                del self.in_flight[path]
        return done

    @property
    def failed(self) -> bool:
        """Whether requests failed before a worker saw them: `done` has them."""
        return bool(self._failed)

    def answers(self) -> list[Told]:
        """Return what storages told since the last call."""
        try:
            os.eventfd_read(self.told)
        except BlockingIOError:
            return []
        return [self._answers.get() for _ in range(self._answers.qsize())]

    def _answered(self) -> list:  # type: ignore[type-arg]
        answers = self._pool.take()
        for one in answers:
            if one.opened:
                self.opened[self._paths[one.number]] += 1
        return answers

    def _question(self, root: str, path: str) -> None:
        """Have a storage asked something, by a thread that does nothing else then: one that hangs holds up no other."""
        with self._wanted:
            self._questions[root, path] = None
            if self._idle:
                self._idle -= 1
                self._wanted.notify()
            elif self._askers < MOST_ASKING:
                self._askers += 1
                threading.Thread(target=self._ask, name="question", daemon=True).start()

    def _ask(self) -> None:
        while True:
            with self._wanted:
                while (question := next((one for one in self._questions if one not in self._asking), None)) is None:
                    self._idle += 1
                    self._wanted.wait()
                del self._questions[question]
                self._asking.add(question)
            root, path = question
            with contextlib.suppress(OSError, ValueError):  # ValueError: a path with a NUL, or that is no text
                told = Told(root, path, names=_names(root, path)) if path else Told(root, "", self._describe(root))
                self._answers.put(told)
                os.eventfd_write(self.told, 1)
            with self._wanted:
                self._asking.remove(question)

    def _describe(self, root: str) -> Mounted:
        """Describe what is mounted at a root, once for all of its device."""
        device = os.stat(root).st_dev  # noqa: PTH116 - a path of the protocol
        if device not in self._known:
            self._known[device] = describe(root)
        return self._known[device]


def _below(root: str, path: str) -> str:
    return path[len(root.rstrip("/")) + 1 :] or "."


def _names(root: str, path: str) -> Names:
    descriptor = open_directory(root, _below(root, path))
    try:
        with os.scandir(descriptor) as entries:
            found = Names()
            for entry in entries:
                kind = found.folders if entry.is_dir(follow_symlinks=False) else found.files
                kind[entry.name] = entry.inode()
    finally:
        os.close(descriptor)
    return found if len(found.files) + len(found.folders) <= MOST_NAMES else Names()
