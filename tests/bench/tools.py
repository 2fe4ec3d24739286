"""Verdicts on programs of other authors, recorded as they run, whose options say how they read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.figures import Figure, Table
from tests.bench.patterns import CONFIDENT
from tests.truth.tools import DATA, DATASET, FIRST, ORDER, Case, Claim
from tests.truth.tools_later import SECOND

STEPWELL = [str(Path(sys.executable).with_name("stepwell"))]
NEAR = 0.02
"""By which share a stride may differ."""

SETS: dict[str, list[Case]] = {
    "Programs of others": FIRST,
    "Programs of others, written after the rules": SECOND,
}


class Said(NamedTuple):
    """What was said of a claim."""

    verdict: str
    confidence: float


class UnableError(Exception):
    """A case does not run here; says why."""


def tools(work: Path, *, quick: bool) -> list[Table]:
    """How often patterns, reuse and orders are told right, of programs whose options say what they read."""
    bench = _Bench(work)
    return [table for title, cases in SETS.items() for table in _judged(bench, title, cases[:: 11 if quick else 1])]


def _judged(bench: _Bench, title: str, cases: list[Case]) -> Iterator[Table]:
    counts, misses, skipped = Counter[str](), Table(f"Misses: {title}"), Table(f"Skipped: {title}")
    for case in cases:
        try:
            answers = bench.answers(case)
        except UnableError as reason:
            skipped.rows[case.name] = {"why": str(reason)}
            continue
        for claim, said, source in answers:
            agreed = right(claim, said.verdict)
            word = "right" if agreed else "unknown" if said.verdict in ("unknown", "") else "wrong"
            counts["verdicts"] += 1
            counts[word] += 1
            counts["wrong but confident"] += word == "wrong" and said.confidence >= CONFIDENT
            if not agreed:
                row: dict[str, Figure] = {"said": said.verdict, "confidence": said.confidence}
                key = f"{case.name} ({source}): {claim.subject} {claim.op} {claim.what}"
                misses.rows[key] = row | {"true": " or ".join(sorted(claim.right))}
    names = ("verdicts", "right", "unknown", "wrong", "wrong but confident")
    of: dict[str, Figure] = {"programs": len(cases) - len(skipped.rows), **{name: counts[name] for name in names}}
    summary: dict[str, Figure] = {"% right": 100 * counts["right"] / max(counts["verdicts"], 1)}
    yield Table(title, {"all": of | summary})
    yield from (table for table in (misses, skipped) if table.rows)


def right(claim: Claim, said: str) -> bool:
    """Tell whether what was said is what is true; of a stride, nearly."""
    if claim.what != "stride":
        return said in claim.right
    return any(said not in ("", "None") and abs(int(said) - int(true)) <= NEAR * abs(int(true)) for true in claim.right)


class _Bench:
    """A directory where cases are recorded one after the other, each in a store of its own."""

    def __init__(self, work: Path) -> None:
        self._work, self._store = work, work / "store.duckdb"
        (work / "data").mkdir()
        self._environment = os.environ | {"PYTHON": sys.executable, "XDG_STATE_HOME": str(work / "state")}

    def answers(self, case: Case) -> list[tuple[Claim, Said, str]]:
        """Record a case; return each claim, what was said, and whether of the recording or of what was imported."""
        self._prepare(case)
        for old in (self._store, self._work / "iolog"):
            old.unlink(missing_ok=True)
        under = ["--under", str(self._work / "data")]
        self._run([*self._stepwell("record"), "--quiet", *under, "--", "bash", "-c", case.command])
        found = [(claim, said, "recorded") for claim, said in self._said(case)]
        if case.imported:
            self._store.unlink()
            self._run([*self._stepwell("import"), str(self._work / "iolog")])
            found += [(claim, said, "imported") for claim, said in self._said(case)]
        return found

    def _prepare(self, case: Case) -> None:
        """Make what the case reads, unless it is there; nothing of it stays in memory."""
        if case.command.startswith("fio") and not case.needs:
            self._run(["bash", "-c", f"{case.command} --create_only=1"])
        for name in case.needs.split():
            if not (self._work / "data" / name).exists():
                self._run(["bash", "-c", DATA[name]])
        for path in (self._work / "data").rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _said(self, case: Case) -> Iterator[tuple[Claim, Said]]:
        report = json.loads(self._run([*self._stepwell("report"), "-o", "json"]))
        order: dict[str, Any] = max(report["orders"], key=lambda order: order["visits"], default={})
        for claim in case.claims:
            found = _of_order(order, claim.what) if claim.subject == ORDER else commonest(report["patterns"], claim)
            yield claim, found

    def _stepwell(self, command: str) -> list[str]:
        return [*STEPWELL, "--store", str(self._store), command]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self._work, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 127 or "ModuleNotFoundError" in done.stderr:
            raise UnableError("not installed: " + done.stderr.strip().splitlines()[-1])
        if done.returncode:
            raise UnableError(f"exit code {done.returncode}: {(done.stderr or done.stdout)[-300:].strip()}")
        return done.stdout


def commonest(rows: list[dict[str, Any]], claim: Claim) -> Said:
    """Return the verdict on the dataset or file with the most bytes, or the commonest of several files."""
    scope = "dataset" if claim.subject == DATASET else "file"
    of = [row for row in rows if row["scope"] == scope]
    of = [row for row in of if (row["op"] == claim.op if claim.op else row["op"] != "write")]
    if scope == "file":
        of = [row for row in of if fnmatchcase(row["path"], f"*data/{claim.subject}")]
    if not of:
        return Said("", 0)
    if not claim.op:
        volume = Counter[str]()
        for row in of:
            volume[row["op"]] += row["bytes"]
        of = [row for row in of if row["op"] == volume.most_common(1)[0][0]]
    if scope == "dataset":
        of = [max(of, key=lambda row: row["bytes"])]
    verdict, _ = Counter(str(row[claim.what]) for row in of).most_common(1)[0]
    sure = [row["confidence"] for row in of if str(row[claim.what]) == verdict]
    return Said(verdict, sum(sure) / len(sure))


def _of_order(order: dict[str, Any], what: str) -> Said:
    if not order:
        return Said("", 0)
    within, across, sharing = order["within"] or {}, order["across"] or {}, order["sharing"] or {}
    found: tuple[object, object] = {
        "by": (within.get("by"), within.get("confidence")),
        "looping": (order["looping"], order["epoch_confidence"]),
        "relation": (across.get("relation"), across.get("confidence")),
        "sharing": (sharing.get("kind"), sharing.get("confidence")),
    }[what]
    return Said(str(found[0] or ""), float(str(found[1] or 0)))
