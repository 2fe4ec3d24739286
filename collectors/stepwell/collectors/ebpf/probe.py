"""What this kernel and user allow, found out by trying; for `stepwell doctor`."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from stepwell.collectors.ebpf.collector import OBJECT
from stepwell.collectors.ebpf.privileges import grant_command, missing
from stepwell.collectors.native.library import ERROR_BYTES, library

PROGRAMS = {
    "sys_exit": "system calls",
    "filemap_fault": "page faults on file mappings",
    "add_to_page_cache": "what came from storage",
    "get_pages": "positions of shared descriptors",
    "uring_submit": "io_uring",
    "process_fork": "processes and threads",
    "sweep_tasks": "running threads (iterator)",
    "flush_heads": "ending old runs (syscall program)",
}
"""Programs that are tried, and what each is for."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None
    """What to do about it; None when nothing need or can be done."""


def probe() -> list[Check]:
    """Return what this kernel, user and installation allow, in the order in which a failure matters."""
    checks = [_btf(), _native(), _rights(), _lockdown()]
    if checks[0].ok and checks[1].ok and checks[2].ok:
        checks += [_program(name, purpose) for name, purpose in PROGRAMS.items()]
    return checks


def _btf() -> Check:
    there = Path("/sys/kernel/btf/vmlinux").exists()
    fix = None if there else "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all large distributions since 2021)"
    return Check("kernel types (BTF)", there, os.uname().release, fix)


def _native() -> Check:
    try:
        library()
    except OSError as error:
        return Check("native library", False, str(error), "install libelf (Debian: libelf1), or reinstall stepwell")
    if not OBJECT.exists():
        return Check("native library", False, f"{OBJECT} is missing", "reinstall stepwell, or run `make native`")
    return Check("native library", True, "loaded")


def _rights() -> Check:
    lacking = missing()
    if lacking:
        names = ", ".join(f"CAP_{name.upper()}" for name in lacking)
        return Check("rights", False, f"lacks {names}", f"run as root, or with just those rights: {grant_command()}")
    return Check("rights", True, "root" if os.geteuid() == 0 else "capabilities")


def _lockdown() -> Check:
    try:
        text = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        return Check("kernel lockdown", True, "not shown here; programs use only what lockdown allows")
    mode = text[text.index("[") + 1 : text.index("]")]
    return Check("kernel lockdown", True, mode)


def _program(name: str, purpose: str) -> Check:
    error = ctypes.create_string_buffer(ERROR_BYTES)
    code = library().sw_probe(os.fsencode(OBJECT), name.encode(), error)
    if code == 0:
        return Check(purpose, True, name)
    reason = os.fsdecode(error.value).strip().splitlines()
    return Check(
        purpose,
        False,
        f"{name}: {reason[0] if reason else os.strerror(-code)}",
        "see the kernel's log; Linux 6.11 or later is needed",
    )
