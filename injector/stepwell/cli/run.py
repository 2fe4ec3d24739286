"""`stepwell run`: make a program's reads faster while it runs, and tell by how much."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli.ahead import give_way
from stepwell.cli.launch import Signals
from stepwell.cli.place import say
from stepwell.cli.recording import Plan as Scope
from stepwell.cli.recording import Recording
from stepwell.cli.storing import prepare, store_recording
from stepwell.cli.values import Bandwidth, Octets

if TYPE_CHECKING:
    from stepwell.analysis.verdicts import Verdict
    from stepwell.cli.place import Place
    from stepwell.store import Store


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  stepwell run -- python train.py --epochs 3
  stepwell run --memory 2GiB --bandwidth 200MiB/s -- ./job
  stepwell run --order-from 12 -- python train.py     the order in which trace 12 read
  stepwell run --order-from next.txt -- ./job         a path a line, as they will be read
  stepwell run --order-from unix:/run/order.sock -- ./job   the same lines as ./job writes them there
  stepwell run --plan plan.yaml -- ./job              what `stepwell plan` wrote
  stepwell run --mode recommend -- ./job              measure, and say what would help
  stepwell run --tune-mounts -- ./job                 change the mount's options, too

\b
The command is recorded as by `stepwell record`; beside it a process of its own reads ahead of it,
through the same mount, into memory that would be free otherwise. It never writes, and reads only in
directories in which the command opens files, those below them, or what an order or a plan names.
For a moment now and then it rests, so that the difference is measured; when there is none it stops.
In the end a line says what it gained, and `stepwell report` shows it.

\b
Exit codes: that of the command; `stepwell --help` has those of run itself.""",
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
    help="Do what this plan says, as `stepwell plan` writes it: budget, and of each dataset its policy, order, block, "
    "requests at once and window. What it is said to be for, files or a command, limits nothing.",
)
@click.option(
    "--memory",
    type=Octets(1 << 20),
    help="Most bytes read ahead and not used yet.  [default: 1/4 of what is free, 64 MiB to 2 GiB, or the plan's]",
)
@click.option(
    "--bandwidth", type=Bandwidth(1), help="Most bytes a second to read ahead.  [default: no limit, or the plan's]"
)
@click.option("--in-flight", type=click.IntRange(1, 256), help="Most requests at once.  [default: 64, or the plan's]")
@click.option(
    "--order-from",
    metavar="FILE|TRACE|unix:PATH",
    help="Read ahead in this order: a file with a path a line (or PATH, OFFSET and SIZE with tabs between them), an "
    "Arrow file, the number of a trace or `last`, or a unix socket that is made at PATH and takes such lines. "
    "Relative paths are below --under, or where the command starts.",
)
@click.option(
    "--under",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Record and, where no order says otherwise, read ahead only below this directory.",
)
@click.option(
    "--tune-mounts",
    is_flag=True,
    help="Also change settings of the FUSE mounts that the command reads while it runs, if that pays: read_ahead_kb, "
    "also of files that it has open already, max_background, and options of JuiceFS by mounting it again at the "
    "same place. Others who use the mount are affected, too; at the end all is set back. Settings of a --plan "
    "hold from the start. With --mode recommend only the commands are told.",
)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Afterwards remove all but the N newest traces.")
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No live line, and no word at the end unless something was lost, or --mode recommend asks for it.",
)
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
    tune_mounts: bool,
    keep: int | None,
    quiet: bool,
) -> int:
    """Run a command, read ahead of it where that helps, and measure by how much."""
    from stepwell.cli import steering

    wanted = steering.Wanted(plan_file, memory, bandwidth, in_flight, order_from, under, tune_mounts)
    plan = steering.read_plan(wanted)
    mode = mode or (plan.mode if plan else "auto")
    if order_from and mode != "auto":
        raise click.UsageError(f"--order-from says what to read ahead, and --mode {mode} reads nothing ahead.")
    if tune_mounts and mode == "observe":
        raise click.UsageError("--tune-mounts changes mounts, and --mode observe changes nothing.")
    place.check_writable()
    steering.set_back()
    identity = str(uuid.uuid4())
    spool = place.spools / f"{identity}.spool"
    with contextlib.ExitStack() as cleanup:
        steered = cleanup.enter_context(steering.steered(place, wanted, plan)) if mode == "auto" else None
        if steered:
            cleanup.callback(steered.tell_of_mounts, quiet=quiet)
        signals = cleanup.enter_context(Signals())
        recording = Recording(
            Scope(command, under=under),
            identity,
            spool,
            signals,
            quiet,
            steered,
            (*([steered.prepare] if steered else []), give_way, prepare, _prepare_conclusion),
        )
        try:
            if steered and (number := steered.set_mounts(signals)):
                return 128 + number
            ending = recording.run()
        finally:
            outcome = steered.finish() if steered else None

        verdict: Verdict | None = None

        def also(store: Store, trace: int) -> None:
            nonlocal verdict
            from stepwell.cli import concluding

            if steered and steered.session and outcome:
                verdict = concluding.conclude(store, trace, outcome, plan or steered.session.done())
            elif mode == "recommend":
                concluding.recommend(store, trace, steering.budget(plan, wanted), place.command, mounts=tune_mounts)

        store_recording(place, identity, spool, keep=keep, summary=None, quiet=quiet, also=also)
        if outcome and (outcome.failed or not quiet):
            from stepwell.cli.concluding import alone

            say((verdict or alone(outcome)).sentence)
    return ending.exit_code or 0


def _prepare_conclusion() -> None:
    import stepwell.cli.concluding  # noqa: F401
