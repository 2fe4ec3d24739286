"""How often the order over files is told right, on loaders whose order is known; and how long that takes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench.figures import Figure, Table
from tests.truth.orders import Loader, visits

from stepwell.analysis.orders import Order
from stepwell.analysis.orders.conclude import judge
from stepwell.analysis.orders.numbering import dense

NOISES: dict[str, dict[str, Any]] = {
    "no noise": {},
    "1 % foreign visits": {"foreign": 0.01},
    "10 % foreign visits": {"foreign": 0.1},
    "1 % of opens lost": {"lost": 0.01},
    "workers out of step": {"waits": False},
}

CONFIDENT = 0.8
"""Confidence from which on a wrong verdict counts as confident."""


def loader(seed: int) -> Loader:
    """Return one of all combinations, with prime numbers."""
    rng = np.random.default_rng(seed)
    order = str(rng.choice(["name", "size", "mtime", "inode", "shuffled", "window", "drawn"]))
    workers = int(rng.choice([1, 2, 3, 5]))
    files = int(rng.choice([61, 101, 211, 499, 1009]))
    return Loader(
        # a shuffle buffer that is shared out among workers shows only if each gets several files of it
        files=max(files, 499) if order == "window" else files,
        order="shuffled" if order == "drawn" else order,
        backward=bool(rng.random() < 0.2) and order not in {"shuffled", "window"},
        epochs=0 if order == "drawn" else int(rng.choice([1, 2, 3, 5, 7])),
        reshuffled=bool(rng.random() < 0.7) or order == "window",
        workers=workers,
        sharing="dealt" if order == "drawn" else str(rng.choice(["dealt", "stride", "blocks", "all"])),
        anew=bool(rng.random() < 0.5) and order != "drawn",
        jitter=float(rng.choice([0.0, 0.1, 0.3])),
        folders=int(rng.choice([1, 7])),
        seed=seed,
    )


@dataclass
class Tally:
    """Verdicts on one question."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    confident: int = 0

    def add(self, truth: str, found: str, confidence: float) -> None:
        self.pairs[truth, found] += 1
        self.confident += found not in (truth, "unknown") and confidence >= CONFIDENT

    def row(self) -> dict[str, Figure]:
        number = sum(self.pairs.values())
        right = sum(count for (truth, found), count in self.pairs.items() if truth == found)
        unknown = sum(count for (_, found), count in self.pairs.items() if found == "unknown")
        return {
            "loaders": number,
            "right, %": 100 * right / number,
            "unknown, %": 100 * unknown / number,
            "wrong, %": 100 * (number - right - unknown) / number,
            "wrong and confident, %": 100 * self.confident / number,
        }

    def matrix(self) -> dict[str, dict[str, Figure]]:
        truths, found = (sorted({pair[side] for pair in self.pairs}) for side in (0, 1))
        return {truth: {other: self.pairs[truth, other] for other in found} for truth in truths}


def verdicts(truth: Loader, order: Order) -> list[tuple[str, str, str, float]]:
    """Return question, truth, what was found and its confidence."""
    found = [("epochs", str(truth.epochs), str(order.epochs_found), order.epoch_confidence)]
    if truth.epochs == 0:
        return found
    within = order.within
    by = within.by
    if not truth.reshuffled and by == "listing" and "shuffled" in within.also:
        by = "shuffled"  # shuffled once or as listed: ext4 does not let that be told
    windowed = f"{by}, window" if within.window else by
    expected = {"window": "name, window"}.get(truth.order, truth.order)
    found.append(
        (
            "order in an epoch",
            expected + " backward" * truth.backward,
            windowed + " backward" * within.backward,
            within.confidence,
        )
    )
    if truth.epochs > 1:
        found.append(("order over epochs", truth.across, order.across.relation, order.across.confidence))
    found.append(("sharing", truth.kind, order.sharing.kind, order.sharing.confidence))
    return found


def orders(work: Path, *, quick: bool) -> list[Table]:  # noqa: ARG001
    summary = Table("Order over files: verdicts on loaders whose order is known")
    matrices = []
    for name, noise in NOISES.items():
        tallies: dict[str, Tally] = {}
        for seed in range(23 if quick else 211):
            truth = replace(loader(seed), **noise)
            files, seen = visits(truth)
            for question, expected, found, confidence in verdicts(
                truth, judge(files, replace(seen, file=dense(seen.file)), "")
            ):
                tallies.setdefault(question, Tally()).add(expected, found, confidence)
        for question, tally in tallies.items():
            summary.rows[f"{question}, {name}"] = tally.row()
            if name.startswith("10 %"):
                matrices.append(Table(f"{question}, {name}: truth down, verdict across", tally.matrix()))
    speed = Table("Time to tell the order, without the store's part")
    sizes = [(1009, 11)] if quick else [(100_003, 10), (1_000_003, 1), (1009, 991)]
    for number, epochs in sizes:
        files, seen = visits(Loader(files=number, epochs=epochs, workers=3, order="shuffled", folders=101))
        began = time.perf_counter()
        judge(files, seen, "")
        took = time.perf_counter() - began
        speed.rows[f"{number:,} files, {epochs} epochs, 3 workers"] = {"visits": len(seen), "s": took}
    return [summary, *matrices, speed]
