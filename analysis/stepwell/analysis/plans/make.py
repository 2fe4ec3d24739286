"""From what is known of a trace to a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stepwell.analysis.advice import Facts, Input, Span, nothing_to_win
from stepwell.analysis.advice.drawn import Matter
from stepwell.analysis.advice.gains import ahead, inputs, speedup
from stepwell.analysis.plans.choice import Choice, choose
from stepwell.analysis.plans.engines import ENGINES, Case, gain
from stepwell.analysis.plans.measured import doubts, of, with_measured
from stepwell.analysis.plans.model import VERSION, Budget, Figure, Gain, Plan, Setting, Target
from stepwell.analysis.plans.sizes import Sizes, sizes
from stepwell.analysis.storage import Bench
from stepwell.analysis.thresholds import advice as bounds
from stepwell.analysis.thresholds import plans as limits
from stepwell.analysis.waits.model import Storage, Team, Use
from stepwell.trace.format import duration, size, throughput

MODEL = (
    "time of a request = latency + bytes / rate; requests under way = what readers take a second x time of a request /"
    " block (Little's law); at least the storage gives the rate seen, beside all else, for four fifths of the time"
    " after the first second; at most nobody waits"
)
"""How gains are predicted, in words."""

DEFAULT = Budget(memory_bytes=limits.MEMORY_BYTES, in_flight=limits.IN_FLIGHT)
"""What acting may cost unless a user says otherwise."""


@dataclass(frozen=True)
class _Planned:
    """One target with what engines decide on."""

    target: Target
    case: Case | None = None


def make(facts: Facts, budget: Budget = DEFAULT, mode: str = "auto", benches: Sequence[Bench] = ()) -> Plan:
    """Return what to do about the data that a trace's teams read.

    Args:
        facts: what is known.
        budget: what acting may cost.
        mode: as in `Plan`.
        benches: storages that were measured on purpose; they stand in for what the trace shows of them.
    """
    facts = with_measured(facts, benches)
    storages = {one.dataset: one for one in facts.waits.storages if one.direction == "read"}
    planned = [
        _doubted(_one(Matter(facts, team, use, storages.get(use.dataset)), budget, bench), bench)
        for team in facts.waits.teams
        for use in _listed(team)
        for bench in [of(use.dataset, benches)]
    ]
    planned.sort(key=_order)
    return Plan(
        version=VERSION,
        mode=mode,
        budget=budget,
        targets=tuple(one.target for one in planned[:_MOST]),
        settings=tuple(_settings(planned))[:_MOST],
        trace=facts.waits.trace,
    )


_MOST = 1_000
"""Most targets, and settings, of a plan: what its form allows."""


def _listed(team: Team) -> Iterator[Use]:
    """Return what a team reads, but for what it hardly waits for."""
    reads = [use for use in team.uses if use.direction == "read" and use.dataset]
    stall = sum(use.asleep_ns for use in reads)
    for number, use in enumerate(reads):
        if number == 0 or use.asleep_ns >= limits.LISTED * stall:
            yield use


def _order(planned: _Planned) -> tuple[int, str, str]:
    found = planned.target.gain
    return -(found.low_permille + found.high_permille if found else 0), planned.target.path, planned.target.reason


def _one(matter: Matter, budget: Budget, bench: Bench | None) -> _Planned:
    reason = nothing_to_win(matter.facts, matter.team)
    if reason is not None:
        return _Planned(_alone(matter, reason))
    if _little(matter):
        return _Planned(_alone(matter, f"a single pass that waits for only {duration(_stall(matter))}"))
    chosen = choose(matter, budget.memory_bytes)
    if matter.storage is None:
        return _Planned(_alone(matter, chosen.why))
    found = sizes(matter, matter.storage, chosen.policy, budget, bench)
    case = Case(matter, chosen.policy, found)
    if chosen.policy == "none":
        return _Planned(_alone(matter, chosen.why), case)
    fetches = found.in_flight * max(1.0, found.block_bytes / max(matter.storage.mean_bytes, 1.0))
    won = ahead(matter.team, matter.use, matter.storage, fetches)
    acting = limits.ACTING * max(0.0, 1 - limits.START_NS / max(matter.team.elapsed_ns, 1))
    hidden = Span(won.low * chosen.covered.low * acting, won.high * chosen.covered.high)
    predicted = gain(speedup(matter.team, hidden))
    if predicted.high_permille < limits.WORTH_PERMILLE:
        percents = (predicted.high_permille - 1000) / 10
        target = _alone(matter, f"{chosen.why}, but it could gain {percents:.2g} % at most")
        return _Planned(replace(target, gain=predicted, inputs=_figures(matter, matter.storage, found)), case)
    return _Planned(_target(matter, matter.storage, chosen, found, predicted), case)


def _doubted(planned: _Planned, bench: Bench | None) -> _Planned:
    """Say in the reason what the measurement that numbers came from says against itself."""
    said = doubts(bench) if bench and planned.target.gain else ""
    if not said:
        return planned
    reason = f"{planned.target.reason}; `stepwell bench` said of its numbers: {said}"
    return replace(planned, target=replace(planned.target, reason=reason))


def _target(matter: Matter, storage: Storage, chosen: Choice, found: Sizes, predicted: Gain) -> Target:
    cache = matter.facts.cache(matter.use.dataset)
    stride = matter.pattern.stride if chosen.policy == "strided" and matter.pattern else None
    return Target(
        path=matter.use.dataset,
        policy=chosen.policy,
        reason=f"{chosen.why}; readers wait {duration(_stall(matter))} of {duration(matter.team.elapsed_ns)},"
        f" a request of {size(found.block_bytes)} takes {duration(found.request_ns)}, and without waiting they would"
        f" take {throughput(found.demand_bytes_s)}",
        workload=matter.team.workload or None,
        block_bytes=found.block_bytes,
        in_flight=found.in_flight,
        window_bytes=found.window_bytes,
        stride_bytes=stride or None,
        cache_bytes=cache.size if cache else None,
        gain=predicted,
        model=MODEL,
        inputs=_figures(matter, storage, found),
    )


def _alone(matter: Matter, reason: str) -> Target:
    return Target(matter.use.dataset, "none", reason, workload=matter.team.workload or None)


def _stall(matter: Matter) -> float:
    """Return the elapsed time that a team waits for a dataset's reads, in ns."""
    return matter.use.asleep_ns / max(matter.team.width, 1.0)


def _little(matter: Matter) -> bool:
    """Return whether there is only one short pass over the data."""
    once = matter.use.bytes <= limits.UNEVEN * matter.use.file_bytes
    return once and _stall(matter) < bounds.NO_TIME_NS


def _figures(matter: Matter, storage: Storage, found: Sizes) -> tuple[Figure, ...]:
    """Return what the prediction was made from, as integers; shares in thousandths."""
    own = (
        Input("time of a request of the plan", found.request_ns, "ns"),
        Input("rate at which readers would take it without waiting", found.demand_bytes_s, "bytes/s"),
    )
    return tuple(_figure(one) for one in (*inputs(matter.team, storage), *own))


def _figure(one: Input) -> Figure:
    if one.unit == "1" and "share" in one.name:
        return Figure(one.name, round(1000 * one.value), "permille")
    return Figure(one.name, min(round(one.value), 1 << 62), "count" if one.unit == "1" else one.unit)


def _settings(planned: Sequence[_Planned]) -> Iterator[Setting]:
    """Return what to set in engines, each setting of a dataset once: as the first target wants it."""
    seen = set()
    for one in planned:
        if one.case is None:
            continue
        for engine in ENGINES:
            for setting in engine.settings(one.case):
                if (setting.path, setting.name) not in seen:
                    seen.add((setting.path, setting.name))
                    yield setting
