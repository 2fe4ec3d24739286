"""What if: caches of other sizes, policies, blocks and readahead, from the trace alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.analysis.ask import Queryable, ask, rows
from stepwell.analysis.native.caches import POLICIES, Collector, References, TooManyReferencesError
from stepwell.analysis.reuse.classify import Reuse, Subjects
from stepwell.analysis.reuse.curve import excess
from stepwell.analysis.reuse.model import CacheCurve, Simulated
from stepwell.analysis.scan import scan
from stepwell.analysis.software import SOFTWARE
from stepwell.analysis.thresholds import reuse as limits
from stepwell.trace.errors import StepwellError
from stepwell.trace.format import size as in_words

__all__ = ["POLICIES", "Case", "chosen_files", "curve", "curves", "simulate"]

_FILES = f"""
WITH used AS (
    SELECT file, bool_and(op = 'mmap') AS mapped, bool_or(op = 'write') AS written, bool_or(op <> 'write') AS read
    FROM runs WHERE trace = $1 AND count > 0 GROUP BY file
)
SELECT file, path, coalesce(size, 0)::BIGINT AS size, coalesce(dataset, '') AS dataset,
    {SOFTWARE} AS software
FROM files JOIN used USING (file) WHERE trace = $1 AND read ORDER BY file
"""

_READS = """
SELECT file, sum(count)::DOUBLE AS accesses,
    sum(CASE WHEN count > 0 THEN (count - 1) * size::DOUBLE + tail ELSE 0 END) AS bytes,
    sum(waited)::DOUBLE AS waited, sum(wait_ns)::DOUBLE AS wait_ns
FROM runs WHERE trace = $1 AND op <> 'write' GROUP BY file ORDER BY file
"""


@dataclass(frozen=True)
class Case:
    """What to simulate: bytes in a block, most bytes read ahead, one block in how many (0: as needed)."""

    block: int = limits.BLOCK
    readahead: int = 0
    sampling: int = 0


class TooMuchError(StepwellError):
    """There are too many blocks to look at each."""

    exit_code = 2

    def __init__(self, block: int, read: float) -> None:
        enough = block
        while read / enough > limits.HASHED:
            enough *= 2
        super().__init__(
            f"{in_words(read)} are too many blocks of {in_words(block)} to simulate; try --block-size {enough} or more"
        )


def chosen_files(store: Queryable, trace: int, directory: str = "") -> pa.Table:
    """Return the files to look at: those below a directory, or all data, or all when there is nothing but software.

    Columns are file, path, size, dataset, software, accesses, bytes, waited and wait_ns, of reads.
    """
    files = ask(store, _FILES, trace).join(ask(store, _READS, trace), "file", join_type="inner").sort_by("file")
    if directory:
        inside = directory.rstrip("/") + "/"
        return files.filter(
            pa.array([path == directory or path.startswith(inside) for path in files["path"].to_pylist()], pa.bool_())
        )
    data = files.filter(pa.array([not software for software in files["software"].to_pylist()], pa.bool_()))
    return data if len(data) else files


def curve(store: Queryable, trace: int, files: pa.Table, block: int = 0) -> CacheCurve | None:
    """Return the miss-ratio curve of some files together, other policies included; None when nothing was read."""
    subjects = Subjects.of(store, trace, block=block, only=files["file"].to_numpy(), most_alone=0)
    case = Case(subjects.block)
    with Reuse(subjects) as reuse:
        references, halvings = _follow(store, trace, files, case, reuse)
        reuse.finish()
        curves = reuse.curves()
    if not curves:
        return None
    while len(references.ids) > limits.CURVE_SIMULATED and references.blocks > 2 * limits.CURVE_BLOCKS:
        references, halvings = references.halved(), halvings + 1
    whole = curves[-1]
    sizes = sorted({max(whole.unique_bytes >> shift, whole.block) for shift in range(limits.SIMULATED_SIZES)})
    others = _outcomes(references, halvings, files, case, sizes, limits.SIMULATED_POLICIES)
    return replace(whole, policies=others)


def curves(store: Queryable, trace: int, most: int = limits.SIMULATED_DATASETS) -> tuple[CacheCurve, ...]:
    """Return the curves of the datasets with most bytes read, and last that of all data together.

    Args:
        store: the store.
        trace: the trace.
        most: datasets.
    """
    files = chosen_files(store, trace)
    weight: dict[str, float] = {}
    for dataset, amount in zip(files["dataset"].to_pylist(), files["bytes"].to_pylist(), strict=True):
        weight[dataset] = weight.get(dataset, 0.0) + amount
    largest = sorted(weight, key=lambda dataset: (-weight[dataset], dataset))[:most]
    found = []
    for dataset in largest:
        inside = files.filter(pa.array([one == dataset for one in files["dataset"].to_pylist()], pa.bool_()))
        if one := curve(store, trace, inside):
            found.append(replace(one, dataset=dataset))
    if len(weight) > 1 and (one := curve(store, trace, files)):
        found.append(one)
    elif found:
        found.append(replace(found[0], dataset=""))
    return tuple(found)


def simulate(
    store: Queryable, trace: int, files: pa.Table, case: Case, sizes: Sequence[int], policies: Sequence[str]
) -> tuple[Simulated, ...]:
    """Return what caches of these sizes, in bytes, and policies do with the reads of some files.

    Raises:
        TooMuchError: there are too many blocks, even for sampling.
        MemoryError: there is not enough memory.
    """
    (about,) = rows(store, "SELECT accesses, bytes FROM traces WHERE trace = $1", trace)
    if float(about["bytes"]) / case.block > limits.HASHED:
        raise TooMuchError(case.block, float(about["bytes"]))
    references, halvings = _follow(store, trace, files, case)
    return _outcomes(references, halvings, files, case, sizes, policies)


def _follow(
    store: Queryable, trace: int, files: pa.Table, case: Case, reuse: Reuse | None = None
) -> tuple[References, int]:
    """Return the references to the blocks of some files, and log2 of how many blocks one is followed of.

    All runs are shown to `reuse`, too, in the same pass, once.
    """
    halvings = (case.sampling or 1).bit_length() - 1
    if not case.sampling:
        # A read that is not aligned touches a block more; readahead fetches some that nobody reads.
        expected = sum(files["bytes"].to_pylist()) / case.block + sum(files["accesses"].to_pylist())
        halvings = max(0, int(np.ceil(np.log2(max(expected, 1) / limits.SIMULATED))))
    while True:
        with Collector(
            files["file"].to_numpy(),
            files["size"].to_numpy(),
            shift=case.block.bit_length() - 1,
            halvings=halvings,
            readahead=case.readahead,
            waiting=limits.SIMULATED_WAITING,
            most=limits.SIMULATED * (4 if not case.sampling else 64),
        ) as collector:
            scan(store, trace, [collector, reuse] if reuse else [collector])
            try:
                return collector.finish(), halvings
            except TooManyReferencesError:
                halvings, reuse = halvings + 1, None


def _outcomes(
    references: References, halvings: int, files: pa.Table, case: Case, sizes: Sequence[int], policies: Sequence[str]
) -> tuple[Simulated, ...]:
    total = {name: sum(files[name].to_pylist()) for name in ("accesses", "bytes", "waited", "wait_ns")}
    scale, total["references"] = _excess(references, halvings), references.seen

    def one(chosen: tuple[str, int]) -> Simulated:
        policy, size = chosen
        capacity = round((size // case.block) / 2**halvings * scale)
        outcome = references.simulate(policy, max(1, min(capacity, 2**32 - 1)))
        return _told(outcome, case, policy, size, 1 << halvings, total, references.seen * scale)

    with ThreadPoolExecutor(min(limits.SIMULATED_AT_ONCE, os.cpu_count() or 1), "simulate") as threads:
        return tuple(threads.map(one, product(policies, sizes)))


def _excess(references: References, halvings: int) -> float:
    """Return how many times too many blocks were followed, as far as that can be known; 1 when all were."""
    uses = references.uses()
    if not halvings or not len(uses):
        return 1.0
    return excess(float(uses.sum()) * 2**halvings, references.seen, float((uses.std() / uses.mean()) ** 2))


def _told(
    outcome: Any, case: Case, policy: str, size: int, sampling: int, total: dict[str, float], expected: float
) -> Simulated:
    """Return an outcome in words; `expected` references are what all blocks like those that were followed made."""
    whole = {name: int(outcome[name]) for name in outcome.dtype.names if not name.startswith("group")}
    fetched, ahead = whole["fetched"] + whole["fetched_ahead"], whole["fetched_ahead"]
    read, wait = int(total["bytes"]), total["wait_ns"] / total["waited"] if total["waited"] else None
    if sampling == 1:
        weight, references = 1.0, whole["references"]
        hits, bytes_hit = _share(whole["access_hits"], whole["accesses"]), _share(whole["byte_hits"], whole["bytes"])
        misses = 1 - _share(whole["hits"], whole["references"])
    else:
        # Hot blocks that were not followed hit.
        weight, references = sampling * total["references"] / max(expected, 1), round(total["references"])
        misses = min(1.0, (whole["references"] - whole["hits"]) * sampling / max(expected, 1))
        hits = bytes_hit = 1 - misses
    return Simulated(
        policy=policy,
        cache_size=size,
        block_size=case.block,
        readahead=case.readahead,
        sampling=sampling,
        error=_error(outcome, expected / sampling) if sampling > 1 else 0.0,
        accesses=whole["accesses"],
        references=references,
        hit_ratio=round(hits, 6),
        byte_hit_ratio=round(bytes_hit, 6),
        miss_ratio=round(misses, 6),
        read_bytes=read,
        fetched_bytes=round(fetched * weight * case.block),
        ahead_bytes=round(ahead * weight * case.block),
        amplification=round(fetched * weight * case.block / read, 4) if read else None,
        wait_ns=None if wait is None else round(wait * (1 - hits) * total["accesses"]),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _error(outcome: Any, expected: float) -> float:
    """Return two standard errors of the miss ratio, from how much the misses of eighths of the blocks differ."""
    misses = (outcome["group_references"] - outcome["group_hits"]).astype(float)
    groups = len(misses)
    return float(round(2 * misses.std(ddof=1) * groups**0.5 / max(expected, 1), 6))
