"""How something is read, in words: verdicts and streams that are alike told together."""

from __future__ import annotations

from itertools import groupby
from posixpath import basename
from typing import TYPE_CHECKING

from stepwell.cli import evidence
from stepwell.cli.format import count, duration, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stepwell.analysis.explain import Explanation, Group
    from stepwell.analysis.patterns import Pattern

NAMED = 3
"""Most of things that are alike that are named."""


def reading(found: Explanation) -> Iterator[str]:
    """Yield the verdicts on how something is read, with their evidence, and who read."""
    told: set[str] = set()
    whole: list[Pattern] = []
    for rows in _alike(found.patterns):
        if whole and rows[0].scope == "file" and _same(whole, rows):
            yield f"{_named(rows)}: all of that"
            continue
        whole = rows if rows[0].scope == "dataset" else whole
        for line in _verdict(rows):
            # What files are used again is the same for all that read them.
            if line not in told or "reuse" not in line:
                yield line
            told.add(line)
    data = {one.dataset for one in found.datasets}
    software = [one for one in found.groups if one.dataset not in data] if data else []
    for one in found.groups:
        if one not in software:
            yield _group(one)
    if software:
        files, accesses = (sum(getattr(one, name) for one in software) for name in ("files", "accesses"))
        yield (
            f"programs, libraries and the like: {plural(files, 'file')}, {plural(accesses, 'access', 'accesses')},"
            f" {size(sum(one.bytes for one in software))}"
        )


def _same(whole: list[Pattern], rows: list[Pattern]) -> bool:
    """Whether files are all that there is of a dataset, and said to be read as it is."""
    one, other = whole[0], rows[0]
    return len(rows) == len(whole) == 1 and one.accesses == other.accesses and _said(one)[1:] == _said(other)[1:]


def _alike(rows: Sequence[Pattern]) -> list[list[Pattern]]:
    """Return verdicts on things of one kind that say the same together, in the order of the first of each."""
    order = {key: number for number, key in reversed(list(enumerate(map(_said, rows))))}
    ordered = sorted(rows, key=lambda row: order[_said(row)])
    return [list(members) for _, members in groupby(ordered, _said)]


def _said(row: Pattern) -> tuple[str, str, str, str]:
    return row.scope, row.op, row.pattern, row.reuse


def _verdict(rows: list[Pattern]) -> Iterator[str]:
    largest = max(rows, key=lambda row: row.bytes)
    low, high = (percent(pick(row.confidence for row in rows)) for pick in (min, max))
    yield (
        f"{_named(rows)}: {largest.op} {largest.pattern}, {low if low == high else f'{low} to {high}'} sure;"
        f" {plural(sum(row.accesses for row in rows), 'access', 'accesses')}, {size(sum(row.bytes for row in rows))}"
    )
    if len(rows) > 1:
        yield f"  the largest of them, {_short(largest)}:"
    margin = "    " if len(rows) > 1 else "  "
    yield from (f"{margin}{sentence}" for sentence in evidence.evidence(largest.evidence, largest.reuse))


def _named(rows: list[Pattern]) -> str:
    first = rows[0]
    if len(rows) == 1:
        return f"{first.scope} {first.path or first.subject}"
    names = list(dict.fromkeys(map(_short, rows)))
    shown = ", ".join(names[:NAMED]) + (f" and {count(len(names) - NAMED)} more" if len(names) > NAMED else "")
    between = "of " if first.scope == "stream" else "such as "
    return f"{count(len(rows))} {first.scope}s, {between}{shown}"


def _short(row: Pattern) -> str:
    return basename(row.path) or row.path or row.subject


def _group(one: Group) -> str:
    where = one.dataset or "files of unknown path"
    files = one.largest if one.files == 1 else f"{count(one.files)} files of {where}, most of {basename(one.largest)}"
    slept = f"{count(one.waited)} of them slept {duration(one.wait_ns)}" if one.waited else "none of them slept"
    return (
        f"{files}: {plural(one.accesses, 'access', 'accesses')} ({one.op}) in {plural(one.runs, 'run')} by"
        f" {plural(one.threads, 'thread')}, {size(one.bytes)}; {slept}"
    )
