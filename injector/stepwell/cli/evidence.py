"""The evidence behind verdicts and findings in words: the same for the report and for `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.cli.format import count, duration, percent, plural, size, throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stepwell.analysis.advice import Finding, Input

FASTEST = 1 << 40
"""Bytes a second that no storage has: where the fit gives more, its rate did not show beside its latency."""

_STEPS = {
    "consecutive": "begin where the one before ended",
    "gap": "begin a little further",
    "strided": "begin a constant step further",
    "backward": "go back",
    "repeat": "begin at the same offset again",
    "jump": "go elsewhere",
}
"""What steps between accesses are called in the evidence of a stream."""


def _shares(name: str, shares: dict[str, float]) -> str:
    ordered = sorted(shares.items(), key=lambda share: -share[1])
    return f"{name}: " + ", ".join(f"{percent(share)} {pattern}" for pattern, share in ordered)


def _steps(steps: dict[str, int]) -> str:
    ordered = sorted(steps.items(), key=lambda step: -step[1])
    return "accesses: " + ", ".join(f"{count(number)} {_STEPS.get(name, name)}" for name, number in ordered)


def _counters(counters: dict[str, Any]) -> str:
    records = f"rests on {plural(counters['records'], 'record')} of Darshan's counters: no access of it is in the log"
    largest = counters.get("largest")
    if not largest:
        return records
    which = "that" if counters["records"] == 1 else "the largest"
    return (
        f"{records}; {which} has {plural(int(largest['steps']), 'step')},"
        f" {percent(largest['consecutive'])} of them consecutive, {percent(largest['forward'])} forward,"
        f" {percent(largest['regular'])} over the same gap of {size(int(largest['gap']))};"
        f" {percent(largest['transferred_to_extent'])} of the file up to the highest byte was transferred"
    )


def _reuse(found: dict[str, Any]) -> str:
    if not found.get("blocks"):
        return "no block was followed"
    said = [
        f"{plural(found['blocks'], 'block')} of {size(found['block'])} followed, 1 in {1 / found['sampled']:.3g}"
        if found["sampled"] < 1
        else f"all {plural(found['blocks'], 'block')} of {size(found['block'])} followed",
        f"each used {found['uses_per_block']:.3g} times on average",
        f"{percent(found['used_again'])} of uses are of a block used before",
    ]
    said += [words(found[key]) for key, words in _REUSE.items() if key in found]
    return "; ".join(said)


_REUSE: dict[str, Callable[[Any], str]] = {
    "read_once": lambda share: f"{percent(share)} of what is read is read once",
    "median_distance": lambda octets: f"half of these within {size(octets)} of other data",
    "distances_alike": lambda share: f"{percent(share)} of these at about that distance",
    "gaps_vary": lambda times: f"gaps between uses of a block differ {times:.2g} times as much as by chance",
    "exponent": lambda value: f"popularity like Zipf's with exponent {value:.2f}",
    "even": lambda _: "all blocks are equally popular, in no order",
    "as_its_dataset": lambda _: "too little by itself: as its dataset",
    "likely": lambda word: f"too little to be sure; most like {word}",
}
"""The figures behind a verdict on reuse in words, but for those that every verdict has."""


def _reused(verdict: str, found: dict[str, Any]) -> str:
    """Return a verdict on reuse, with its own confidence and its figures."""
    sure = f", {percent(found['confidence'])} sure" if found.get("confidence") else ""
    return f"reuse {verdict}{sure}: {_reuse(found)}"


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "counters": _counters,
    "steps": _steps,
    "heads": lambda heads: f"{plural(heads, 'long chain')} of accesses beside each other",
    "chain": lambda chain: f"longest chain: {plural(chain['accesses'], 'access', 'accesses')}, {size(chain['bytes'])}",
    "covered": lambda share: f"{percent(share)} of the range from the lowest offset to the highest end was transferred",
    "lattice": lambda found: (
        f"{percent(found['share'])} of sampled offsets lie at multiples of {size(found['distance'])} from each other"
    ),
    "jumps": lambda jumps: (
        f"jumps: {count(jumps['up'])} up, {count(jumps['down'])} down, {count(jumps['turns'])} turns"
    ),
    "by_chance": lambda steps: f"a random order would give {plural(steps, 'such step')} by chance",
    "around_faults": lambda faults: f"{plural(faults, 'page fault')} mapped a range around",
    "phases": lambda parts: (
        "over time: " + ", ".join(f"{part['pattern']} from {duration(part['from_ns'])} on" for part in parts)
    ),
    "streams": lambda streams: f"{plural(streams, 'stream')}: an open file by one thread each",
    "by_bytes_and_accesses": lambda shares: _shares("by bytes and by accesses", shares),
    "by_bytes": lambda shares: _shares("by bytes", shares),
    "by_accesses": lambda shares: _shares("by accesses", shares),
    "in_order_of": lambda by: f"files are read whole, in the order of their {by}",
    "by_turns": lambda _: "several streams take turns, and together leave nothing out",
    "differ": lambda _: "bytes and accesses say different things",
    "likely": lambda pattern: f"too little to be sure; most like {pattern}",
}
"""The keys of the view's column `evidence` in words, in the order in which they are told."""


def evidence(found: dict[str, Any], reuse: str) -> list[str]:
    """Return the evidence behind a verdict on a pattern, a sentence each; the figures are those of view `patterns`.

    Args:
        found: the evidence.
        reuse: the verdict on reuse, whose evidence comes last.
    """
    found = dict(found)
    reused = found.pop("reuse", None)
    if found.get("by_bytes") and found["by_bytes"] == found.get("by_accesses"):
        found["by_bytes_and_accesses"] = found.pop("by_bytes")
        del found["by_accesses"]
    known = [words(found[key]) for key, words in _SENTENCES.items() if found.get(key)]
    others = [f"{key.replace('_', ' ')}: {value}" for key, value in found.items() if value and key not in _SENTENCES]
    return known + others + ([_reused(reuse, reused)] if reused else [])


def figures(found: dict[str, float]) -> str:
    """Return the numbers behind a verdict on waiting, whose names end with their unit, in words."""
    return ", ".join(f"{_named(name)} {_figure(name, value)}" for name, value in found.items())


def _named(name: str) -> str:
    return _FIGURES.get(name, name.replace("_", " "))


def _figure(name: str, value: float) -> str:
    if name.endswith("_ns"):
        return duration(value)
    if name.endswith("_bytes"):
        return size(value)
    if name.endswith("_share"):
        return percent(value)
    return _number(value)


def _number(value: float) -> str:
    """Return a count, or a share, in three significant digits or whole."""
    return count(round(value)) if value == round(value) or value >= 100 else f"{value:.3g}"


_FIGURES = {
    "cpu_share": "on a processor",
    "read_share": "asleep in reads",
    "write_share": "asleep in writes",
    "metadata_share": "in opens and closes",
    "queued_share": "ready without a processor",
    "other_share": "waiting for anything else",
    "awake_share": "awake in accesses",
    "waited_share": "accesses that slept",
    "latency_share": "of a fetch before its bytes flow",
    "uneven_share": "saved by even shares",
    "slow_file_share": "of the stall because of slow files",
    "fetch_ns": "time of a fetch",
    "fetch_bytes": "bytes of a fetch",
    "depth": "fetches at once",
    "limit_bytes_s": "limit in bytes/s",
    "limit_fetches_s": "limit in fetches/s",
}
"""What the figures of a verdict on waiting are called, where their names do not say it."""


def rate(bytes_s: float) -> str:
    """Return a rate; one that is too high to have been measured as that."""
    return throughput(bytes_s) if bytes_s < FASTEST else f"over {throughput(FASTEST)}"


def amount(given: Input) -> str:
    """Return the number that a model was fed with, in its unit."""
    shown = {"ns": duration, "bytes": size, "bytes/s": rate}.get(given.unit)
    return shown(given.value) if shown else _number(given.value)


def inputs(given: Iterable[Input]) -> str:
    """Return the numbers that a model was fed with, by name."""
    return ", ".join(f"{one.name} {amount(one)}" for one in given)


def gain(found: Finding) -> str:
    """Return what a finding would make of the elapsed time, short enough for a table."""
    low, high = found.speedup.low, found.speedup.high
    if high < 1.005:
        return "nothing to win"
    return f"{low:.2f}x - {high:.2f}x" if high < 2 else f"{low:.1f}x - {high:.1f}x"
