"""What to set in a mount while it is read: from how its readers read now, and how it is set now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepwell.analysis.plans.engines import Fuse, JuiceFS, Linux
from stepwell.analysis.thresholds import mounts as limits
from stepwell.analysis.thresholds import plans as engines
from stepwell.trace.format import size


@dataclass(frozen=True)
class Reading:
    """How the live readers of a mount read it."""

    along: int = 0
    """Recent accesses that go on where others ended."""
    sparse: int = 0
    """Recent accesses that touch no others: at random, or in steps."""
    bytes: int = 0
    """Asked for since the beginning."""
    extent: int = 0
    """Bytes of the files that were asked for something, as far as it is known."""
    files: int = 0
    """Files that were asked for something."""
    largest: int = 0
    """Bytes of the largest request."""
    fetched: int = 0
    """Bytes that the mount's client has got for it from its storage; 0 where that is not known."""
    backward: int = 0
    """Recent accesses that end where others began."""
    cache: int | None = None
    """Bytes that the mount's client caches; None where that is not known."""

    @property
    def kind(self) -> str:
        """Return `along`, `backward`, `sparse` or `mixed`; empty while too little has been read to tell."""
        kinds = {"along": self.along, "backward": self.backward, "sparse": self.sparse}
        accesses = sum(kinds.values())
        if accesses < limits.ENOUGH:
            return ""
        return next((kind for kind, count in kinds.items() if count >= limits.MOST_OF * accesses), "mixed")


@dataclass(frozen=True)
class Choice:
    """What to set; nothing to leave the mount alone."""

    reason: str
    values: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    kind: str = ""
    """The way of reading that it is for."""

    @property
    def saves_bytes(self) -> bool:
        """Whether it is to fetch fewer bytes, rather than to take less time."""
        return self.kind == "sparse"


def choose(filesystem: str, settings: Mapping[str, int], reading: Reading) -> Choice:
    """Return what to set in a mount.

    Args:
        filesystem: its type, such as fuse.juicefs.
        settings: those that can be changed, with their values, named as in `Setting`.
        reading: how it is read.
    """
    if reading.kind == "sparse":
        return _sparse(filesystem, settings, reading)
    if reading.kind == "along":
        return _along(filesystem, settings, reading)
    if reading.kind == "backward":
        return Choice("it is read backwards, which neither a kernel nor a client reads ahead of")
    if reading.kind == "mixed":
        return Choice("it is read along files and here and there at once: what helps one harms the other")
    return Choice("too little has been read to tell how")


def dense(reading: Reading) -> bool:
    """Return whether so much of the files was asked for that whole blocks fetch little beside, and will be cached."""
    lasts = reading.cache is None or reading.extent <= reading.cache
    return lasts and reading.extent < engines.MOST_FETCHED * reading.bytes


def _sparse(filesystem: str, settings: Mapping[str, int], reading: Reading) -> Choice:
    if filesystem != "fuse.juicefs":
        return Choice("it is read here and there, and its client has no setting for that")
    if reading.largest > engines.JUICEFS_BLOCK // engines.JUICEFS_PARTIAL:
        return Choice(f"requests of up to {size(reading.largest)} are fetched as whole blocks in any case")
    if dense(reading):
        return Choice(f"of {size(reading.extent)}, {size(reading.bytes)} were asked for: whole blocks pay")
    if reading.fetched < engines.MOST_FETCHED * reading.bytes:
        return Choice(f"for {size(reading.bytes)} that were asked for, {size(reading.fetched)} were fetched: not much")
    return _of(
        settings,
        JuiceFS.SPARSE,
        f"reads of up to {size(reading.largest)} here and there had whole blocks of {size(engines.JUICEFS_BLOCK)}"
        " fetched",
        JuiceFS.source,
        "sparse",
    )


def _along(filesystem: str, settings: Mapping[str, int], reading: Reading) -> Choice:
    if not filesystem.startswith("fuse"):
        return Choice("it is no FUSE mount: what the kernel reads ahead of it is its administrator's")
    wanted = {"read_ahead_kb": limits.READ_AHEAD_KB, "max_background": limits.BACKGROUND}
    sources = [Linux.source, Fuse.source]
    if filesystem == "fuse.juicefs":
        wanted["read_ahead_kb"] = limits.CLIENT_READ_AHEAD_KB
        if reading.extent >= engines.JUICEFS_READAHEAD * max(reading.files, 1):
            wanted |= JuiceFS.ALONG
            sources.append(JuiceFS.source)
        elif reading.files < limits.ENOUGH:
            return Choice("files that are shorter than what JuiceFS reads ahead of them gain nothing by more")
    return _of(
        {name: value for name, value in settings.items() if value < wanted.get(name, value)},
        wanted,
        "it is read along files, and more ahead hides more of each request's latency",
        "; ".join(sources),
        "along",
    )


def _of(settings: Mapping[str, int], wanted: Mapping[str, int], reason: str, source: str, kind: str) -> Choice:
    values = {name: value for name, value in wanted.items() if settings.get(name, value) != value}
    if not values:
        return Choice("it is set so already, or cannot be set by this user")
    return Choice(reason, values, source, kind)
