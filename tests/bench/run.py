"""The benchmark: what Stepwell costs, measured beside its peers in the same run.

    python -m tests.bench.run [--quick] [overhead] [bystander] [agent] [ingest] [importing] [size] [speed]
        [replay] [gains] [planning] [orders] [patterns] [reuse] [programs] [slowness] [engines] [summaries]
        [tools] [warm] [asis] [prefetch] [tuning]
    python -m tests.bench.run prefetch --only "JuiceFS sequential"
    python -m tests.bench.run tuning --only "random, 20 ms"

Without names all parts run, for some hours, most of them those of `prefetch` and `tuning`; `--quick` only shows that
they do.  Tables of medians, with lowest and highest, are printed; build/bench/results.json has the same figures.  A
quiet machine gives the truest ones: load from elsewhere is in all columns alike, but not in equal parts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from tests.bench.agent import agent
from tests.bench.asis import asis
from tests.bench.bystander import bystander
from tests.bench.engines import engines
from tests.bench.figures import Table
from tests.bench.gains import gains
from tests.bench.importing import importing
from tests.bench.ingest import ingest
from tests.bench.orders import orders
from tests.bench.overhead import overhead
from tests.bench.patterns import patterns
from tests.bench.planning import planning
from tests.bench.prefetch import prefetch
from tests.bench.programs import programs
from tests.bench.replay import replay
from tests.bench.reuse import reuse
from tests.bench.size import size
from tests.bench.slowness import slowness
from tests.bench.speed import speed
from tests.bench.summaries import summaries
from tests.bench.tools import tools
from tests.bench.tuning import tuning
from tests.bench.warm import warm

PARTS: dict[str, Callable[..., list[Table]]] = {
    part.__name__: part
    for part in (
        overhead,
        bystander,
        agent,
        ingest,
        importing,
        size,
        replay,
        gains,
        planning,
        speed,
        orders,
        patterns,
        reuse,
        programs,
        slowness,
        engines,
        summaries,
        tools,
        warm,
        asis,
        prefetch,
        tuning,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="smallest sizes: shows that all parts run, not how fast")
    parser.add_argument("--results", type=Path, default=Path("build/bench"), help="where files go, 10 GB meanwhile")
    parser.add_argument(
        "--only", help="with prefetch or tuning: workloads whose name in its table has this pattern in it"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if arguments.only and arguments.parts not in (["prefetch"], ["tuning"]):
        parser.error("--only goes with the part prefetch or tuning, and no other")
    options = {"only": arguments.only} if arguments.only else {}
    arguments.results.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if Console().is_terminal else 160)
    found = {}
    for name in arguments.parts or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=arguments.results.resolve()) as work:
            tables = PARTS[name](Path(work), quick=arguments.quick, **options)
        tables[-1].notes.append(f"({name}: {time.monotonic() - began:.0f} s)")
        for table in tables:
            table.show(console)
        found[name] = [table.plain() for table in tables]
        machine = {"kernel": platform.release(), "processors": os.cpu_count(), "quick": arguments.quick}
        (arguments.results / "results.json").write_text(json.dumps({"machine": machine, "parts": found}, indent=1))


if __name__ == "__main__":
    main()
