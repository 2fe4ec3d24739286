"""What a JuiceFS client says of itself, in a file at its mount point (juicedata/juicefs pkg/vfs/internal.go)."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from stepwell.mounts.errors import MountError

_FILES = (".config", ".jfs.config")
"""The second name with --prefix-internal."""

_LONGEST = 1 << 20
"""Bytes; it has some 3,000."""


def config(point: str) -> dict[str, Any]:
    """Return the settings of the client that serves a mount point.

    Raises:
        MountError: they cannot be read, or are none.
    """
    for name in _FILES:
        file = Path(point) / name
        with contextlib.suppress(FileNotFoundError):
            try:
                with file.open("rb") as opened:
                    found = json.loads(opened.read(_LONGEST))
            except FileNotFoundError:
                raise
            except OSError as error:
                raise MountError(f"{file} cannot be read: {error.strerror}; run as its user") from error
            except (ValueError, RecursionError) as error:
                raise MountError(f"{file} is not what JuiceFS writes; is this JuiceFS?") from error
            if isinstance(found, dict):
                return found
    raise MountError(f"{point} does not say how it is mounted; is this JuiceFS?")
