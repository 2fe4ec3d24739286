"""blkparse's text. Written by hand from blkparse(1): no tracing of blocks runs where the tests do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.importers.bringing import Brought, bring

from stepwell.collectors.importers import InputError
from stepwell.store import Store

LOG = """\
  8,0    1        1     0.000000000  4162  A   R 2048 + 8 <- (8,1) 0
  8,0    1        2     0.000001829  4162  Q   R 2048 + 8 [dd]
  8,0    1        3     0.000004125  4162  G   R 2048 + 8 [dd]
  8,0    1        4     0.000005000  4162  P   N [dd]
  8,0    1        5     0.000006000  4162  Q  RA 2056 + 248 [dd]
  8,0    1        6     0.000006500  4162  M  RA 2056 + 248 [dd]
  8,0    1        7     0.000007000  4162  I   R 2048 + 256 [dd]
  8,0    1        8     0.000008000  4162  U   N [dd] 1
  8,0    1        9     0.000009000  4162  D   R 2048 + 256 [dd]
  8,0    0        1     0.000010000     0  m   N cfq4162S  / alloced
253,1    0        2     0.000020000   231  Q FWS 4096 + 16 [jbd2/sda1-8 x]
253,1    0        3     0.000021000   231  Q  FN [jbd2]
253,1    0        4     0.000022000   231  Q   D 8192 + 1024 [fstrim]
  8,0    1       10     0.000130000     0  C   R 2048 + 256 [0]
  8,0    1       11     0.000140000  4162  Q   R 2304 + 8 [dd]
253,1    0        5     1.000020000     0  C FWS 4096 + 16 [0]
CPU0 (8,0):
 Reads Queued:           3,      132KiB\t Writes Queued:           0,        0KiB
Total (8,0):
 Reads Queued:           3,      132KiB\t Writes Queued:           0,        0KiB

Throughput (R/W): 1KiB/s / 0KiB/s
Events (8,0): 16 entries
Skips: 3 forward (7 -  43.8%)
"""


def imported(store: Store, directory: Path, text: str) -> Brought:
    log = directory / "blk.txt"
    log.write_text(text)
    return bring(store, log)


def test_requests_as_they_were_queued_with_their_completions(tmp_path: Path, store: Store) -> None:
    brought = imported(store, tmp_path, LOG)
    assert brought.accesses('path, op::VARCHAR, "offset", size, start_ns') == [
        ("8:0", "read", 2048 * 512, 4096, 1_829),
        ("8:0", "read", 2056 * 512, 248 * 512, 6_000),
        ("8:0", "read", 2304 * 512, 4096, 140_000),
        ("253:1", "write", 4096 * 512, 8192, 20_000),
    ]
    assert brought.rows("SELECT seq, latency_ns FROM runs WHERE trace = $trace ORDER BY thread, seq") == [
        (0, 130_000 - 1_829), (1, 130_000 - 6_000), (2, 0), (0, 1_000_000_000),
    ]  # fmt: skip
    assert brought.rows("SELECT tid, comm FROM threads WHERE trace = $trace ORDER BY ALL") == [
        (231, "jbd2/sda1-8 x"), (4162, "dd"),
    ]  # fmt: skip
    assert brought.written.skipped == {"discards, flushes and other requests without data of theirs": 2}
    assert brought.rows("SELECT hop, count FROM losses WHERE trace = $trace") == [("blktrace", 3)]
    assert "completion not seen" in brought.rows("SELECT degraded FROM traces WHERE trace = $trace")[0][0]


def test_without_queueing_requests_are_told_when_issued(tmp_path: Path, store: Store) -> None:
    brought = imported(
        store,
        tmp_path,
        "".join(line + "\n" for line in LOG.splitlines()[:16] if "  Q" not in line and " Q " not in line),
    )
    assert brought.accesses('path, "offset", size, start_ns') == [("8:0", 2048 * 512, 256 * 512, 9_000)]


def test_more_requests_on_their_way_than_are_waited_for(tmp_path: Path, store: Store) -> None:
    lines = [f"8,0 0 {i} 0.{i:09} 7 Q R {i * 16} + 8 [dd]\n" for i in range(20_011)]
    lines += [f"8,0 0 {i} 1.{i:09} 7 C R {i * 16} + 8 [0]\n" for i in range(20_011)]
    brought = imported(store, tmp_path, "".join(lines))
    assert brought.rows('SELECT count(*), max("offset") FROM accesses WHERE trace = $trace') == [
        (20_011, 20_010 * 16 * 512)
    ]
    assert brought.rows("SELECT degraded FROM traces WHERE trace = $trace") == [
        (f'{{"completion not seen: latency taken to be 0": {20_011 - (1 << 14)}}}',)
    ]


@pytest.mark.parametrize("line", ["nonsense", "8,0 1"])
def test_what_is_no_line_of_it_is_told_with_its_number(tmp_path: Path, store: Store, line: str) -> None:
    with pytest.raises(InputError, match=r"blk\.txt, line 2: no line of blkparse's default format: '"):
        imported(store, tmp_path, LOG.split("\n", 1)[0] + f"\n{line}\n")
