"""Directories of exported traces: what `stepwell export` wrote, found again and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from stepwell.store.errors import NoTraceError, StoreCorruptError, StoreError, StoreNewerError
from stepwell.store.tables import SCHEMA_VERSION

MANIFEST = "manifest.json"
"""The file that makes a directory an exported trace."""


@dataclass(frozen=True)
class Exported:
    """One exported trace.

    Attributes:
        trace: its number.
        directory: where it is.
        recorder: what the recorder said of it.
        stored: its number in the files.
        baselines: uuid of each trace that its verdicts are measured against, by the number that it has in the files.
        numbered: number of those of `baselines` that are here, likewise.
    """

    trace: int
    directory: Path
    recorder: dict[str, Any]
    stored: int
    baselines: dict[int, str]
    numbered: dict[int, int] = field(default_factory=dict)


def exported(directory: Path) -> list[Exported]:
    """Return the traces in a directory that is one exported trace or holds several, by number.

    Each has the number that it had where it was exported.  Of several with one number, as stores of several machines
    have them, the first by the name of its directory keeps it, and the others follow after all that there are.  Where
    one names another, that is found by its uuid.

    Raises:
        NoTraceError: there is none.
        StoreCorruptError: a manifest is damaged, or one of its files is missing.
        StoreNewerError: one was exported by a newer Stepwell.
        StoreError: one was exported by an older Stepwell, or the same trace is there twice.
    """
    own = directory / MANIFEST
    manifests = [own] if own.exists() else sorted(directory.glob(f"*/{MANIFEST}"))
    if not manifests:
        raise NoTraceError(
            f"there are no traces in {directory}; write one with `stepwell export TRACE -o {directory}/NAME`"
        )
    read = [_read(manifest) for manifest in manifests]
    found: dict[int, Exported] = {}
    by_uuid: dict[str, Exported] = {}
    following = count(max(one.stored for one in read) + 1)
    for one in read:
        twin = by_uuid.setdefault(str(one.recorder.get("uuid", one.directory)), one)
        if twin is not one:
            raise StoreError(
                f"{twin.directory} and {one.directory} both hold the same trace; move one of them out of {directory}"
            )
        number = next(following) if one.stored in found else one.stored
        found[number] = replace(one, trace=number)
    numbers = {str(one.recorder.get("uuid")): number for number, one in found.items()}
    return [
        replace(one, numbered={there: numbers[uuid] for there, uuid in one.baselines.items() if uuid in numbers})
        for _, one in sorted(found.items())
    ]


def _read(manifest: Path) -> Exported:
    try:
        read = json.loads(manifest.read_bytes())
        version, tables = int(read["schema_version"]), read["tables"]
        number = int(read["trace"])
        baselines = {int(there): str(uuid) for there, uuid in read.get("baselines", {}).items()}
        one = Exported(number, manifest.parent, dict(read["recorder"]), number, baselines)
        missing = [table["file"] for table in tables.values() if not (manifest.parent / table["file"]).is_file()]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreCorruptError(f"{manifest} is damaged; export the trace again") from error
    except OSError as error:
        raise StoreError(f"{manifest} cannot be read: {error.strerror}; check the place and your rights") from error
    if version > SCHEMA_VERSION:
        raise StoreNewerError(
            f"{manifest.parent} has schema version {version}, this Stepwell knows {SCHEMA_VERSION}; upgrade Stepwell"
        )
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"{manifest.parent} has schema version {version}, this Stepwell {SCHEMA_VERSION}; export the trace again"
        )
    if missing:
        raise StoreCorruptError(f"{manifest.parent} lacks {missing[0]}; export the trace again")
    return one
