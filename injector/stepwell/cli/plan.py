"""`stepwell plan`: what to do about a trace's data, what that should gain, and from which numbers that follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.cli import format as human
from stepwell.cli import planned
from stepwell.cli.format import printable
from stepwell.cli.output import print_table
from stepwell.cli.place import say, trace_number
from stepwell.cli.values import Bandwidth, Octets

if TYPE_CHECKING:
    from stepwell.analysis.plans import Figure, Plan
    from stepwell.cli.place import Place

_MODES = ("observe", "recommend", "auto")


@click.command(
    epilog="""\b
Examples:
  stepwell plan                                the last trace's plan, and why
  stepwell plan 7 -o yaml > plan.yaml          to look at, change and carry out
  stepwell plan --memory 4GiB --bandwidth 200MiB/s -o json | jq .targets
  stepwell plan --storage mount.json           with what stepwell bench -o json measured
  stepwell plan --schema                       what each field may be

\b
TRACE is a number from `stepwell traces`, or last. A plan has one target for each dataset
and workload: how it is read ahead (policy), in which blocks, how many at once, how far
ahead; or policy none, to leave it alone, with the reason: bound by computing, cached
already, a single short pass, or less than 5 % to gain. The gain is a prediction, as the
elapsed time without the plan over that with it: at least what the storage was seen to
give, at most what so many requests at once bring. Settings are what else could be set in
the kernel or in a cache engine; each names the source of the rule behind it.
All numbers in YAML and JSON are integers with their unit in the name; permille are
thousandths: a gain of 2500 is 2.5 times as fast.

\b
Exit codes: 0 planned; 2 an option is unusable; 4 the store cannot be read;
5 no such trace."""
)
@click.argument("trace", default="last")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "yaml", "json"]),
    default="table",
    show_default=True,
    help="Form of the plan.",
)
@click.option("--mode", type=click.Choice(_MODES), default="auto", show_default=True, help="Mode the plan is for.")
@click.option("--memory", type=Octets(1 << 20), default="1GiB", show_default=True, help="Most that is kept read ahead.")
@click.option("--bandwidth", type=Bandwidth(1), help="Most that is read a second.  [default: no cap]")
@click.option(
    "--in-flight", type=click.IntRange(1, 256), default=64, show_default=True, help="Most requests under way at once."
)
@click.option(
    "--storage",
    "storages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="What `stepwell bench PATH -o json` measured, instead of what the trace shows of that storage; repeatable.",
)
@click.option("--schema", is_flag=True, help="Show the JSON Schema of a plan instead.")
@click.pass_obj
def plan(
    place: Place,
    trace: str,
    output: str,
    mode: str,
    memory: int,
    bandwidth: int | None,
    in_flight: int,
    storages: tuple[Path, ...],
    schema: bool,
) -> None:
    """Say what reading ahead would do for a trace's data, by how much, and why."""
    from stepwell.analysis import plans, storage, understand
    from stepwell.analysis.advice import known
    from stepwell.analysis.plans import measured
    from stepwell.analysis.plans.make import make

    if schema:
        click.echo(json.dumps(plans.schema(), indent=2))
        return
    budget = plans.Budget(memory, in_flight, bandwidth)
    benches = [storage.load(file.read_text(encoding="utf-8", errors="replace"), str(file)) for file in storages]
    with place.reading() as store:
        found = understand(store, trace_number(store, trace))
    if any(one.deeds.requests for one in found.verdicts):
        say(
            f"trace {found.waits.trace} was read ahead of while it was recorded, so its readers waited less than they"
            " would have; `stepwell record` shows what they need"
        )
    facts = known(found.waits, found.patterns, found.orders, found.caches)
    for file, bench in zip(storages, benches, strict=True):
        if not any(measured.of(one.dataset, [bench]) for one in facts.waits.storages):
            raise click.BadParameter(
                f"{file} is of {bench.path}, of which the trace has no fetches; "
                f"`{place.command} report` shows its datasets",
                param_hint="--storage",
            )
    made = make(facts, budget, mode, benches)
    if output == "table":
        _show(made, place.command)
    else:
        click.echo(plans.dump(made, "json" if output == "json" else "yaml"), nl=False)


def _show(made: Plan, command: str) -> None:
    budget = made.budget
    cap = f", {human.throughput(budget.bandwidth_bytes_s)} at most" if budget.bandwidth_bytes_s else ""
    click.echo(
        f"plan from trace {made.trace}, mode {made.mode}: up to {human.size(budget.memory_bytes)} ahead,"
        f" {human.plural(budget.in_flight, 'request')} at once{cap}"
    )
    if not made.targets:
        click.echo("Nothing to do: the trace has no reads of files whose path is known.")
        return
    headings = ("", *(name.upper() for name in planned.HEADINGS))
    print_table(
        headings,
        ([str(number), *map(printable, planned.row(one))] for number, one in enumerate(made.targets, 1)),
        frozenset(headings[3:]),
    )
    for number, one in enumerate(made.targets, 1):
        click.echo(f"\n{number}. {printable(one.path)}, {printable(one.workload or 'all readers')}")
        click.echo(f"   {printable(one.reason)}")
        if one.model:
            click.echo(f"   model: {one.model}")
        if one.inputs:
            click.echo("   from: " + ", ".join(f"{figure.name} {_amount(figure)}" for figure in one.inputs))
    if made.settings:
        click.echo("\nSettings that would help by themselves")
    for setting in made.settings:
        gain = f", expected {planned.times(setting.gain)}" if setting.gain else ""
        click.echo(
            f"   {setting.engine} {setting.name} = {printable(setting.value)} for {printable(setting.path)}{gain}"
        )
        click.echo(f"      {printable(setting.reason)}")
        click.echo(f"      {printable(setting.how)}")
        click.echo(f"      rule: {setting.source}")
    click.echo(f"\nAs a file: {command} plan {made.trace} -o yaml")


def _amount(figure: Figure) -> str:
    if figure.unit == "permille":
        return human.percent(figure.value / 1000)
    if figure.unit == "count":
        return human.count(figure.value)
    shown = {"ns": human.duration, "bytes": human.size, "bytes/s": human.throughput}[figure.unit]
    return shown(figure.value)
