"""From the evidence of streams to their verdicts: pure arithmetic on arrays, a row for each stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.analysis.native.streams import EARLY, LINES, SAMPLED, SCALES, STEPS, Evidence
from stepwell.analysis.thresholds import streams as limits
from stepwell.trace.definition import Op

PATTERNS = (
    "unknown", "sequential", "strided", "backward", "random", "whole-file", "header-then-body", "append", "mixed",
    "directory-ordered",
)  # fmt: skip
"""The names of patterns; elsewhere in this package they are numbers, the places in here."""

UNKNOWN, SEQUENTIAL, STRIDED, BACKWARD, RANDOM, WHOLE_FILE, HEADER_THEN_BODY, APPEND, MIXED, DIRECTORY_ORDERED = range(
    len(PATTERNS)
)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

_CONSECUTIVE, _GAP, _STRIDED, _BACKWARD, _REPEAT, _JUMP = range(len(STEPS))
_KINDS = (SEQUENTIAL, STRIDED, BACKWARD, RANDOM)


@dataclass(frozen=True)
class Circumstances:
    """What is known of the streams' files besides the accesses, a value for each stream.

    Attributes:
        size: bytes of the file; -1 when unknown.
        exact: whether that is its true size, and not just the largest end of an access seen.
        appending: whether it was opened with O_APPEND.
        seen: share of the trace's accesses that were not lost.
    """

    size: np.ndarray[Any, np.dtype[np.int64]]
    exact: Bools
    appending: Bools
    seen: float


VERDICT = np.dtype(
    [("pattern", "u1"), ("likely", "u1"), ("close", "?"), ("confidence", "f8"), ("stride", "i8"), ("request", "f8"),
     ("cost", "f8"), ("shares", "f8", len(_KINDS))]
)  # fmt: skip
"""A verdict: what it is called, what it would be were there more of it, and the shares of its cost by `_KINDS`.

`close` marks whole files read in about as many requests as a sequential stream begins to have (`rollup.settle`).
`stride` in bytes, 0 where there is none; `request` the bytes typically asked for; `cost` in bytes (`EQUIVALENT`).
"""

Verdicts = np.ndarray[Any, np.dtype[np.void]]


def decide(evidence: Evidence, about: Circumstances) -> Verdicts:
    """Return the verdict on each stream.

    A stream is *sequential* when its accesses go on where the last one on the same head ended, or a little further
    on; *strided* when they go on at one distance; *backward* when downwards; *random* when they do neither and rise
    and fall as a random order does; *whole-file* when a file is read or written from start to end in a few requests
    for each time;
    *header-then-body* when small requests come before one long sequential part; *append* when writes go on from a
    file's end; *mixed* when no kind has the majority, or one follows the other in time.

    Darshan's *consecutive* is the first half of sequential; its *sequential* (starts at or above where the last one
    ended) is true of half of all random accesses and of every strided one, so that it decides nothing here.
    """
    verdicts = np.zeros(len(evidence), VERDICT)
    if not len(evidence):
        return verdicts
    cost = _cost(evidence)
    shares, observed = _shares(evidence, cost)
    verdicts["shares"] = shares
    verdicts["cost"] = cost.sum(axis=1)
    verdicts["request"] = _request(evidence)
    tiled, row = _tiles(evidence)
    lattice = _lattice(evidence)
    verdicts["stride"] = np.where(tiled, row, np.where(lattice, _f(evidence["lattice"]), _distance(evidence)))
    main = shares.argmax(axis=1)
    rows = np.arange(len(evidence))
    share = shares[rows, main]
    pattern = np.array(_KINDS)[main]
    onwards = (share < limits.MAJORITY) & (shares[:, :2].sum(axis=1) >= limits.MAJORITY)
    share = np.where(onwards, shares[:, :2].sum(axis=1), share)
    touching = evidence["steps"][:, _CONSECUTIVE] >= (1 - limits.ONE_WAY) * evidence["accesses"]
    # Tiles that cover an array touch each other at their edges, and are read at the distance of its rows all the same.
    at_rows = _most(evidence, "stride")[1] >= limits.MAJORITY * _f(evidence["steps"][:, _STRIDED])
    at_rows &= shares[:, 1] >= limits.OUTWEIGHS * shares[:, 0]
    at_rows |= tiled
    pattern = np.where(onwards, np.where(touching & ~at_rows, SEQUENTIAL, STRIDED), pattern)
    certain = wilson(share, np.where(pattern == RANDOM, observed, _f(evidence["accesses"])))
    certain = np.where((pattern == RANDOM) & (observed < limits.RANDOM_MINIMUM), 0, certain)
    certain = np.where(evidence["accesses"] < limits.MINIMUM, 0, certain)
    pattern, certain = _mix(evidence, shares, share, pattern, certain)
    pattern, certain = _append(evidence, about, pattern, certain)
    pattern, certain, close = _whole(evidence, about, pattern, certain)
    verdicts["close"] = close
    pattern, certain = _header(evidence, about, verdicts["request"], pattern, certain)
    certain = certain * about.seen
    verdicts["likely"] = np.where(evidence["accesses"] > 0, pattern, UNKNOWN)
    verdicts["pattern"] = np.where(certain >= limits.CONFIDENT, pattern, UNKNOWN)
    verdicts["confidence"] = certain
    regular = np.isin(verdicts["pattern"], (STRIDED, BACKWARD))
    verdicts["stride"][~regular] = 0
    return verdicts


def wilson(share: Floats, number: Floats) -> Floats:
    """Return the lower end of the 95 % interval of a share that was observed in so many cases; 0 for none."""
    z2 = limits.Z**2
    n = np.maximum(number, 1e-9)
    centre = share + z2 / (2 * n)
    spread = limits.Z * np.sqrt(np.maximum(share * (1 - share) / n + z2 / (4 * n * n), 0))
    return np.where(number > 0, np.maximum((centre - spread) / (1 + z2 / n), 0), 0)


def _f(column: np.ndarray[Any, Any]) -> Floats:
    return column.astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return a share between 0 and 1; 0 where there is nothing."""
    return np.clip(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0), 0, 1)


def _cost(evidence: Evidence) -> Floats:
    return _f(evidence["step_bytes"]) + limits.EQUIVALENT * _f(evidence["steps"])


def _request(evidence: Evidence) -> Floats:
    """Return the request size that accounts for most of the cost; what one got, where that asks for all there is."""
    sizes = _f(evidence["request"])
    weight = _f(evidence["request_count"]) * (np.maximum(sizes, 0) + limits.EQUIVALENT)
    request = np.take_along_axis(sizes, weight.argmax(axis=1)[:, None], 1)[:, 0]
    got = _ratio_any(_f(evidence["bytes"]), _f(evidence["accesses"]))
    return np.where(request > _f(evidence["high"]), got.round(), request)


def _shares(evidence: Evidence, cost: Floats) -> tuple[Floats, Floats]:
    """Return each stream's shares of cost by `_KINDS`, and how many jumps its randomness was judged by."""
    steps = _f(evidence["steps"])
    accesses = _f(evidence["accesses"])
    chains = _f(evidence["chains"])
    in_chains = _f(evidence["chain_accesses"])
    rising, falling_on = trend(evidence)
    # Steps of short chains are chance.
    loose = slice(0, limits.CHANCE)
    foretold = accesses - steps[:, _JUMP]
    kept = 1 - _ratio((in_chains - chains)[:, loose].sum(axis=1), foretold)
    # So are as many steps as there are mirrored ones, where chains are not long.
    pieces = slice(limits.CHANCE, limits.PIECE.bit_length() - 1)
    short = _ratio(in_chains[:, : pieces.stop].sum(axis=1), accesses)
    forward, gaps, strided, backward = (steps[:, kind] for kind in (_CONSECUTIVE, _GAP, _STRIDED, _BACKWARD))
    mirrored, mirrored_gaps = _f(evidence["mirrored"]), _f(evidence["mirrored_gaps"])
    medium = _ratio(in_chains[:, : limits.STRETCH.bit_length() - 1].sum(axis=1), accesses)
    medium = np.where(~rising & ~falling_on & (mirrored >= limits.MAJORITY * forward), 1, medium)
    true_forward = kept * (1 - medium * _ratio(mirrored, forward))
    true_gaps = kept * (1 - medium * _ratio(mirrored_gaps, gaps))
    true_strided = kept * (1 - medium * _ratio(mirrored, strided))
    true_backward = kept * (1 - short * _ratio(forward, backward))
    # Many pieces are jumps; the whole piece counts as what its jumps are.
    many = chains[:, pieces].sum(axis=1) > limits.FEW_PIECES
    in_pieces = np.where(many, _ratio(in_chains[:, pieces].sum(axis=1), in_chains[:, limits.CHANCE :].sum(axis=1)), 0)
    consecutive = cost[:, _CONSECUTIVE] * true_forward
    # Without anything consecutive, holes that are alike are a stride.
    extent = np.maximum(_f(evidence["high"]) - _f(evidence["low"]), 1)
    gapless = np.abs(_f(evidence["bytes"]) / extent - 1) <= 1 - limits.ONE_WAY
    alike = _most(evidence, "hole")[1] >= limits.ALIKE * gaps
    alike &= (forward < (1 - limits.ONE_WAY) * accesses) & ~gapless
    holes = np.where(alike, 0, cost[:, _GAP] * true_gaps)
    rows = cost[:, _STRIDED] * true_strided + np.where(alike, cost[:, _GAP] * true_gaps, 0)
    back = cost[:, _BACKWARD] * true_backward
    whole = np.maximum(cost.sum(axis=1) - cost[:, _REPEAT], 0)
    jumps = np.maximum(whole - consecutive - holes - rows - back, 0)
    # Between regular jumps there may be stretches without a hole, which are part of the pattern if they are the less.
    starts = strided + backward + chains[:, limits.CHANCE :].sum(axis=1)
    length = accesses / np.maximum(starts, 1)
    touched = length * _ratio_any(_f(evidence["bytes"]), accesses)
    sparse = touched <= limits.DENSE * np.abs(_most(evidence, "stride")[0])
    nested = (length > 1.5) & (length <= limits.STRETCH)
    regular_starts = strided * true_strided + _f(evidence["jump_count"].sum(axis=1))
    by_rows = nested & (_ratio(regular_starts, starts) >= limits.MAJORITY) & _throughout(evidence, _STRIDED)
    # The stretches are between the regular jumps of their own head or of heads in turns, not of another one beside.
    by_rows &= (_f(evidence["rows"]) >= limits.ROWS * strided) | (_f(evidence["hopped"]) >= limits.ROWS * accesses)
    by_back = nested & (_ratio(backward * true_backward, starts) >= limits.MAJORITY) & _throughout(evidence, _BACKWARD)
    by_back |= falling_on & (accesses <= limits.STRETCH * (backward + steps[:, _JUMP]))
    uneven = _f(evidence["stride_count"].sum(axis=1)) < limits.MAJORITY * strided
    dense = by_rows & ~sparse & ((forward >= (1 - limits.ONE_WAY) * accesses) | uneven)
    tiled, _ = _tiles(evidence)
    by_rows, dense = by_rows | tiled, dense & ~tiled
    absorbed = (by_rows & ~dense) | by_back
    in_pieces = np.where(absorbed | dense, 0, in_pieces)
    sequential = np.where(absorbed, 0, (consecutive + holes) * (1 - in_pieces)) + np.where(dense, rows, 0)
    regular = np.where(by_rows & ~dense, consecutive + holes, 0) + np.where(dense, 0, rows)
    falling = back + np.where(by_back, consecutive + holes, 0)
    jumps = np.maximum(whole - sequential - regular - falling, 0)
    # Jumps that all go the same way are holes; such that hardly turn are no random order.
    compared = _f(evidence["upwards"]) + _f(evidence["downwards"])
    judged = compared >= limits.MINIMUM
    far, often = _most(evidence, "jump")
    even = judged & (often >= limits.ALIKE * compared)
    regular = regular + np.where(even & (far > 0), jumps, 0)
    falling = falling + np.where(even & (far < 0), jumps, 0)
    jumps = np.where(even & (far != 0), 0, jumps)
    turns = _ratio(_f(evidence["turns"]), compared)
    least = np.where(
        (compared >= 4 * limits.RANDOM_MINIMUM) & (turns <= limits.FEW_TURNS), limits.MOSTLY, limits.ONE_WAY
    )
    up = judged & (_ratio(_f(evidence["upwards"]), compared) >= least)
    down = judged & (_ratio(_f(evidence["downwards"]), compared) >= least)
    up, down = (up | rising) & ~falling_on, (down | falling_on) & ~rising
    turning = turns >= limits.TURNS[1]
    random = np.where(up | down | ~turning, 0, jumps)
    # What only rises at many distances has holes; at few, it has a stride, whatever disturbs it.
    rows_on = up & ~uneven & (regular > sequential)
    holed = rising & uneven & ~(by_rows & (2 * forward >= accesses))
    ahead = np.where(up & ~rows_on, jumps, 0) + np.where(holed, regular, 0)
    regular = np.where(holed, 0, regular) + np.where(rows_on, jumps, 0)
    lattice = _lattice(evidence)
    regular, sequential, ahead = (
        regular + np.where(lattice, sequential + ahead, 0),
        np.where(lattice, 0, sequential),
        np.where(lattice, 0, ahead),
    )
    shares = np.stack([sequential + ahead, regular, falling + np.where(down, jumps, 0), random], axis=1)
    return shares / np.maximum(whole, 1)[:, None], compared


def trend(evidence: Evidence) -> tuple[Bools, Bools]:
    """Tell whether the accesses as a whole rise, and whether they fall, whatever some of them do.

    Of n places in random order, k rising lines explain 2k/sqrt(n), about (Vershik and Kerov, 1977). What they explain
    of the rest is what tells an order. It shows on some scale: pieces that are read forwards may follow backwards.
    """
    told = np.flatnonzero(evidence["sampled"] >= limits.SAMPLES)  # with fewer there is no scale to tell it on
    number = _f(evidence["sampled"][told])[:, None] / 2 ** np.arange(SCALES)
    chance = np.minimum(2 * np.arange(1, LINES + 1) / np.sqrt(np.maximum(number, 1))[:, :, None], 1)
    enough = (number >= limits.SAMPLES)[:, :, None]
    excess = [
        np.where(enough, _ratio(_f(evidence[lines][told]) / np.maximum(number, 1)[:, :, None] - chance, 1 - chance), 0)
        for lines in ("rising", "falling")
    ]
    rising, falling = np.zeros(len(evidence)), np.zeros(len(evidence))
    rising[told], falling[told] = (one.max(axis=(1, 2)) for one in excess)
    return (rising >= limits.TREND) & (rising > falling), (falling >= limits.TREND) & (falling > rising)


def _tiles(evidence: Evidence) -> tuple[Bools, Floats]:
    """Tell which streams read tile after tile of an array of which nothing is left out, and the distance of its rows.

    Each row of a tile goes on where the tile before had left it, as readers by turns do, all at one distance; of these,
    each goes its own way, while tiles, at the end of their rows, begin anew below: once all that way for several bands.
    """
    place = np.arange(len(evidence))
    hop, count = _f(evidence["hop"]), _f(evidence["hop_count"])
    down, back = (np.where(side, count, 0) for side in (hop > 0, hop < 0))
    first, last = down.argmax(axis=1), back.argmax(axis=1)
    request, _ = _most(evidence, "request")
    row = hop[place, first] + request
    band = row - hop[place, last]
    told = down[place, first] + back[place, last]
    extent = np.maximum(_f(evidence["high"]) - _f(evidence["low"]), 1)
    found = (
        (down[place, first] > 0)
        & (back[place, last] > 0)
        & (told >= limits.TILED * _f(evidence["accesses"]))
        & (band % np.maximum(row, 1) == 0)
        & (row >= limits.ACROSS * request)
        & (extent >= limits.BANDS * band)
        & (np.abs(_f(evidence["bytes"]) / extent - 1) <= limits.COVERED)
    )
    return found, row


def _lattice(evidence: Evidence) -> Bools:
    """Tell which streams rise over places at one distance, of which they may leave out any, but not too many at once.

    That is what each of several threads has of a stride, and all of them in an order of time that is not quite its own.
    """
    request, _ = _most(evidence, "request")
    distance = _f(evidence["lattice"])
    places, on = evidence["places"].astype(np.int64), evidence["on_lattice"].astype(np.int64)
    # How many ways there are to choose those on it, times the chance that all but the first of them lie there.
    ways = _LOG_FACTORIAL[places] - _LOG_FACTORIAL[on] - _LOG_FACTORIAL[places - on]
    chance = ways + (on - 1) * np.log(np.clip(_ratio_any(request, distance), 1e-9, 1))
    extent = _f(evidence["high"]) - _f(evidence["low"])
    found: Bools = (
        (distance > 0)
        & (evidence["steps"][:, _CONSECUTIVE] <= (1 - limits.ONE_WAY) * evidence["accesses"])
        & (request <= limits.DENSE * distance)
        & (chance <= np.log(limits.BY_CHANCE))
        & (extent <= limits.HeadLimits.skips * distance * _f(evidence["accesses"]))
    )
    return found


_LOG_FACTORIAL = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, SAMPLED + 1)))])


def _most(evidence: Evidence, name: str) -> tuple[Floats, Floats]:
    """Return the value that occurred most, and how often."""
    count = evidence[f"{name}_count"]
    place = count.argmax(axis=1)[:, None]
    return _f(np.take_along_axis(evidence[name], place, 1)[:, 0]), _f(np.take_along_axis(count, place, 1)[:, 0])


def _distance(evidence: Evidence) -> Floats:
    """Return the distance at which accesses, or else jumps, follow most often."""
    (stride, often), (hole, holes), (jump, jumps) = (_most(evidence, name) for name in ("stride", "hole", "jump"))
    stride, often = np.where(holes > often, hole, stride), np.maximum(holes, often)
    return np.where(jumps > often, jump, stride)


def _throughout(evidence: Evidence, step: int) -> Bools:
    """Tell whether such steps were made all the time, not just at the beginning of many heads."""
    made = evidence["window_steps"][:, :, step] > 0
    there = np.arange(made.shape[1])[None, :] < evidence["windows"][:, None]
    return _ratio(_f((made & there).sum(axis=1)), _f(evidence["windows"])) >= limits.MAJORITY


def _ratio_any(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


Pair = tuple[np.ndarray[Any, Any], Floats]


def phases(evidence: Evidence) -> tuple[np.ndarray[Any, Any], Floats, Bools]:
    """Return for each stream and part of it in time the main kind (by `_KINDS`), its share, and if there is one."""
    steps = _f(evidence["window_steps"])
    kinds = np.stack(
        [steps[:, :, _CONSECUTIVE] + steps[:, :, _GAP], steps[:, :, _STRIDED], steps[:, :, _BACKWARD],
         steps[:, :, _JUMP]], axis=2,
    )  # fmt: skip
    number = steps.sum(axis=2)
    there = number >= np.maximum(_f(evidence["window"])[:, None] / 2, limits.MINIMUM)
    return kinds.argmax(axis=2), _ratio(kinds.max(axis=2), number), there


def _mix(evidence: Evidence, shares: Floats, share: Floats, pattern: np.ndarray[Any, Any], certain: Floats) -> Pair:
    """Find those without a majority, and those that change in time.

    A change between a stride and none is one only if there is one stride, not what several threads leave each other.
    """
    accesses = _f(evidence["accesses"])
    long = np.flatnonzero(accesses >= limits.PHASED)
    in_phases, purest = np.zeros(len(evidence), bool), np.zeros(len(evidence))
    in_phases[long], purest[long] = _in_phases(evidence[long])
    several = (np.sort(shares, axis=1)[:, -2] >= (1 - limits.MAJORITY) / 2) & (accesses >= 4 * limits.MINIMUM)
    divided = (share < limits.MAJORITY) & several
    mixed = in_phases | divided
    kept = np.where(share >= limits.MAJORITY, certain, 0)
    certain = np.where(
        in_phases, wilson(purest, accesses), np.where(divided, wilson(shares.sum(axis=1), accesses), kept)
    )
    return np.where(mixed, MIXED, pattern), certain


def _in_phases(evidence: Evidence) -> tuple[Bools, Floats]:
    """Tell which streams change in time, and the mean share of the main kind in their parts."""
    kind, purity, there = phases(evidence)
    parts = there.sum(axis=1)
    pure = there & (purity >= limits.PHASE)
    members = [(pure & (kind == one)).sum(axis=1) for one in range(len(_KINDS))]
    second = np.sort(np.stack(members, axis=1), axis=1)[:, -2]
    changes = ((kind[:, 1:] != kind[:, :-1]) & there[:, 1:]).sum(axis=1)
    strides = _f(evidence["steps"][:, _STRIDED])
    ahead = (kind <= 1) | ~there
    one_stride = _most(evidence, "stride")[1] >= limits.MAJORITY * strides
    in_phases = (
        (parts >= limits.MINIMUM)
        & ((one_stride & ~_lattice(evidence)) | ~ahead.all(axis=1))
        & (pure.sum(axis=1) >= parts - changes)
        & (second >= 1)
        & (changes <= 2)
        & (second * 6 >= parts)
    )
    return in_phases, _ratio((purity * there).sum(axis=1), _f(parts))


def _append(evidence: Evidence, about: Circumstances, pattern: np.ndarray[Any, Any], certain: Floats) -> Pair:
    """Find sequential writes that begin at the end of a file."""
    writes = (evidence["op"] == Op.WRITE) & (evidence["accesses"] > 0)
    high = _f(evidence["high"])
    at_end = (evidence["low"] > 0) & (high >= limits.WHOLE_SHARE * about.size) & (about.size > 0)
    found = writes & (about.appending | (at_end & (pattern == SEQUENTIAL)))
    sure = np.where(
        about.appending, np.maximum(certain, wilson(np.ones(len(evidence)), _f(evidence["accesses"]) + 16)), certain
    )
    return np.where(found, APPEND, pattern), np.where(found, sure, certain)


def _whole(
    evidence: Evidence, about: Circumstances, pattern: np.ndarray[Any, Any], certain: Floats
) -> tuple[np.ndarray[Any, Any], Floats, Bools]:
    """Find files that were read or written from start to end, without a jump, in a few requests for each pass.

    The last value tells which of them, or of those that took more requests, might as well have the other name.
    """
    ended = (evidence["end_of_file"] > 0) & (evidence["end_of_file"] == evidence["high"])
    best, total, high = (_f(evidence[name]) for name in ("best_bytes", "bytes", "high"))
    passes = np.maximum(np.floor(total / np.maximum(best, 1) + 1 - limits.WHOLE_SHARE), 1)
    share = _ratio(best * passes, total)
    # Passes one after the other make one chain, which begins where it began.
    rounds = np.maximum(np.rint(best / np.maximum(high, 1)), 1)
    requests = _f(evidence["best_accesses"]) / rounds
    complete = (
        # Windows that overlap go on at a distance, and are no passes.
        ~np.isin(pattern, (APPEND, STRIDED))
        & (best > 0)
        & (evidence["best_offset"] == 0)
        & (best >= limits.WHOLE_SHARE * np.maximum(high, about.size))
        & (_f(evidence["accesses"]) * limits.MAJORITY <= evidence["best_accesses"] * passes + 1)
        & (share >= limits.MAJORITY)
    )
    found = complete & (requests <= limits.WHOLE_REQUESTS)
    sure = wilson(share, np.full(len(evidence), 64.0)) * np.where(about.exact | ended, 1, limits.UNSURE_SIZE)
    pattern, certain = np.where(found, WHOLE_FILE, pattern), np.where(found, sure, certain)
    close = (requests > limits.WHOLE_REQUESTS / 2) & (requests < limits.WHOLE_REQUESTS * 2)
    return pattern, certain, complete & close & np.isin(pattern, (WHOLE_FILE, SEQUENTIAL))


def _header(
    evidence: Evidence, about: Circumstances, request: Floats, pattern: np.ndarray[Any, Any], certain: Floats
) -> Pair:
    """Find small requests at a file's start or end that come before one long sequential part."""
    body, total = _f(evidence["best_bytes"]), _f(evidence["bytes"])
    before, before_bytes = _f(evidence["best_before"]), _f(evidence["best_before_bytes"])
    length = _f(evidence["best_accesses"])
    number = np.arange(EARLY)[None, :]
    there = number < evidence["early"][:, None]
    offset, size = _f(evidence["early_offset"]), _f(evidence["early_size"])
    end = np.maximum(_f(about.size), _f(evidence["high"]))[:, None]
    edge = there & ((offset < limits.HEADER_ZONE) | (offset >= end - limits.HEADER_ZONE))
    small = edge & (size * limits.HEADER_SMALLER <= request[:, None])
    large = there & (size * limits.HEADER_SMALLER > request[:, None])
    # Small ones first, perhaps with others between them, then the body.
    last_small = np.where(small, number, -1).max(axis=1)
    first = number <= last_small[:, None]
    leading = (small & first).sum(axis=1) * 2 >= last_small + 1
    counts = np.where(evidence["request"] == request[:, None], evidence["request_count"], 0).max(axis=1)
    regular = _f(counts) * request >= limits.CONFIDENT * total
    constant = _f(counts) + limits.HEADER_ACCESSES >= limits.ONE_WAY * _f(evidence["accesses"])
    led = regular & constant & (last_small >= 0) & leading & (large & ~first).any(axis=1)
    apart = (
        regular
        & constant
        & (before >= 1)
        & (before <= limits.HEADER_ACCESSES**2)
        & (before_bytes * limits.HEADER_SMALLER <= before * request)
    )
    alike = (
        (before >= 1)
        & (before < limits.HEADER_ACCESSES)
        & ((number >= before[:, None]) | edge).all(axis=1)
        & (before + length == evidence["accesses"])
        & (length >= np.maximum(2 * before, limits.MINIMUM))
    )
    # However many they are, nothing comes after the body.
    probed = (
        (before >= 1)
        & (before <= limits.HEADER_ACCESSES**2)
        & (before + length == evidence["accesses"])
        & (before_bytes * limits.HEADER_SMALLER <= before * request)
        & (edge | ~there).all(axis=1)
    )
    long = (pattern == SEQUENTIAL) & (evidence["accesses"] > 2 * EARLY)
    one = (body >= limits.BODY * total) & ((pattern == SEQUENTIAL) | (length < limits.MINIMUM))
    found = ~np.isin(evidence["op"], (Op.WRITE, Op.MMAP)) & ((led & (one | long)) | ((apart | alike | probed) & one))
    sure = np.where(long, certain, wilson(_ratio(body, total), np.maximum(_f(evidence["accesses"]), 16)))
    return np.where(found, HEADER_THEN_BODY, pattern), np.where(found, sure, certain)
