"""`stepwell simulate`: what another cache would do, from the trace alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from stepwell.cli import format as human
from stepwell.cli.output import print_table, table_or_json
from stepwell.cli.place import say, trace_number
from stepwell.cli.values import Octets, Several, together

if TYPE_CHECKING:
    from stepwell.analysis.reuse import CacheCurve, Simulated
    from stepwell.cli.place import Place

_POLICIES = ("lru", "s3fifo", "sieve", "clock", "fifo", "min")
_SMALLEST, _LARGEST = 512, 256 << 20
_CURVE_ROWS = 24


class Sample(click.ParamType[int]):
    """1/N, N a power of two."""

    name = "1/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return N."""
        number = str(value).removeprefix("1/")
        if not number.isdecimal() or int(number) not in {1 << power for power in range(25)}:
            self.fail(f"{value!r} is not 1/N with N = 1, 2, 4, 8 ... 16777216", param, ctx)
        return int(number)


@click.command(
    epilog="""\b
Examples:
  stepwell simulate                                   how much a cache of which size would serve
  stepwell simulate 7 --cache-size 1GiB,4GiB --policy lru,s3fifo,min
  stepwell simulate --cache-size 512MiB --block-size 1MiB      fetched in larger blocks
  stepwell simulate --cache-size 2G --readahead 128KiB --dataset /data/imagenet -o json

\b
TRACE is a number from `stepwell traces`, or last. The cache is empty at first. Reads
count, by whatever call; writes leave their blocks in the cache. Programs and libraries
do not count where there is other data, unless they are below --dataset. A read counts
each block that it touches, and hits when all of them do. Policies: lru, s3fifo, sieve,
clock, fifo, and min, which knows the future: no policy hits more. Readahead is Linux's:
a window for each open file that grows while reading is sequential.
Predicted wait: each read that misses waits as long as those in the trace that slept.
Traces of more than 16 M references are sampled: one block in N is followed, in a cache
N times smaller; the error shown is two standard errors of the miss ratio.
-o json prints an array of objects, one for each policy and size; without --cache-size
one object: the curve. Sizes are in bytes, times in ns, shares of 1.

\b
Exit codes: 0 simulated; 2 a size or option is unusable, or nothing was read there;
4 the store cannot be read; 5 no such trace.""",
)
@click.argument("trace", default="last")
@click.option(
    "--cache-size",
    "sizes",
    type=Several(Octets()),
    multiple=True,
    callback=together,
    help="Sizes of the cache. Default: print the curve.",
)
@click.option(
    "--policy",
    "policies",
    type=Several(click.Choice(_POLICIES)),
    multiple=True,
    callback=together,
    default=("lru",),
    show_default=True,
    metavar="POLICY[,POLICY...]",
    help=f"Which block goes first: {', '.join(_POLICIES)}.",
)
@click.option("--block-size", "block", type=Octets(), help="Bytes fetched at once, a power of two.  [default: 4KiB]")
@click.option("--readahead", type=Octets(), default="0", show_default=True, help="Most that is read ahead.")
@click.option("--dataset", metavar="DIR", default="", help="Only files below this directory.")
@click.option("--sample", type=Sample(), help="Follow one block in N.  [default: as needed]")
@table_or_json
@click.pass_obj
def simulate(
    place: Place,
    trace: str,
    sizes: tuple[int, ...] | None,
    policies: tuple[str, ...],
    block: int | None,
    readahead: int,
    dataset: str,
    sample: int | None,
    output: str,
) -> None:
    """Show what a cache of another size, policy or block size would do with a trace's reads."""
    from dataclasses import asdict

    from stepwell.analysis.reuse.simulate import Case, chosen_files, curve
    from stepwell.analysis.reuse.simulate import simulate as run

    if block is not None and (block & (block - 1) or not _SMALLEST <= block <= _LARGEST):
        raise click.BadParameter("must be a power of two from 512 to 256MiB", param_hint="--block-size")
    if sizes and min(sizes) < (block or 4096):
        raise click.BadParameter("must hold a block at least; see --block-size", param_hint="--cache-size")
    if not sizes and (readahead or sample or policies != ("lru",)):
        raise click.UsageError("--policy, --readahead and --sample need --cache-size; the curve is of lru")
    with place.reading() as store:
        number = trace_number(store, trace)
        files = chosen_files(store, number, dataset)
        if not len(files):
            where = f"below {dataset}" if dataset else "at all"
            raise click.UsageError(f"trace {number} has no reads {where}; `{place.command} report` shows what it has")
        if sizes:
            found = run(store, number, files, Case(block or 4096, readahead, sample or 0), sizes, policies)
        else:
            whole = curve(store, number, files, block or 0)
    if sizes:
        if output == "json":
            click.echo(json.dumps([asdict(one) for one in found]))
        else:
            _show(found)
    elif whole is None:
        raise click.UsageError(f"trace {number} has no bytes read there; `{place.command} report` shows what it has")
    elif output == "json":
        click.echo(json.dumps(asdict(whole)))
    else:
        _show_curve(whole)


def _show(found: tuple[Simulated, ...]) -> None:
    headings = ("POLICY", "CACHE", "HITS", "BYTES HIT", "MISSES", "FETCHED", "AHEAD", "TIMES READ", "WAIT")
    print_table(
        headings,
        (
            (
                one.policy,
                human.size(one.cache_size),
                human.percent(one.hit_ratio),
                human.percent(one.byte_hit_ratio),
                human.percent(one.miss_ratio) + (f" +- {human.percent(one.error)}" if one.sampling > 1 else ""),
                human.size(one.fetched_bytes),
                human.size(one.ahead_bytes),
                "" if one.amplification is None else f"{one.amplification:.3g}",
                "unknown" if one.wait_ns is None else human.duration(one.wait_ns),
            )
            for one in found
        ),
        frozenset(headings[1:]),
    )
    if found and found[0].sampling > 1:
        say(f"one block in {found[0].sampling:,} was followed; --sample 1/1 follows all")


def _show_curve(whole: CacheCurve) -> None:
    click.echo(
        f"{human.count(whole.references)} references to blocks of {human.size(whole.block)},"
        f" {human.size(whole.unique_bytes)} of them different"
        + (f"; one block in {round(1 / whole.sampling)} was followed" if whole.sampling < 1 else "")
    )
    points, last = [], 0.0
    for point in whole.curve:
        if point.size >= last * 1.4 or point is whole.curve[-1]:
            points.append(point)
            last = point.size
    headings = ("CACHE", "HITS", "MISSES", "EACH FURTHER GiB SAVES")
    print_table(
        headings,
        (
            (
                human.size(point.size),
                human.percent(1 - point.miss_ratio),
                human.percent(point.miss_ratio),
                human.size(point.saved_per_gib),
            )
            for point in points[-_CURVE_ROWS:]
        ),
        frozenset(headings),
    )
    for one in whole.policies:
        click.echo(f"{one.policy} with {human.size(one.cache_size)}: {human.percent(one.hit_ratio)} hits")
    size = "none" if whole.recommended is None else human.size(whole.recommended)
    click.echo(f"Recommended cache: {size} ({whole.reason})")
