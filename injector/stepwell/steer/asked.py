"""How the live readers of a mount read it, out of what the engine is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stepwell.analysis.plans.mounts import Reading
from stepwell.prefetch.protocol import Close, Message, Policy, Run
from stepwell.prefetch.streams import Separator


@dataclass
class _Stream:
    path: str
    reader: str
    separator: Separator = field(default_factory=Separator)
    known: tuple[int, int, int] = (0, 0, 0)
    """Start and offset of the run that was told last, and its accesses."""


class Asked:
    """Follows the streams of one mount."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._extents: dict[str, int] = {}
        self._bytes = self._largest = 0

    def see(self, messages: Iterable[Message]) -> None:
        """Take in messages about files of this mount."""
        for message in messages:
            if isinstance(message, Run):
                self._run(message)
            elif isinstance(message, Close):
                for name in [name for name, stream in self._streams.items() if stream.path == message.path]:
                    del self._streams[name]

    def open_files(self) -> list[str]:
        """Return the files that are open and have been read."""
        return list({stream.path: None for stream in self._streams.values()})

    def readers(self) -> set[int]:
        """Return the processes that have them open."""
        return {int(stream.reader) for stream in self._streams.values() if stream.reader.isdecimal()}

    def reading(self) -> Reading:
        """Return how the files that are open are read."""
        along = backward = sparse = 0
        for stream in self._streams.values():
            recent, lone = stream.separator.recent, stream.separator.lone
            longest = max(stream.separator.tracks, key=lambda track: track.bytes, default=None)
            if longest is None or longest.policy is Policy.NONE:
                sparse += lone
            elif longest.policy is Policy.STRIDED:
                sparse += recent
            else:
                sparse += lone
                if longest.policy is Policy.BACKWARD:
                    backward += recent - lone
                else:
                    along += recent - lone
        return Reading(
            along,
            sparse,
            self._bytes,
            sum(self._extents.values()),
            len(self._extents),
            self._largest,
            backward=backward,
        )

    def _run(self, run: Run) -> None:
        stream = self._streams.get(run.stream)
        if stream is None or stream.path != run.path:
            stream = self._streams[run.stream] = _Stream(run.path, run.reader)
        before = stream.known[2] if stream.known[:2] == (run.start_ns, run.offset) else 0
        count = run.count - before
        if count <= 0:
            return
        stream.known = run.start_ns, run.offset, run.count
        first = run.offset + before * run.stride
        stream.separator.accesses(first, run.size, run.stride, count)
        self._bytes += count * run.size
        self._largest = max(self._largest, run.size)
        end = max(first, first + (count - 1) * run.stride) + run.size
        self._extents[run.path] = max(self._extents.get(run.path, 0), end)
