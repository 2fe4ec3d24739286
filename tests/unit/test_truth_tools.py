"""The list of programs of others: what it calls true is said in the words of verdicts, of files that are made."""

from __future__ import annotations

from typing import Any

import pytest
from tests.bench.tools import NEAR, commonest, right
from tests.truth.tools import DATA, FIRST, ORDER, Case, Claim, of
from tests.truth.tools_later import SECOND

from stepwell.analysis.reuse.decide import WORDS
from stepwell.analysis.streams.decide import PATTERNS

SAID = {
    "pattern": set(PATTERNS),
    "reuse": set(WORDS),
    "by": {"name", "size", "mtime", "inode", "listing", "shuffled"},
    "looping": {"epochs", "sampling", "once", "interleaved"},
    "relation": {"same", "window", "reversed", "partly", "reshuffled"},
    "sharing": {"alone", "partitioned", "all read all", "overlapping", "leader", "process per file", "in turn"},
}


@pytest.mark.parametrize("cases", [FIRST, SECOND], ids=["first", "second"])
def test_claims_are_in_the_words_of_verdicts(cases: list[Case]) -> None:
    for case in cases:
        assert case.claims, case.name
        assert set(case.needs.split()) <= set(DATA), case.name
        for claim in case.claims:
            if claim.what == "stride":
                assert all(int(distance) for distance in claim.right), case.name
            else:
                assert claim.right <= SAID[claim.what], case.name
            assert (claim.what in ("pattern", "stride", "reuse")) == (claim.subject != ORDER), case.name


def test_no_program_is_asked_twice() -> None:
    names = [case.name for case in [*FIRST, *SECOND]]
    assert len(set(names)) == len(names)


def row(path: str, octets: int, **more: Any) -> dict[str, Any]:
    said = {"scope": "file", "op": "read", "pattern": "random", "stride": None, "reuse": "once", "confidence": 0.5}
    return said | {"path": f"/w/data/{path}", "bytes": octets} | more


def test_the_verdict_on_several_files_is_their_commonest_and_of_what_moves_most_bytes() -> None:
    rows = [
        row("a/1", 7, pattern="sequential", confidence=0.75),
        row("a/2", 7, pattern="sequential", confidence=1.0),
        row("a/3", 97),
        row("a/3", 997, op="write"),
        row("b", 9973, op="mmap"),
    ]
    (claim,) = of("a/*", pattern="sequential")
    assert commonest(rows, claim) == ("sequential", 0.875)
    assert commonest(rows, of("*", pattern="random")[0]) == ("random", 0.5)
    assert commonest(rows, of("c", pattern="random")[0]) == ("", 0)


def test_a_stride_is_right_within_two_percent() -> None:
    claim = Claim("a", "", "stride", frozenset({"-100000"}))
    assert right(claim, str(-100_000 - int(NEAR * 100_000)))
    assert not right(claim, "-102001")
    assert not right(claim, "100000")
    assert not right(claim, "None")
