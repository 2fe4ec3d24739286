"""The finding on how arrays are stored: where pieces are read together that do not lie together, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.recordings import MS, Recording

from stepwell.analysis.advice import Facts, Finding, advise, facts
from stepwell.analysis.patterns import Pattern
from stepwell.store import Store

ROW, ROWS, TILES = 1 << 18, 17, 53


def read(
    directory: Path, *, piece: int = 4096, rows: int = ROWS, shuffled: bool = True, pattern: str = "strided",
    fetch_ns: int = 3 * MS, waited: bool = True,
) -> Facts:  # fmt: skip
    """Return the facts of a reader of tiles: of each, `rows` pieces that lie `ROW` apart, one fetch each."""
    recording = Recording(directory / f"{pattern}-{piece}-{rows}-{shuffled}-{waited}.spool")
    recording.open(1, b"/data/set/array", size=TILES * ROW * rows)
    number = np.arange(TILES)
    columns = np.random.default_rng(7).permutation(TILES) if shuffled else number
    series_ns = rows * fetch_ns
    recording.run(
        1, at=number * series_ns, count=rows, stride=ROW, size=piece, requested=piece, tail=piece,
        offset=columns * piece, seq=number * rows, span_ns=series_ns - fetch_ns, latency_ns=series_ns,
        latency_max_ns=fetch_ns, wait_ns=series_ns if waited else 0, waited=rows if waited else 0,
        filled=max(1, piece // 4096) * rows,
    )  # fmt: skip
    recording.thread(1, end=TILES * series_ns)
    recording.end(TILES * series_ns)
    verdict = Pattern(
        "dataset", "/data/set", "/data/set", "read", pattern, ROW, piece, "once", None, 0.97, TILES * rows,
        TILES * rows * piece, {},
    )  # fmt: skip
    with Store.open(recording.stored(), "r") as store:
        return facts(store, store.latest_trace(), (verdict,), [])


def chunks(found: Facts) -> list[Finding]:
    return [one for one in advise(found) if one.kind == "chunks"]


def test_series_are_counted_and_neighbours_put_together(tmp_path: Path) -> None:
    (series,) = read(tmp_path).series
    assert (series.dataset, series.number, series.pieces) == ("/data/set", TILES, TILES * ROWS)
    assert series.bytes == TILES * ROWS * 4096
    assert (series.part, series.windows) == (1.0, TILES)
    assert series.neighbours > TILES / 2  # by chance some go on as those before did
    (in_order,) = read(tmp_path, shuffled=False).series
    assert (in_order.number, in_order.neighbours) == (TILES, 2)  # the first has none before it, the second no distance


def test_tiles_are_to_be_stored_as_chunks(tmp_path: Path) -> None:
    found = read(tmp_path)
    (finding,) = chunks(found)
    given = {one.name: one.value for one in finding.inputs}
    assert (given["pieces of a series"], given["bytes of a series"]) == (ROWS, ROWS * 4096)
    assert "in pieces of 4 KiB that lie 256 KiB apart" in finding.sentence
    assert "chunks of about 68 KiB" in finding.setting
    assert "pattern /data/set" in finding.evidence
    # A chunk takes the latency once, and its bytes flow at what is plausible; that is within the interval.
    for bytes_s in (1e8, 1e9):
        latency = 3 * MS - 4096 * 1e9 / bytes_s
        after = latency + ROWS * 4096 * 1e9 / bytes_s
        assert finding.speedup.low <= ROWS * 3 * MS / after <= finding.speedup.high


def test_what_is_fetched_without_being_asked_for_is_said(tmp_path: Path) -> None:
    (finding,) = chunks(read(tmp_path, piece=1024))
    assert "4 times as much is fetched as asked for" in finding.sentence


@pytest.mark.parametrize("pattern", ["random", "sequential", "whole-file", "mixed", "unknown"])
def test_other_patterns_are_no_evidence(tmp_path: Path, pattern: str) -> None:
    assert chunks(read(tmp_path, pattern=pattern)) == []


def test_large_pieces_and_single_ones_and_memory_gain_nothing(tmp_path: Path) -> None:
    assert chunks(read(tmp_path, rows=1)) == []
    assert chunks(read(tmp_path, waited=False)) == []
    assert chunks(read(tmp_path, piece=131_072, fetch_ns=MS)) == []


def test_a_verdict_that_is_not_sure_or_mapped_reading_is_no_evidence(tmp_path: Path) -> None:
    found = read(tmp_path)
    unsure = tuple(replace(row, confidence=0.3) for row in found.patterns)
    assert chunks(replace(found, patterns=unsure)) == []
    (team,) = found.waits.teams
    uses = tuple(replace(use, mapped=use.accesses) for use in team.uses)
    assert chunks(replace(found, waits=replace(found.waits, teams=(replace(team, uses=uses),)))) == []
