"""Predicted gains against measured ones of storing arrays in chunks: tiles and columns of a file of rows.

Each row records a reader of tiles once; then that reader and the same tiles, stored in one piece each, run in turns,
untraced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, Spread, Table
from tests.bench.tracers import STEPWELL
from tests.storage.slow import Settings, Slow

READER = Path(__file__).with_name("reader.py")
STORAGE = Settings(latency_us=3000, bytes_s=100_000_000)
ARRAY_BYTES = 256 << 20


@dataclass(frozen=True)
class Layout:
    """An array of rows, the tiles that are read of it, and in which order."""

    row: int
    rows: int
    tile: int
    """Bytes of a tile's row."""
    tile_rows: int
    tiles: int
    order: str

    def environment(self) -> dict[str, str]:
        """Return what the reader is told."""
        return os.environ | {
            "ROW": str(self.row), "ROWS": str(self.rows), "TILE_ROWS": str(self.tile_rows), "TILES": str(self.tiles),
            "ORDER": self.order,
        }  # fmt: skip


LAYOUTS = {
    "tiles of 128 x 2 KiB, shuffled": Layout(262_144, 1024, 2048, 128, 11, "shuffled"),
    "tiles of 16 x 4 KiB, shuffled": Layout(262_144, 1024, 4096, 16, 97, "shuffled"),
    "tiles of 8 x 64 KiB, shuffled": Layout(262_144, 1024, 65_536, 8, 97, "shuffled"),
    "tiles of 64 x 4 KiB, in order": Layout(262_144, 1024, 4096, 64, 211, "in order"),
    "tiles of 64 x 16 KiB, in order": Layout(65_536, 4096, 16_384, 64, 31, "in order"),
    "a column of 8 KiB": Layout(262_144, 1024, 8192, 1024, 1, "in order"),
}


def _measure(layout: Layout, work: Path, program: Path, repetitions: int) -> dict[str, Figure]:
    source, mount = work / "layouts", work / "layouts-mount"
    mount.mkdir(exist_ok=True)
    slow = Slow(program, source, mount, STORAGE)
    environment = layout.environment()

    def run(*argv: str) -> float:
        began = time.monotonic()
        subprocess.run(slow.argv(*argv), check=True, env=environment, capture_output=True)
        return time.monotonic() - began

    rows, chunks = ([sys.executable, str(READER), kind, str(mount), str(layout.tile)] for kind in ("rows", "chunks-of"))
    store = [str(STEPWELL), "--store", str(work / "layouts.duckdb")]
    run(*store, "record", "--under", str(mount), "--", *rows)
    explained = subprocess.run([*store, "explain", str(mount), "-o", "json"], check=True, capture_output=True)
    findings = json.loads(explained.stdout)["findings"]
    finding = next((one for one in findings if one["kind"] == "chunks"), None)
    if finding is None:
        return {"predicted": f"none: {', '.join(one['kind'] for one in findings)}"}
    times = [(run(*rows), run(*chunks)) for _ in range(repetitions)]
    gains = Spread.of(one / other for one, other in times)
    low, high = finding["speedup"]["low"], finding["speedup"]["high"]
    return {
        "rows, s": Spread.of(one for one, _ in times),
        "chunks, s": Spread.of(other for _, other in times),
        "predicted": f"{low:.2f}x to {high:.2f}x",
        "measured": gains,
        "inside": "yes" if low <= gains.median <= high else "no",
        "rank": f"{1 + findings.index(finding)} of {len(findings)}",
    }


def layouts(work: Path, program: Path, *, quick: bool) -> Table:
    """Return how chunks gained what was said."""
    (work / "layouts").mkdir()
    with (work / "layouts" / "array").open("wb") as file:
        for _ in range(ARRAY_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    table = Table("predicted and measured gains of chunks; storage of 3 ms and 100 MB/s a request")
    for name, layout in LAYOUTS.items():
        table.rows[name] = _measure(layout, work, program, 1 if quick else 5)
    return table
