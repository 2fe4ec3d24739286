"""What stands between a reader and its storage, and how it reads ahead by itself: one model each, with its source.

An engine says which file systems it is about, which block it fetches anyway, and what to set in it for a way of
reading.  To add one, write its class and put it into `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from stepwell.analysis.advice.drawn import Matter
from stepwell.analysis.advice.gains import trips
from stepwell.analysis.advice.model import Span
from stepwell.analysis.advice.reads import read_ahead
from stepwell.analysis.plans.model import Gain, Setting
from stepwell.analysis.plans.sizes import Sizes
from stepwell.analysis.thresholds import plans as limits
from stepwell.analysis.waits.model import Use
from stepwell.trace.format import size


@dataclass(frozen=True)
class Case:
    """What an engine's rules decide on."""

    matter: Matter
    policy: str
    sizes: Sizes

    @property
    def filesystem(self) -> str:
        """Return the type of the dataset's file system."""
        return self.matter.storage.filesystem if self.matter.storage else ""

    @property
    def heads(self) -> int:
        """Return how many positions move through files at once."""
        return max(1, round(self.matter.team.width))


class Engine(Protocol):
    """The model of an engine."""

    def settings(self, case: Case) -> Iterator[Setting]:
        """Return what to set in it; nothing where it is not about this file system."""


class Linux:
    """Linux's read-ahead: a window of at most ra_pages, the next one asked for while the last one is used."""

    source = "linux mm/readahead.c: ondemand_readahead, get_next_ra_size"

    def settings(self, case: Case) -> Iterator[Setting]:
        """Return the window's size, where a larger one saves trips."""
        found = read_ahead(case.matter)
        if found is None or found.kind != "read-ahead":
            return
        window = next(int(one.value) for one in found.inputs if one.name == "window proposed")
        yield Setting(
            engine="linux",
            path=case.matter.use.dataset,
            name="read_ahead_kb",
            value=str(window // 1024),
            how=found.setting,
            reason=found.sentence,
            source=self.source,
            gain=gain(found.speedup),
        )


class Fuse:
    """Linux's FUSE client: read-ahead runs in the background, so many requests at once and no more."""

    source = "linux fs/fuse/inode.c: FUSE_DEFAULT_MAX_BACKGROUND; fs/fuse/dev.c: fuse_request_queue_background"

    def settings(self, case: Case) -> Iterator[Setting]:
        """Return the limit of background requests, where the plan has more under way."""
        if not case.filesystem.startswith("fuse") or case.sizes.in_flight <= limits.FUSE_BACKGROUND:
            return
        device = case.matter.storage.device if case.matter.storage else ""
        connection = device.partition(":")[2] or "MINOR"
        yield Setting(
            engine="linux",
            path=case.matter.use.dataset,
            name="max_background",
            value=str(case.sizes.in_flight),
            how=f"echo {case.sizes.in_flight} > /sys/fs/fuse/connections/{connection}/max_background",
            reason=f"{case.sizes.in_flight} requests are to be under way, FUSE lets {limits.FUSE_BACKGROUND} of"
            " read-ahead run at once unless its server asked for more",
            source=self.source,
        )


class JuiceFS:
    """JuiceFS: blocks of 4 MiB, a session of read-ahead for each head, and whole blocks after small reads inside one.

    An open file has two sessions; of further heads in it none is read ahead of for long, which no option changes.
    """

    source = "juicedata/juicefs pkg/vfs/reader.go: checkReadahead, need; pkg/chunk/cached_store.go: ReadAt"

    SPARSE: ClassVar[Mapping[str, int]] = {"prefetch": 0, "max-readahead": 0}
    """Options with which nothing is fetched but what is asked for; reads of a quarter of a block at most take a range
    of it.  Without the second, two reads that happen to lie near each other begin read-ahead by whole blocks."""

    ALONG: ClassVar[Mapping[str, int]] = {
        "max-readahead": limits.JUICEFS_MOST >> 20,
        "buffer-size": 2 * limits.JUICEFS_BUFFER >> 20,
    }
    """Options with which as much as possible is read ahead of a head.  A session's read-ahead is doubled only while
    four times as much finds room in 80 % of the buffer, beside what is there (checkReadahead): to 128 MiB never in the
    usual one."""

    def settings(self, case: Case) -> Iterator[Setting]:
        """Return the mount's options, where its defaults fetch too much or not far enough ahead."""
        if case.filesystem != "fuse.juicefs":
            return
        if case.policy in {"strided", "random", "none"} and not case.matter.along and self._is_sparse(case.matter.use):
            reason = (
                f"a read of {size(case.matter.use.request)} inside a block has the whole block of"
                f" {size(limits.JUICEFS_BLOCK)} fetched besides:"
                f" {limits.JUICEFS_BLOCK // max(case.matter.use.request, 1)} times what is asked for"
            )
            for name, value in self.SPARSE.items():
                yield self._option(case, name, str(value), reason)
        if case.policy != "sequential":
            return
        use = case.matter.use
        sessions = min(case.heads, limits.JUICEFS_SESSIONS * max(use.opened, use.files, 1))
        ahead = min(self._under_way(case) // sessions, limits.JUICEFS_MOST)
        if ahead > limits.JUICEFS_READAHEAD:
            yield self._option(
                case,
                "max-readahead",
                str(ahead >> 20),
                f"{size(ahead)} must be under way for each of {sessions} heads, it reads"
                f" {size(limits.JUICEFS_READAHEAD)} ahead of one",
            )
        most = max(ahead, limits.JUICEFS_READAHEAD)
        # The last head to double its read-ahead wants four times as much free beside what is kept (checkReadahead).
        buffered = limits.JUICEFS_KEPT * most * sessions + most
        if buffered > limits.JUICEFS_BUFFER * 8 // 10:
            yield self._option(
                case,
                "buffer-size",
                str((buffered * 10 // 8 >> 20) + 1),
                f"read-ahead of {sessions} heads takes {size(buffered)}, and only 80 % of the buffer of"
                f" {size(limits.JUICEFS_BUFFER)}",
            )

    @staticmethod
    def _is_sparse(use: Use) -> bool:
        """Return whether small reads come to a block too seldom to have it whole."""
        blocks = max(use.file_bytes // limits.JUICEFS_BLOCK, 1)
        again = use.file_bytes <= limits.JUICEFS_CACHE and use.accesses >= limits.JUICEFS_READ_AGAIN * blocks
        return use.request <= limits.JUICEFS_BLOCK // limits.JUICEFS_PARTIAL and not again

    @staticmethod
    def _under_way(case: Case) -> int:
        """Return the bytes that must be under way, by Little's law: what readers take while a block comes, twice."""
        assert case.matter.storage is not None
        block_ns = trips(case.matter.storage)[1].ns(limits.JUICEFS_BLOCK)
        return round(limits.AHEAD * case.sizes.demand_bytes_s * block_ns / 1e9)

    def _option(self, case: Case, name: str, value: str, reason: str) -> Setting:
        return Setting(
            engine="juicefs",
            path=case.matter.use.dataset,
            name=name,
            value=value,
            how=f"juicefs mount --{name} {value} META-URL MOUNTPOINT (again over the running mount)",
            reason=reason,
            source=self.source,
        )


ENGINES: tuple[Engine, ...] = (Linux(), Fuse(), JuiceFS())
"""All engines whose rules are known."""


def gain(speedup: Span) -> Gain:
    """Return a speedup as a plan says it: in thousandths, rounded outwards."""
    low, high = (min(max(one, 0.001), 1e6) for one in (speedup.low, speedup.high))
    return Gain(int(low * 1000), -int(-high * 1000 // 1))
