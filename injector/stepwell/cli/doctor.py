"""`stepwell doctor`: what this kernel, user and machine allow, and how to allow more."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from stepwell.cli import format as human
from stepwell.cli.output import print_table, table_or_json
from stepwell.cli.place import mount_notes

if TYPE_CHECKING:
    from stepwell.cli.place import Place
    from stepwell.collectors.ebpf import Check

NOT_PERMITTED = 3
"""Exit code when recording does not work."""

LEAST_FREE = 1 << 30
"""Bytes that should be free for a recording: random access at full speed writes about this much in a minute."""


@click.command(
    epilog="""\b
Examples:
  stepwell doctor
  stepwell doctor -o json      an array of {name, ok, detail, fix}

\b
Ends with 0 when recording works and all is well, with 3 when something is amiss.""",
)
@table_or_json
@click.pass_obj
def doctor(place: Place, output: str) -> int:
    """Check what this machine allows; each shortcoming comes with its fix."""
    from stepwell.collectors.ebpf import probe

    checks = [*probe(), *_places(place), _mounts(), _terminal()]
    if output == "json":
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        print_table(
            ("CHECK", "", "WHAT WAS FOUND, AND WHAT TO DO"),
            ((check.name, "ok" if check.ok else "NO", _text(check)) for check in checks),
        )
    return 0 if all(check.ok for check in checks) else NOT_PERMITTED


def _text(check: Check) -> str:
    return f"{check.detail}\nfix: {check.fix}" if check.fix else check.detail


def _places(place: Place) -> list[Check]:
    from stepwell.collectors.ebpf import Check

    checks = []
    for name, wanted in (("store", place.store), ("spool", place.spools)):
        # The first that exists decides whether the rest can be made.
        path = wanted.absolute()
        existing = next(there for there in (path, *path.parents) if os.access(there, os.F_OK))
        ok = os.access(existing, os.W_OK if existing.is_file() else os.W_OK | os.X_OK)
        fix = None if ok else f"give yourself write access to {existing}, or choose another place with --store"
        checks.append(Check(name, ok, str(wanted) if ok else f"{existing} cannot be written", fix))
    free = shutil.disk_usage(existing).free
    fix = None if free >= LEAST_FREE else f"free some of {existing}, or choose another place with --store"
    checks.append(Check("free space", fix is None, f"{human.size(free)} for the spool", fix))
    return checks


def _mounts() -> Check:
    from stepwell.collectors.ebpf import Check
    from stepwell.mounts.notes import left

    changed = [change.point for change in left(mount_notes())]
    if not changed:
        return Check("mounts", True, "none is left as a run with --tune-mounts has set it", None)
    detail = f"{', '.join(changed)} still set as a run with --tune-mounts did that was killed"
    return Check("mounts", False, detail, "the next `stepwell run` sets it back: stepwell run -- true")


def _terminal() -> Check:
    from stepwell.collectors.ebpf import Check

    live = sys.stderr.isatty()
    return Check("terminal", True, "live line while recording" if live else "none: no live line while recording", None)
