"""DFTracer's lines as events: many at once where they are plain, one by one where they are not.

msgspec reads plain lines in a fifth of the time of Python's json, and into members with types.  What it reads
differently, or not at all, is left to the other: odd bytes in names, numbers that are none, two objects on a line.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np


class Args(msgspec.Struct, gc=False):
    """What an event says in `args`, as far as it means something here; None where it is missing."""

    hhash: str | None = None
    fhash: str | None = None
    fname: str | None = None
    ret: int | None = None
    count: int | None = None
    offset: int | None = None
    size: int | None = None
    flags: int | None = None
    whence: int | None = None
    ppid: int | None = None
    mode: Any = None
    name: Any = None
    value: Any = None
    cmd_hash: Any = None


class Event(msgspec.Struct, gc=False):
    """One event; None where something is missing."""

    name: str | None = None
    cat: str | None = None
    pid: int | None = None
    tid: int | None = None
    ts: int | None = None
    dur: int | None = None
    args: Args | None = None


_MANY = msgspec.json.Decoder(Event)


def events(text: bytes) -> list[Event] | None:
    r"""Return the events of whole lines, each ended by \n; None where some must be read one by one."""
    if text.endswith(b",\n"):
        text = text.replace(b"},\n", b"}\n")
    octets = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(octets == ord("\n"))
    # No comma stands at }\n{, so that can only be where one object ends and another begins.
    if not (
        text.startswith(b"{") and (octets[ends - 1] == ord("}")).all() and (octets[ends[:-1] + 1] == ord("{")).all()
    ):
        return None
    try:
        found = _MANY.decode_lines(text)
    except (ValueError, RecursionError):
        return None
    return found if len(found) == len(ends) else None


def event(line: bytes) -> Event | None:
    """Return the event of one line; None if it is no JSON object."""
    text = line.strip().rstrip(b",").decode("utf-8", "surrogateescape")
    try:
        said, end = _ONE(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or end != len(text):
        return None
    given = said.get("args")
    given = given if isinstance(given, dict) else {}
    args: dict[str, Any] = {name: given.get(name) for name in ("mode", "name", "value", "cmd_hash")}
    args |= {name: _integer(given.get(name)) for name in ("ret", "count", "offset", "size", "flags", "whence", "ppid")}
    args |= {name: str(given[name]) for name in ("fhash", "fname") if given.get(name) is not None}
    args["hhash"] = str(given.get("hhash") or "")
    own: dict[str, Any] = {name: _integer(said.get(name)) for name in ("pid", "tid", "ts", "dur")}
    return Event(name=_text(said.get("name")), cat=_text(said.get("cat")), **own, args=Args(**args))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int | None:
    return value if type(value) is int else None  # bool is another type


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


_MOST_DIGITS = 4000
"""Python refuses to read longer integers, which mean nothing here."""

_ONE = json.JSONDecoder(parse_int=_number).raw_decode
