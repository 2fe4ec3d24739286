"""What something is bound by, out of where its time went and what the storage could do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepwell.analysis.thresholds import waits as limits
from stepwell.analysis.waits.model import Account, Storage, Use, Verdict

Key = tuple[str, str]
"""Dataset and direction."""


@dataclass(frozen=True)
class Case:
    """What a verdict is drawn from."""

    account: Account
    uses: Sequence[Use]
    storages: Mapping[Key, Storage]
    timed: bool = True
    seen: bool = True
    uneven: float = 0.0
    """Share of the elapsed time that an even distribution would save."""
    slow_ns: int = 0
    """Time that slow files took longer than others."""


def verdict(case: Case) -> Verdict:
    """Return what the case is bound by; `unknown` where too little was seen to tell."""
    account = case.account
    accesses = sum(use.accesses for use in case.uses)
    shares = {
        "cpu_share": account.share(account.cpu_ns),
        "read_share": account.share(account.read_ns),
        "write_share": account.share(account.write_ns),
        "metadata_share": account.share(account.metadata_ns),
        "queued_share": account.share(account.queued_ns),
        "other_share": account.share(account.other_ns),
        "accesses": float(accesses),
    }
    if not case.timed:
        return Verdict("unknown", 0.0, "the trace has no latencies, so it cannot tell who waited", shares)
    if accesses == 0 or not account.wall_ns:
        return Verdict("unknown", 0.0, "it accessed no data", shares)
    stalled = account.share(account.storage_ns)
    if stalled < limits.STALLED:
        return _not_stalled(case, shares)
    parts = {"metadata": account.metadata_ns, "write": account.write_ns, "read": account.read_ns}
    most = max(parts, key=lambda name: parts[name])
    sure = _margin(stalled, limits.STALLED) * parts[most] / max(account.storage_ns, 1)
    if most == "metadata":
        return Verdict("metadata", sure, "it waits in open, close and the like more than in reads and writes", shares)
    if most == "write":
        return Verdict("write", sure, "it waits in writes and syncs more than in reads", shares)
    return _reading(case, shares, sure)


def _not_stalled(case: Case, shares: dict[str, float]) -> Verdict:
    account = case.account
    awake = sum(use.awake_ns for use in case.uses) / account.wall_ns
    waited = sum(_went_to_storage(case, use) for use in case.uses) / max(1, sum(use.accesses for use in case.uses))
    shares = shares | {"awake_share": awake, "waited_share": waited}
    sure = 1.0 - account.share(account.storage_ns) / limits.STALLED / 2
    if waited <= limits.CACHED and awake >= limits.AWAKE:
        return Verdict("cached", sure, "its data came from memory, and copying it is what takes time", shares)
    if account.share(account.cpu_ns) >= limits.BUSY:
        return Verdict("compute", sure, "it computes; waiting for storage takes less than a tenth of its time", shares)
    if account.share(account.cpu_ns + account.queued_ns) >= limits.BUSY:
        because = "it computes or would, if it had a processor; waiting for storage takes less than a tenth of its time"
        return Verdict("compute", sure, because, shares)
    if waited <= limits.CACHED:
        return Verdict("cached", sure, "its data came from memory", shares)
    if not case.seen:
        because = "its accesses take little of its time; whether it computes or waits for something else is not known"
        return Verdict("elsewhere", sure, because, shares)
    return Verdict("elsewhere", sure, "it waits for something that is not storage most of the time", shares)


def _went_to_storage(case: Case, use: Use) -> int:
    """Return the accesses that storage served, as far as that is known: those that slept, and slow asynchronous ones.

    Whoever makes those may wait for them anywhere, such as in epoll_wait.
    """
    storage = case.storages.get((use.dataset, use.direction))
    slow = storage is not None and storage.mean_ns >= limits.ASLEEP_NS
    return max(use.waited, use.asynchronous if slow else 0)


def _reading(case: Case, shares: dict[str, float], sure: float) -> Verdict:
    account = case.account
    reads = [use for use in case.uses if use.direction == "read"]
    use = max(reads, key=lambda use: use.asleep_ns, default=None)
    storage = case.storages.get((use.dataset, "read")) if use else None
    # Before imbalance: who has the slow file is behind the others because of it.
    slow = case.slow_ns / max(account.read_ns, 1)
    if slow >= limits.SLOW_FILE_SHARE:
        evidence = shares | {"slow_file_share": slow}
        return Verdict("slow-file", _margin(slow, limits.SLOW_FILE_SHARE), "few files are far slower", evidence)
    if case.uneven >= limits.STRAGGLER_SHARE:
        evidence = shares | {"uneven_share": case.uneven}
        return Verdict(
            "imbalance", _margin(case.uneven, limits.STRAGGLER_SHARE), "one of its workers does most of the work",
            evidence,
        )  # fmt: skip
    if storage is None or storage.fetches < limits.FEW:
        fetches = 0 if storage is None else storage.fetches
        return Verdict(
            "unknown", 0.0, f"it waits for reads, but {fetches} fetches are too few to tell why",
            shares | {"fetches": float(fetches)},
        )  # fmt: skip
    sure *= min(1.0, storage.fetches / limits.ENOUGH) ** 0.5
    if storage.throttle:
        evidence = shares | {f"limit_{storage.throttle.unit}_s": storage.throttle.rate}
        return Verdict("throttled", sure, "the storage holds one rate after a burst, as a quota does", evidence)
    share, known = latency_share(storage)
    evidence = shares | {
        "latency_share": share,
        "fetch_ns": storage.mean_ns,
        "fetch_bytes": storage.mean_bytes,
        "fetches": float(storage.fetches),
        "depth": storage.depth,
    }
    if storage.scales is False:
        return Verdict("bandwidth", sure, "more fetches at once brought no more bytes", evidence)
    sure *= (0.5 + abs(share - 0.5)) * (1.0 - min(storage.error, 0.5)) * (1.0 if known else 0.6)
    if share >= 0.5:
        return Verdict("latency", sure, "most of a fetch's time passes before its bytes flow", evidence)
    return Verdict("bandwidth", sure, "most of a fetch's time passes while its bytes flow", evidence)


def latency_share(storage: Storage) -> tuple[float, bool]:
    """Return the share of a mean fetch's time in which its bytes do not flow, and whether the trace shows it.

    Where all fetches have one size, bytes are taken to flow at a usual rate.
    """
    known = storage.bytes_s is not None
    rate = storage.bytes_s.value if storage.bytes_s else limits.PLAUSIBLE_BYTES_S[1]
    return max(0.0, 1.0 - storage.mean_bytes * 1e9 / rate / max(storage.mean_ns, 1.0)), known


def _margin(value: float, threshold: float) -> float:
    """Return the confidence that a value is above a threshold it exceeds: 0.5 at the threshold, 1 from twice it on."""
    return min(1.0, 0.5 * value / threshold)
