"""`stepwell record`: trace a command, processes, a cgroup or the whole machine."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli.ahead import give_way
from stepwell.cli.launch import Signals
from stepwell.cli.recording import Plan, Recording
from stepwell.cli.storing import prepare, store_recording
from stepwell.cli.values import Seconds
from stepwell.mounts import mounts

if TYPE_CHECKING:
    from stepwell.cli.place import Place


def _processes(_ctx: click.Context, _param: click.Parameter, pids: tuple[int, ...]) -> tuple[int, ...]:
    for pid in pids:
        try:
            os.close(os.pidfd_open(pid))
        except ProcessLookupError:
            raise click.BadParameter(f"no process {pid}; `ps -e` lists those that run") from None
        except OSError:
            raise click.BadParameter(f"{pid} is not a process; is it a thread of one?") from None
    return pids


def _cgroup(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    roots = (Path(mount.point) for mount in mounts() if mount.fstype in {"cgroup", "cgroup2"})
    for directory in (path, *(root / path.relative_to(path.anchor) for root in roots)):
        if (directory / "cgroup.procs").exists():
            return directory.resolve()
    raise click.BadParameter(f"{path} is no cgroup; /proc/PID/cgroup tells that of a process")


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  stepwell record -- python train.py --epochs 1
  stepwell record --under /data -- ./job       only files below /data
  stepwell record --pid 4242 --duration 30s    a process that runs already
  stepwell record --all -- sleep 10            everybody, for as long as the command runs

\b
The command keeps its terminal, input, environment and exit code. Ctrl-C reaches it as usual;
a signal sent to stepwell with kill is passed on to it. Tracing covers whatever it starts, and
stops when the command itself ends. Without a command, Ctrl-C ends the recording.

\b
The recording is in a spool file until it is in the store. Should stepwell be killed, the
command runs on and the next stepwell command brings in what was recorded.""",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[--] [COMMAND...]")
@click.option(
    "--pid",
    "pids",
    multiple=True,
    type=click.IntRange(min=1),
    callback=_processes,
    help="Trace this running process and what it starts; may be repeated.",
)
@click.option(
    "--cgroup",
    type=click.Path(path_type=Path),
    callback=_cgroup,
    help="Trace what runs in this cgroup (a container, a service).",
)
@click.option("--all", "everything", is_flag=True, help="Trace every process of the machine.")
@click.option(
    "--under",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Trace only files below this directory.",
)
@click.option("--duration", type=Seconds(), help="Stop after this time (10s, 5m); the command runs on.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Afterwards remove all but the N newest traces.")
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the trace to this file in JSON, as `stepwell traces -o json` gives it.",
)
@click.option("-q", "--quiet", is_flag=True, help="No live line, and no summary unless something was lost.")
@click.pass_obj
def record(
    place: Place,
    *,
    command: tuple[str, ...],
    pids: tuple[int, ...],
    cgroup: Path | None,
    everything: bool,
    under: Path | None,
    duration: float | None,
    keep: int | None,
    summary: Path | None,
    quiet: bool,
) -> int:
    """Trace a command and all it starts, until it ends.

    Or processes that run already (--pid), a cgroup (--cgroup) or the whole machine (--all).
    """
    if sum(map(bool, (pids, cgroup, everything))) > 1:
        raise click.UsageError("--pid, --cgroup and --all exclude each other.")
    if not (command or pids or cgroup or everything):
        raise click.UsageError("What is to be recorded? Give a command after --, or --pid, --cgroup or --all.")
    place.check_writable()
    plan = Plan(command, pids, cgroup, everything, under, duration)
    trace_uuid = str(uuid.uuid4())
    spool = place.spools / f"{trace_uuid}.spool"

    def bring_in() -> None:
        store_recording(place, trace_uuid, spool, keep=keep, summary=summary, quiet=quiet)

    with Signals() as signals:
        recording = Recording(plan, trace_uuid, spool, signals, quiet, ahead=(give_way, prepare))
        ending = recording.run()
        if command and ending.exit_code is None:
            # The command outlives its recording, and is still owed its signals.
            bring_in()
            return recording.finish()
    bring_in()
    return ending.exit_code or 0
