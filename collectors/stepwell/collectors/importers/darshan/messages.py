"""What the process that reads a Darshan log passes on: a line of JSON, then as many bytes as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

SEGMENT = np.dtype([("offset", "<i8"), ("length", "<i8"), ("start", "<f8"), ("end", "<f8")])
"""One access of a DXT record (`segment_info` of Darshan's library); times in seconds since the job's start."""


@dataclass(frozen=True)
class Message:
    """One message.

    Kinds: `job`, `names` (of records), `counters` (of one record), `segments` (DXT, some of one record), `end` (all was
    read) or `failed` (why).
    """

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def pack(message: Message) -> bytes:
    """Return a message as bytes."""
    head = [message.kind, len(message.payload), message.facts]
    return json.dumps(head).encode() + b"\n" + message.payload


def unpack(stream: IO[bytes]) -> Iterator[Message]:
    """Yield the messages of a stream until it ends, wherever it does.

    Raises:
        ValueError: what comes is no message.
    """
    while line := stream.readline():
        if not line.endswith(b"\n"):
            return
        kind, size, facts = json.loads(line)
        payload = stream.read(size)
        if len(payload) < size:
            return
        yield Message(kind, facts, payload)
