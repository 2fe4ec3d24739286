"""Mounts: what is mounted where, how it is set, and setting it otherwise while it is in use.

Here belong the thin edges to the kernel's settings of a mount (`kernel`), to files that are open on it (`opened`), to a
running JuiceFS client (`juicefs`), kernel and client as one (`tuned`), and the note of what was changed (`notes`), so
that every change is undone, by somebody else if need be.  What to set is decided by `stepwell.analysis.plans.mounts`,
when by `stepwell.steer`.
"""

from __future__ import annotations

from stepwell.mounts.errors import MountError
from stepwell.mounts.table import Mount, mount_of, mounts, parse_mounts

__all__ = ["Mount", "MountError", "mount_of", "mounts", "parse_mounts"]
