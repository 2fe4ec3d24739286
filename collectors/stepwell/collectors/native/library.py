"""The native library through ctypes: `stepwell.h`, declared once."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_int, c_int32, c_long, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path

ERROR_BYTES = 4096

COUNTERS = (
    "accesses",
    "bytes",
    "runs",
    "lost_ring",
    "lost_records",
    "lost_threads",
    "lost_opens",
    "lost_vector",
    "compat",
    "uncoalesced",
    "unmapped",
    "estimated",
    "unmatched",
)
"""Members of `struct sw_counters`, in order."""


class Filter(Structure):
    """`struct sw_filter`."""

    _fields_ = (
        ("scope", c_uint32),
        ("self", c_uint32),
        ("cgroup", c_uint64),
        ("cgroup_subsystem", c_int32),
        ("under", c_uint32),
        ("after_exec", c_uint32),
        ("reserved", c_uint32),
    )


class Counted(Structure):
    """`struct sw_counted`."""

    _fields_ = (("name", c_char_p), ("offset", c_uint64))


class Options(Structure):
    """`struct sw_options`."""

    _fields_ = (
        ("object", c_char_p),
        ("under", c_char_p),
        ("spool", c_int32),
        ("reserve", c_int32),
        ("ring_bytes", c_uint32),
        ("heads", c_uint32),
        ("opens", c_uint32),
        ("target_count", c_uint32),
        ("targets", POINTER(c_uint32)),
        ("age_ns", c_uint64),
        ("losses", POINTER(Counted)),
        ("degraded", POINTER(Counted)),
        ("loss_count", c_uint32),
        ("degraded_count", c_uint32),
        ("filter", Filter),
    )


class Totals(Structure):
    """`struct sw_totals`."""

    _fields_ = (
        *((name, c_uint64) for name in COUNTERS),
        ("lost_recursion", c_uint64),
        ("lost_spool", c_uint64),
        ("lost_spool_records", c_uint64),
        ("open_files", c_uint64),
    )


CALL = [("start_ns", "u8"), ("open", "u8"), ("offset", "u8"), ("bytes", "u8"), ("thread", "u4"), ("op", "u4")]
"""`struct sw_call`, as numpy takes it."""

MOST_CALLS = 64
"""SW_CALLS."""


@cache
def library() -> ctypes.CDLL:
    """Return the loaded library.

    Raises:
        OSError: it is missing or lacks a library it needs (libelf.so.1).
    """
    native = ctypes.CDLL(str(Path(__file__).parent / "libstepwell.so"), use_errno=True)
    native.sw_collector_open.argtypes = [POINTER(Options), POINTER(c_void_p), c_char_p]
    native.sw_collector_features.argtypes = [c_void_p]
    native.sw_collector_features.restype = c_uint32
    native.sw_collector_start.argtypes = [c_void_p, c_char_p]
    native.sw_collector_totals.argtypes = [c_void_p, POINTER(Totals)]
    native.sw_collector_catch_up.argtypes = [c_void_p]
    native.sw_collector_catch_up.restype = None
    native.sw_collector_open_runs.argtypes = [c_void_p, c_void_p, c_size_t]
    native.sw_collector_open_runs.restype = c_long
    native.sw_collector_calls.argtypes = [c_void_p, c_void_p]
    native.sw_collector_calls.restype = c_long
    native.sw_collector_meta.argtypes = [c_void_p, c_char_p, c_size_t]
    native.sw_collector_stop.argtypes = [c_void_p, c_char_p, c_char_p]
    native.sw_collector_free.argtypes = [c_void_p]
    native.sw_collector_free.restype = None
    native.sw_probe.argtypes = [c_char_p, c_char_p, c_char_p]
    native.sw_coalesce.argtypes = [c_void_p, c_size_t, c_void_p]
    native.sw_coalesce.restype = c_size_t
    native.sw_drop_ambient.restype = c_int
    return native


def drop_ambient() -> None:
    """Give up the ambient capabilities, so that a command run next does not have them.

    Raises:
        OSError: the kernel refuses.
    """
    code = library().sw_drop_ambient()
    if code:
        raise OSError(-code, os.strerror(-code))
