"""What happens to a recording when it has ended: into the store, and one line about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.cli import format as human
from stepwell.cli.imports import without_pandas
from stepwell.cli.place import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stepwell.cli.place import Place
    from stepwell.store import Store


def prepare() -> None:
    """Import what `store_recording` needs."""
    without_pandas()
    import stepwell.analysis.patterns
    import stepwell.store  # noqa: F401


def store_recording(
    place: Place,
    uuid: str,
    spool: Path,
    *,
    keep: int | None,
    summary: Path | None,
    quiet: bool,
    also: Callable[[Store, int], None] | None = None,
) -> None:
    """Bring a recording into the store and say where it went.

    Nothing that goes wrong here is raised: the recorded command's exit code matters more, and the
    spool file stays until a later command has brought it in.

    Args:
        place: the store.
        uuid: the recording's.
        spool: its spool file.
        keep: how many of the newest traces to keep; None for all.
        summary: file to write the trace's row to, in an array, as JSON.
        quiet: say nothing unless something was lost.
        also: called with the open store and the trace's number when it is in.
    """
    from stepwell.store import write_json

    try:
        with place.writing(own=uuid) as store:
            trace = next((row for row in store.traces() if row["uuid"] == uuid), None)
            if trace is None:  # its spool file is unusable, which has been said
                return
            if trace["lost"] or not quiet:
                say(describe(trace, _losses(store, trace["trace"]), place.command))
            if not quiet and (running := _still_running(store, trace["trace"])):
                noun = "processes it started still run" if running > 1 else "process it started still runs"
                say(f"{running:,} {noun}; recorded until the command ended")
            if summary:
                with summary.open("wb") as stream:
                    write_json(store.query(f"select * from traces where trace = {trace['trace']:d}"), stream)
            if also:
                also(store, trace["trace"])
            if keep:
                store.keep(keep)
    except (Exception, KeyboardInterrupt) as error:
        say(f"error: {str(error) or 'stopped by Ctrl-C'}")
        if spool.exists():
            say(f"the recording is not in the store yet; it is kept in {spool}, the next stepwell command brings it in")


def describe(trace: dict[str, Any], losses: dict[str, int], command: str) -> str:
    """Return the line about a recorded trace: a row of the view `traces`, and what was lost by hop."""
    accesses = human.plural(trace["accesses"], "access", "accesses")
    lost = "; ".join(f"{count:,} lost ({hop})" for hop, count in losses.items()) or "nothing lost"
    return (
        f"recorded trace {trace['trace']}: {accesses}, {human.size(trace['bytes'])} in "
        f"{human.duration(trace['duration_ns'])}; {lost}. Next: {command} report --trace {trace['trace']}"
    )


def _losses(store: Store, trace: int) -> dict[str, int]:
    rows = store.query(f"select hop, count from losses where trace = {trace:d} order by count desc").read_all()
    return {row["hop"]: row["count"] for row in rows.to_pylist()}


def _still_running(store: Store, trace: int) -> int:
    """Return how many of the trace's processes had not ended when it did, if it is a command's."""
    rows = store.query(f"""
        select count(*) as running from readers join traces using (trace)
        where trace = {trace:d} and scope like 'command%' and traces.exit_code is not null and readers.exit_code is null
    """).read_all()
    return int(rows["running"][0].as_py())
