"""How often reuse is told right, of what real programs read and of single files of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.bench.figures import Figure, Table
from tests.bench.patterns import CONFIDENT
from tests.truth.judged_reuse import judge
from tests.truth.programs import PROGRAMS
from tests.truth.programs_last import PROGRAMS_LAST
from tests.truth.programs_later import PROGRAMS_LATER
from tests.truth.reads import Maker, Reads, Rng, disturbed, jittered, thinned

DISTURBANCES: dict[str, Callable[[Rng, Reads], Reads]] = {
    "as it is": lambda _rng, reads: reads,
    "1 % foreign reads": lambda rng, reads: disturbed(rng, reads, 0.01),
    "10 % foreign reads": lambda rng, reads: disturbed(rng, reads, 0.1),
    "10 % lost": lambda rng, reads: thinned(rng, reads, 0.1),
    "out of step": jittered,
}

SETS: dict[str, dict[str, Maker]] = {
    "programs of the field": PROGRAMS,
    "programs of the field, written after the rules": PROGRAMS_LATER,
    "programs of the field, written last": PROGRAMS_LAST,
}


def _judged(makers: dict[str, Maker], disturbance: str, seeds: int) -> tuple[dict[str, Figure], Table]:
    """Return how often verdicts are right, and a row for each program and subject where one was not."""
    table = Table(disturbance)
    right = number = wrong = 0
    for kind, (name, maker) in enumerate(makers.items()):
        misses, bold, asked = dict[str, Counter[str]](), Counter[str](), Counter[str]()
        for seed in range(seeds):
            rng = np.random.default_rng([seed, kind, 1013])
            program = maker(rng)
            reads = DISTURBANCES[disturbance](rng, program.reads)
            verdicts, together = judge(reads, seen=0.9 if "lost" in disturbance else 1.0)
            for subject, label in [(together, program.together), *program.files.items()]:
                title = f"{name}, {'all' if subject == together else f'file {subject}'}"
                found = verdicts.of(subject)
                asked[title] += 1
                if found.reuse not in label:
                    expected = " or ".join(sorted(label))
                    misses.setdefault(title, Counter())[f"{found.reuse}, not {expected}"] += 1
                    bold[title] += found.reuse != "unknown" and found.confidence >= CONFIDENT
        for title, of in misses.items():
            row: dict[str, Figure] = {"of": asked[title], "wrong": of.total(), "but confident": bold[title]}
            table.rows[title] = row | {"told as": "; ".join(f"{count} {what}" for what, count in of.most_common(3))}
        number += asked.total()
        right += asked.total() - sum(of.total() for of in misses.values())
        wrong += bold.total()
    return {
        "verdicts": number, "% right": 100 * right / number, "wrong but confident": wrong,
        "% wrong but confident": 100 * wrong / number,
    }, table  # fmt: skip


def programs(_work: Path, *, quick: bool) -> list[Table]:
    """Reuse by programs, as it is and disturbed."""
    tables = []
    for title, makers in SETS.items():
        whole, details = Table(f"Reuse: {title}"), []
        for disturbance in DISTURBANCES:
            whole.rows[disturbance], table = _judged(makers, disturbance, 2 if quick else 97)
            table.title = f"Misses of reuse: {title}, {disturbance}"
            details.append(table)
        tables += [whole, *(table for table in details if table.rows)]
    return tables
