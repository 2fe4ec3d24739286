"""Which rights the programs need, why, and how a user gets them."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

NEEDED = {
    "bpf": "create maps and load programs (bpf(2), since Linux 5.8)",
    "perfmon": "attach programs, and let them follow kernel pointers",
}
"""Capabilities that recording needs, and what each is for. No other is used, not even by root."""

_NUMBERS = {"bpf": 39, "perfmon": 38, "sys_admin": 21}


def effective() -> int:
    """Return the process's effective capabilities as a bit mask."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def missing() -> list[str]:
    """Return the capabilities that recording needs and this process lacks."""
    held = effective()
    if held >> _NUMBERS["sys_admin"] & 1:
        return []
    return [name for name in NEEDED if not held >> _NUMBERS[name] & 1]


def grant_command() -> str:
    """Return the command that runs Stepwell as this user with just the rights it needs."""
    needed = ",".join(f"+{name}" for name in NEEDED)
    return (
        f"sudo setpriv --reuid {os.getuid()} --regid {os.getgid()} --init-groups "
        f"--inh-caps {needed} --ambient-caps {needed} {sys.argv[0]} ..."
    )


def refusal(code: int, reason: str) -> str:
    """Return what to tell a user when the kernel refused with errno `code` for `reason`."""
    if code in (errno.EPERM, errno.EACCES) and missing():
        names = " and ".join(f"CAP_{name.upper()}" for name in missing())
        return f"recording needs {names}. Run it as root, or with just those rights:\n  {grant_command()}"
    return f"{reason.strip()}\nRun `stepwell doctor` to see what this kernel allows."
