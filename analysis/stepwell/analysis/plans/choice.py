"""Which policy fits how a dataset is read, and how much of the waiting it can take away."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.analysis.advice.drawn import Matter
from stepwell.analysis.advice.model import Order, Span
from stepwell.analysis.thresholds import plans as limits
from stepwell.trace.format import size

SOME = Span(0.0, 1.0)
"""Between nothing and all."""


@dataclass(frozen=True)
class Choice:
    """A policy, and why it is that one."""

    policy: str
    why: str
    covered: Span = SOME
    """Share of the waiting that it can hide."""


def choose(matter: Matter, memory_bytes: int) -> Choice:
    """Return the policy for what a team reads of a dataset; `none` with the reason where there is none."""
    use, storage = matter.use, matter.storage
    if storage is None or not use.waited:
        return Choice("none", "nothing of it was waited for: it comes from memory")
    if use.direct and not storage.filesystem.startswith("fuse"):
        return Choice("none", "it is opened with O_DIRECT, which takes nothing from the page cache")
    along = matter.along
    if use.files >= limits.SEVERAL and along:
        return _of_files(matter, memory_bytes)
    pattern = matter.pattern.pattern if matter.pattern else "unknown"
    late = min(1.0, limits.DETECTED * max(use.opens, use.files) / max(use.accesses, 1))
    covered = Span(1 - late, 1.0)
    if pattern == "strided":
        return Choice("strided", "it is read in regular steps", covered)
    if pattern == "backward":
        return Choice("backward", "it is read from its end to its start", covered)
    if along:
        return Choice("sequential", "it is read along the file", Span(1.0, 1.0))
    again = "; if the next run reads in the same order, `stepwell run --order-from TRACE` knows it"
    if pattern in {"random", "mixed", "unknown"} and use.file_bytes > limits.MOST_FETCHED * use.bytes:
        return Choice(
            "none",
            f"it is read here and there, {size(use.bytes)} of {size(use.file_bytes)}: which bytes come next is not"
            f" known{again}",
        )
    if pattern in {"random", "mixed", "unknown"} and use.file_bytes <= memory_bytes:
        return Choice("random", f"it is read here and there, and all of it ({size(use.file_bytes)}) fits the memory")
    if pattern == "random":
        return Choice(
            "none",
            f"it is read at random over {size(use.file_bytes)}, more than the memory budget of {size(memory_bytes)}"
            f"{again}",
        )
    return Choice("none", "how it is read has no order that could be followed")


def _of_files(matter: Matter, memory_bytes: int) -> Choice:
    """Return the policy for many files that are read along."""
    use = matter.use
    order = matter.facts.order(use.dataset, matter.team.readers) or Order(use.dataset, (), "unknown", "unknown", 1)
    if order.by not in {"shuffled", "unknown"}:
        return Choice(
            "directory", f"files are read in the order of their {order.by}", Span(1 - 1 / use.files, 1 - 1 / use.files)
        )
    if order.relation == "same" and order.epochs > 1:
        rest = 1 - 1 / order.epochs
        return Choice("epoch", f"each of {order.epochs} epochs reads the files in the same order", Span(rest, rest))
    beyond = "; a sampler that tells its order (--order-from) would save all of it" if order.by == "shuffled" else ""
    if order.epochs > 1 and use.file_bytes <= memory_bytes:
        return Choice(
            "random",
            f"the order is new in every epoch, but all files ({size(use.file_bytes)}) fit the memory{beyond}",
        )
    return Choice("whole-file", f"the order of the files is not known before they are opened{beyond}")
