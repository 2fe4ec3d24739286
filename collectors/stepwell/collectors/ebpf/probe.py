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
    "system calls": ("leave_read", "sys_exit"),
    "page faults on file mappings": ("fault_ends", "filemap_fault"),
    "positions of shared descriptors": ("read_pages", "get_pages"),
    "what came from storage": ("add_to_page_cache",),
    "io_uring": ("uring_submit", "uring_submit_old"),
    "processes and threads": ("process_fork",),
    "running threads (iterator)": ("sweep_tasks",),
    "ending old runs (test run)": ("flush_heads",),
}
"""What is looked at, and the programs that do it, the better one first."""


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
        checks += [_program(purpose, names) for purpose, names in PROGRAMS.items()]
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


def _program(purpose: str, names: tuple[str, ...]) -> Check:
    refused: list[str] = []
    for name in names:
        error = ctypes.create_string_buffer(ERROR_BYTES)
        code = library().sw_probe(os.fsencode(OBJECT), name.encode(), error)
        if code == 0:
            return Check(purpose, True, f"{name} ({'; '.join(['works', *refused])})")
        lines = os.fsdecode(error.value).strip().splitlines()
        refused.append(f"{name}: {lines[0] if lines else os.strerror(-code)}")
    return Check(purpose, False, "; ".join(refused), "use Linux 6.1 or later; other reasons stand in the kernel's log")
