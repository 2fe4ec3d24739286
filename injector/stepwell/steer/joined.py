"""Runs of a reader whose sizes vary, as one: a file of records is read along, and hardly two reads are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

Records = np.ndarray[Any, np.dtype[np.void]]

_STREAM = ("thread", "open", "op")


def joined(runs: Records, told: np.ndarray[Any, np.dtype[np.uint64]]) -> Records:
    """Return runs in order of time, those of a stream that go on where the one before ended as one.

    The accesses of such a run are of equal size, near enough: together they cover what was read, and not a byte more.

    Args:
        runs: those that ended, of RUN's numpy type, with bytes each.
        told: when those began that were told while they were open; they stay as they are.
    """
    runs = runs[np.lexsort((runs["start_ns"], *(runs[name] for name in reversed(_STREAM))))]
    count, size = runs["count"].astype(np.int64), runs["size"].astype(np.int64)
    octets = (count - 1) * size + runs["tail"].astype(np.int64)
    along = ((count == 1) | (runs["stride"] == size)) & (runs["tail"] > 0) & ~np.isin(runs["start_ns"], told)
    goes_on = along[1:] & along[:-1] & (runs["offset"][1:].astype(np.int64) == runs["offset"][:-1] + octets[:-1])
    for name in _STREAM:
        goes_on &= runs[name][1:] == runs[name][:-1]
    first = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    last = np.append(first[1:], len(runs)) - 1
    found = runs[first]
    for name in ("count", "latency_ns", "wait_ns"):
        found[name] = np.add.reduceat(runs[name], first)
    found["span_ns"] = runs["start_ns"][last] + runs["span_ns"][last] - runs["start_ns"][first]
    many, number = last > first, found["count"].astype(np.int64)
    stride = np.add.reduceat(octets, first) // number
    rest = np.add.reduceat(octets, first) - stride * (number - 1)
    for name, value in (("stride", stride), ("size", rest), ("tail", rest)):
        found[name] = np.where(many, value, found[name])
    return found[np.argsort(found["start_ns"], kind="stable")]
