"""`stepwell run`: make a program's reads faster while it runs, and tell by how much."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.analysis import understand
from stepwell.analysis.advice import known
from stepwell.analysis.plans import Budget, Carried, Plan, load, make
from stepwell.analysis.plans import table as plan_rows
from stepwell.analysis.plans.model import VERSION
from stepwell.analysis.thresholds.verdicts import COLDER
from stepwell.analysis.verdicts import Verdict, baseline, judge
from stepwell.analysis.verdicts import table as verdict_rows
from stepwell.cli import facts
from stepwell.cli.launch import Signals
from stepwell.cli.place import say, trace_number
from stepwell.cli.recording import Plan as Scope
from stepwell.cli.recording import Recording
from stepwell.cli.storing import store_recording
from stepwell.cli.values import Bandwidth, Octets
from stepwell.steer import Engine, Outcome, Session
from stepwell.steer.carry import limited
from stepwell.steer.feed import Feed
from stepwell.steer.orders import of_file, of_trace
from stepwell.steer.session import own_namespace

if TYPE_CHECKING:
    from stepwell.cli.place import Place
    from stepwell.store import Store

SHARE = 4
"""Memory for what is fetched ahead, without --memory: this part of what the machine has available, or `MOST`."""

MOST = 2 << 30
"""Bytes; more is ahead of no reader that waits for it."""

MIN_MEMORY = 64 << 20
"""Bytes; less holds not even one window of a fast reader."""

IN_FLIGHT = 64
"""Requests at once, without --in-flight; half of them to begin with."""


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  stepwell run -- python train.py --epochs 3
  stepwell run --memory 2GiB --bandwidth 200MiB/s -- ./job
  stepwell run --order-from 12 -- python train.py     the order in which trace 12 read
  stepwell run --order-from next.txt -- ./job         a path a line, as they will be read
  stepwell run --plan plan.yaml -- ./job              what `stepwell plan` wrote
  stepwell run --mode recommend -- ./job              measure, and say what would help

\b
The command is recorded as by `stepwell record`; beside it a process of its own reads ahead of it,
through the same mount, into memory that would be free otherwise. It never writes, and reads only
files beside those that the command reads. For a moment now and then it rests, so that the
difference is measured; when there is none it stops. The last line says what it gained, and
`stepwell report` shows it.""",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND...")
@click.option(
    "--mode",
    type=click.Choice(["observe", "recommend", "auto"]),
    help="observe: only record; recommend: record, and say what would help; auto: act on evidence.  [default: auto]",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Do what this plan says, as `stepwell plan` writes it.",
)
@click.option("--memory", type=Octets(), help="Most bytes read ahead and not used yet.  [default: 1/4 of what is free]")
@click.option("--bandwidth", type=Bandwidth(), help="Most bytes a second to read ahead.  [default: no limit]")
@click.option("--in-flight", type=click.IntRange(1, 256), help=f"Most requests at once.  [default: {IN_FLIGHT}]")
@click.option(
    "--order-from",
    metavar="FILE|TRACE",
    help="Read ahead in this order: a file with a path a line (or PATH, OFFSET and SIZE with tabs between them), an "
    "Arrow file, or the number of a trace, or `last`.",
)
@click.option(
    "--under",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Record and read ahead only below this directory.",
)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Afterwards remove all but the N newest traces.")
@click.option("-q", "--quiet", is_flag=True, help="No live line, and no word at the end unless something was lost.")
@click.pass_obj
def run(
    place: Place,
    *,
    command: tuple[str, ...],
    mode: str | None,
    plan_file: Path | None,
    memory: int | None,
    bandwidth: int | None,
    in_flight: int | None,
    order_from: str | None,
    under: Path | None,
    keep: int | None,
    quiet: bool,
) -> int:
    """Run a command, read ahead of it where that helps, and measure by how much."""
    plan = load(plan_file.read_text(encoding="utf-8", errors="replace"), str(plan_file)) if plan_file else None
    mode = mode or (plan.mode if plan else "auto")
    if order_from and mode != "auto":
        raise click.UsageError(f"--order-from says what to read ahead, and --mode {mode} reads nothing ahead.")
    place.check_writable()
    identity = str(uuid.uuid4())
    spool = place.spools / f"{identity}.spool"
    with contextlib.ExitStack() as cleanup:
        session = None
        if mode == "auto":
            budget = _budget(plan, memory, bandwidth, in_flight)
            plan = plan.within(budget) if plan else Plan(VERSION, mode, budget, ())
            session = _session(place, plan, order_from, under, cleanup)
        signals = cleanup.enter_context(Signals())
        recording = Recording(Scope(command, under=under), identity, spool, signals, quiet, session)
        try:
            ending = recording.run()
        finally:
            outcome = session.finish() if session else None

        def also(store: Store, trace: int) -> None:
            if outcome:
                verdict = _judged(store, trace, outcome)
                carried = plan if plan_file and plan else outcome.plan
                store.set_acts(trace, plan_rows([Carried(0, carried)]), verdict_rows([verdict]))
                if outcome.failed or not quiet:
                    say(verdict.sentence)
            elif mode == "recommend":
                _recommend(store, trace, _budget(plan, memory, bandwidth, in_flight), place.command)

        store_recording(place, identity, spool, keep=keep, summary=None, quiet=quiet, also=also)
    return ending.exit_code or 0


def _judged(store: Store, trace: int, outcome: Outcome) -> Verdict:
    """Return the verdict, against an earlier recording of the command if that read from the same storage."""
    earlier = baseline(store, trace)
    if earlier is None or outcome.deeds.brought_bytes < COLDER * earlier.fetched:
        return judge(outcome.windows, outcome.deeds)
    return judge(outcome.windows, outcome.deeds, baseline=earlier.windows, baseline_trace=earlier.trace)


def _recommend(store: Store, trace: int, budget: Budget, command: str) -> None:
    """Say what would help most, or why nothing would."""
    found = understand(store, trace)
    made = make(known(found.waits, found.patterns, found.orders, found.caches), budget, "recommend")
    for target in made.targets[:1]:
        gain = target.gain if target.policy != "none" else None
        expected = f", expected {gain.low_permille / 1000:.3g}x to {gain.high_permille / 1000:.3g}x" if gain else ""
        say(f"{target.path}: {target.policy}{expected}; {target.reason}")
    say(f"all of it, and why: {command} plan {trace}")


def _budget(plan: Plan | None, memory: int | None, bandwidth: int | None, in_flight: int | None) -> Budget:
    """Return the plan's budget, or the usual one, with the user's limits."""
    usual = Budget(max(MIN_MEMORY, min(facts.available_memory() // SHARE, MOST)), IN_FLIGHT)
    return limited(plan.budget if plan else usual, memory, bandwidth, in_flight)


def _session(
    place: Place, plan: Plan, order_from: str | None, under: Path | None, cleanup: contextlib.ExitStack
) -> Session:
    """Start the engine, which knows its datasets from the plan, from the order, or learns them from what is opened."""
    planned = [target.path for target in plan.targets if target.policy != "none"]
    roots = [str(under)] if under and not plan.targets else []
    options: list[str] = []
    if order_from:
        file = Path(order_from)
        if file.exists():
            roots = of_file(file, under or Path.cwd())
        else:
            directory = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-order."))
            file = Path(directory) / "order.arrow"
            with place.reading() as store:
                roots = of_trace(store, trace_number(store, order_from), file)
        options = [*(f"--root={root}" for root in roots), f"--order={file}"]
    feed = Feed(own_namespace(), (*planned, *roots))
    return Session(Engine(options), feed, plan, roots, order_from)
