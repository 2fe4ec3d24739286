"""Messages as lines of JSON, and back: `encode` and `decode` are each other's inverse."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from stepwell.prefetch.errors import ProtocolError
from stepwell.prefetch.protocol import (
    Answer,
    Asked,
    Budget,
    Close,
    Gap,
    Message,
    Mode,
    Open,
    Order,
    Position,
    Refused,
    Root,
    Run,
    Status,
    Stop,
)  # fmt: skip

LARGEST = 2**63
"""One more than the largest number that is sent; they are 64 bits on all sides."""

_KINDS: dict[str, type] = {
    kind.__name__.lower(): kind
    for kind in (Root, Budget, Mode, Gap, Run, Asked, Open, Close, Order, Position, Stop, Status, Refused)
}


def encode(message: Message | Answer) -> bytes:
    """Return a message as its line, newline included."""
    kind = {"type": type(message).__name__.lower()}
    return json.dumps(kind | vars(message), separators=(",", ":"), default=vars).encode() + b"\n"


def decode(line: bytes | str) -> Message | Answer:
    """Return the message of a line; fields that are not known are ignored, as a later version may send them.

    Raises:
        ProtocolError: it is no JSON object, its type is unknown, a field is missing or has another type.
    """
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}; send one object a line") from None
    if not isinstance(given, dict):
        raise ProtocolError('not a JSON object; send one like {"type":"stop"}')
    kind = _KINDS.get(str(given.get("type")))
    if kind is None:
        raise ProtocolError(f"unknown type {given.get('type')!r}; known are {', '.join(_KINDS)}")
    decoded: Message | Answer = _object(kind, given, str(given["type"]))
    return decoded


@cache
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@cache
def _plain(kind: type) -> dict[str, type | None]:
    """The type of each field whose values need no making, None for the others."""
    plain: dict[str, type | None] = {}
    for name, wanted in _types(kind).items():
        first = typing.get_args(wanted)[0] if isinstance(wanted, types.UnionType) else wanted
        plain[name] = first if first in (str, int, bool) else None
    return plain


def _object(kind: type, given: dict[str, Any], where: str) -> Any:
    wanted, values = _types(kind), {}
    for name, plain in _plain(kind).items():
        if name in given:
            value: Any = given[name]
            # Most fields: this is the way of every access of every reader.
            easy = type(value) is plain and (not isinstance(value, int) or -LARGEST <= value < LARGEST)
            values[name] = value if easy else _value(wanted[name], value, f"{where}.{name}")
    try:
        return kind(**values)
    except TypeError:
        missing = [one.name for one in fields(kind) if one.name not in values]
        raise ProtocolError(f"{where} lacks {' or '.join(missing)}; PROTOCOL.md has the fields") from None


def _value(wanted: Any, given: Any, where: str) -> Any:
    """Check one value against its type; also makes enumerations, tuples and nested objects of it."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return None if given is None else _value(arguments[0], given, where)
    if origin is tuple and isinstance(given, list):
        return tuple(_value(arguments[0], one, where) for one in given)
    if origin is dict and isinstance(given, dict):
        return {str(key): _value(arguments[1], one, where) for key, one in given.items()}
    if is_dataclass(wanted) and isinstance(wanted, type) and isinstance(given, dict):
        return _object(wanted, given, where)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        if given in list(wanted):
            return wanted(given)
        raise ProtocolError(f"{where} is {given!r}; it may be {', '.join(wanted)}")
    if isinstance(wanted, type) and type(given) is wanted:
        if isinstance(given, int) and not -LARGEST <= given < LARGEST:
            raise ProtocolError(f"{where} is {given}, which does not fit 64 bits")
        return given
    raise ProtocolError(f"{where} is {type(given).__name__}, not {getattr(wanted, '__name__', wanted)}")
