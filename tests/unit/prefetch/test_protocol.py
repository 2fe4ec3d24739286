from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stepwell.prefetch import codec, protocol
from stepwell.prefetch.codec import decode, encode
from stepwell.prefetch.errors import ProtocolError
from stepwell.prefetch.protocol import Budget, Entry, Order, Policy, Root, Run, Stop

RUN: dict[str, Any] = {
    "type": "run", "stream": "7:3", "path": "/d/a", "offset": 0, "size": 4096, "stride": 4096, "count": 3,
    "start_ns": 5, "end_ns": 17,
}  # fmt: skip


@given(st.sampled_from([*codec._KINDS.values()]).flatmap(st.from_type))
def test_a_decoded_line_is_the_encoded_message(message: protocol.Message | protocol.Answer) -> None:
    line = encode(message)
    assume(all(-(2**63) <= int(number) < 2**63 for number in re.findall(rb"-?\d+", line)))
    assert decode(line) == message
    assert line.count(b"\n") == 1


def test_optional_fields_may_be_left_out_and_unknown_ones_are_ignored() -> None:
    assert decode(json.dumps(RUN | {"later": 1})) == Run("7:3", "/d/a", 0, 4096, 4096, 3, 5, 17)
    assert decode('{"type":"root","path":"/d","policies":["strided"]}') == Root("/d", (Policy.STRIDED,))
    assert decode('{"type":"order","entries":[{"path":"b"}],"done":true}') == Order((Entry("b"),), True)
    assert decode(b'{"type":"stop"}') == Stop()
    assert decode('{"type":"budget","memory_bytes":5}') == Budget(5)


def test_a_path_that_is_no_text_survives() -> None:
    path = b"/d/\xff\n\xe4".decode("utf-8", "surrogateescape")
    assert decode(encode(protocol.Open(path, "1", 2))) == protocol.Open(path, "1", 2)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type":"leap"}', "unknown type 'leap'; known are root, budget"),
        ('{"type":["run"]}', "unknown type"),
        (json.dumps({**RUN, "offset": "0"}), "run.offset is str, not int"),
        (json.dumps({**RUN, "offset": True}), "run.offset is bool, not int"),
        (json.dumps({**RUN, "offset": 2**63}), "does not fit 64 bits"),
        (json.dumps({**RUN, "path": None}), "run.path is NoneType, not str"),
        ('{"type":"run","stream":"1"}', "run lacks path or offset or size"),
        ('{"type":"root","path":"/","policies":["all"]}', "root.policies is 'all'; it may be none, sequential"),
        ('{"type":"order","entries":[5]}', "order.entries is int, not Entry"),
    ],
)
def test_a_wrong_line_is_refused_with_the_field(line: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says.replace("[", r"\[")):
        decode(line)


def test_the_document_names_every_message_and_field() -> None:
    document = protocol.__file__.replace("protocol.py", "PROTOCOL.md")
    with open(document) as file:  # noqa: PTH123
        text = file.read()
    for kind in (protocol.Root, Budget, protocol.Mode, Run, protocol.Open, Order, protocol.Position):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{kind.__name__.lower()}`"))
        for name in codec._types(kind):
            assert f"`{name}`" in row
    for name in codec._types(protocol.Status):
        assert name == "time_ns" or f"`{name}`" in text
