"""What single reads say of their storage."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from stepwell.analysis.storage import (
    Bench,
    BenchFileError,
    Cell,
    Choice,
    Range,
    Reads,
    dump,
    judge,
    keeps,
    load,
    schema,
)
from stepwell.cli.main import cli

BLOCKS = tuple(4096 << power for power in range(0, 13, 2))
LATENCY_NS, BYTES_S = 20_000_000, 90_000_000


def reads(block: int, threads: int, times: list[int], *, repeated: bool = False, failed: int = 0) -> Reads:
    """Return rounds of `threads` reads that begin together, of which the first fail."""
    rounds = np.repeat(np.arange(-(-len(times) // threads)), threads)[: len(times)]
    begin = rounds * max(times, default=0) + 17
    octets = np.full(len(times), block)
    octets[:failed] = -1
    mask = np.full(len(times), repeated)
    return Reads(block, threads, begin, begin + np.array(times, np.int64), octets, mask)


def time_of(block: int, request: int = 1 << 62) -> int:
    whole, rest = divmod(block, request)
    return whole * time_of(request) + (time_of(rest) if rest else 0) if whole else LATENCY_NS + block * 10**9 // BYTES_S


def alone(request: int = 1 << 62) -> list[Reads]:
    return [
        reads(block, 1, [time_of(block, request) + noise for noise in (0, 1009, 2003, -997, 0, 11, -7)])
        for block in BLOCKS
    ]


def test_latency_and_rate_are_those_of_a_request() -> None:
    found = judge(alone())
    assert found.latency_ns is not None
    assert found.bytes_s is not None
    assert found.latency_ns.value == pytest.approx(LATENCY_NS, rel=1e-3)
    assert found.bytes_s.value == pytest.approx(BYTES_S, rel=1e-3)
    assert found.latency_ns.low <= found.latency_ns.value <= found.latency_ns.high
    assert found.knee_bytes == pytest.approx(1_800_000, rel=2e-3)
    assert found.error_permille == 0
    assert found.request_bytes is None


@pytest.mark.parametrize("request_bytes", [1 << 18, 1 << 20])
def test_reads_that_are_taken_apart_do_not_bend_the_line(request_bytes: int) -> None:
    found = judge(alone(request_bytes))
    assert found.request_bytes == request_bytes
    assert found.latency_ns is not None
    assert found.bytes_s is not None
    assert found.latency_ns.value == pytest.approx(LATENCY_NS, rel=1e-3)
    assert found.bytes_s.value == pytest.approx(BYTES_S, rel=1e-3)


def test_a_size_alone_tells_no_line() -> None:
    found = judge([reads(4096, 1, [LATENCY_NS] * 47)])
    assert (found.latency_ns, found.bytes_s, found.knee_bytes, found.error_permille) == (None, None, None, None)
    assert found.choice == Choice(4096, 1, 1, 4096 * 47 * 10**9 // (47 * LATENCY_NS))


def test_nothing_is_concluded_from_nothing() -> None:
    found = judge([])
    assert (found.cells, found.most_bytes_s, found.latency_ns, found.choice) == ((), 0, None, None)


def test_sums_and_quantiles_of_a_combination() -> None:
    times = [*range(1000, 1100)]
    one = reads(8192, 2, times, failed=3).cell()
    assert one == Cell(
        block_bytes=8192,
        in_flight=2,
        reads=100,
        failed=3,
        repeated=0,
        # Rounds of 1,099 ns; the first two reads failed, so that the second round is the first that counts.
        bytes_s=97 * 8192 * 10**9 // (48 * 1099 + 1099),
        median_ns=1051,
        p99_ns=1099,
    )


def test_the_choice_is_the_fewest_bytes_under_way_that_give_nearly_all() -> None:
    rates = {(1 << 16, 1): 100, (1 << 16, 16): 800, (1 << 20, 1): 899, (1 << 20, 4): 950, (1 << 22, 4): 1000}
    measured = [
        reads(block, threads, [block * threads * 1000 // rate] * threads) for (block, threads), rate in rates.items()
    ]
    choice = judge(measured).choice
    assert choice is not None
    assert (choice.block_bytes, choice.in_flight) == (1 << 20, 4)
    # 950 bytes a microsecond; a read alone takes 2^20 / 899 us.
    assert choice.little_in_flight == 1
    measured = [reads(1 << 16, threads, [1_000_000] * threads) for threads in (1, 2, 4, 8)]
    choice = judge(measured).choice
    assert choice is not None
    assert (choice.in_flight, choice.little_in_flight) == (8, 8)


@pytest.mark.parametrize(
    ("first", "again", "kept"),
    [
        ([20, 21, 30], [0.3, 0.4, 0.2], True),
        ([20, 21, 30, 25], [20, 21, 0.3, 24], True),
        ([20, 21, 30], [19, 11, 22], False),
        ([0.4, 0.5], [0.1, 0.1], None),
        ([], [], None),
    ],
)
def test_what_is_kept_on_the_way_is_found_by_its_speed(
    first: list[float], again: list[float], kept: bool | None
) -> None:
    assert keeps(*(np.array([one * 1e6 for one in times], np.int64) for times in (first, again))) is kept


counts = st.integers(0, 1 << 62)
ranges = st.builds(Range, counts, counts, counts)
benches = st.builds(
    Bench,
    version=st.just(1),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    filesystem=st.sampled_from(["fuse.juicefs", "ext4"]),
    method=st.sampled_from(["direct", "buffered"]),
    certain=st.booleans(),
    doubts=st.lists(st.sampled_from(["one", "two"])).map(tuple),
    status=st.sampled_from(["complete", "interrupted", "hung"]),
    cells=st.lists(st.builds(Cell, *[counts] * 8), max_size=3).map(tuple),
    latency_ns=st.none() | ranges,
    choice=st.none() | st.builds(Choice, *[counts] * 4),
    open_ns=st.none() | counts,
    **dict.fromkeys(("files", "data_bytes", "read_bytes", "elapsed_ns", "most_bytes_s"), counts),
)


@given(benches)
def test_reading_is_the_inverse_of_writing_and_keeps_to_the_schema(bench: Bench) -> None:
    text = dump(bench)
    assert load(text, "it") == bench
    jsonschema.validate(json.loads(text), schema())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("[]", "must be a mapping"),
        ("{}", "version is missing"),
        ("[" * 100_000, "recursion"),
        ('{"version": 2}', "files|missing|version"),
        ("{" + " " * (5 << 20), "characters"),
    ],
)
def test_what_is_no_measurement_is_one_clear_error(text: str, problem: str) -> None:
    with pytest.raises(BenchFileError, match=rf"(?i)it: .*({problem}).*; give a file that `stepwell bench"):
        load(text, "it")


def test_the_schema_is_published() -> None:
    done = CliRunner().invoke(cli, ["bench", "--schema"])
    assert json.loads(done.output) == schema()


def test_a_field_that_is_not_allowed_is_named() -> None:
    bench = Bench(1, "p", "f", "direct", True, (), "complete", 1, 1, 1, 1, 1, ())
    with pytest.raises(BenchFileError, match="files is -1"):
        load(dump(replace(bench, files=-1)), "it")
