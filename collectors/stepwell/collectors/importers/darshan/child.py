"""The process that reads a Darshan log with Darshan's own library, and passes on what is in it.

    python -m stepwell.collectors.importers.darshan.child LOG

The library is C and trusts its input: a damaged log may crash it.  So it runs in a process of its own, in bounded
memory and time, which writes messages to its standard output (`messages.py`) and dies alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import resource
import struct
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from stepwell.collectors.importers.darshan.messages import SEGMENT, Message, pack

MAGIC = 6567223
"""Number behind the version in the header (DARSHAN_MAGIC_NR), in either byte order."""

HEADER_BYTES = 4096
"""More than the header's 64 places of modules take, in any version of the format."""

MEMORY_BYTES = 8 << 30
"""Address space of the process; numerical libraries reserve some of it for each processor and never touch it."""

PROCESSOR_SECONDS = 600
"""After that the log is one that never ends: the largest there are take seconds."""

SEGMENTS_TOGETHER = 1 << 16
"""DXT segments in one message: 2 MiB."""

NAMES_TOGETHER = 1 << 10

MAX_BINS = 1 << 16
"""Bins of a heat map; Darshan has 200 at most unless it is told otherwise."""

GENERIC = ("POSIX", "MPI-IO", "STDIO", "H5F", "H5D", "PNETCDF_FILE", "PNETCDF_VAR", "DFS", "DAOS")
"""Modules whose records are two arrays of counters."""


class UnreadableError(Exception):
    """The library cannot read the log; the message says why."""


def _read(path: str) -> Iterator[Message]:
    """Yield all messages of one log.

    Raises:
        UnreadableError: the library cannot open it, or what it gives makes no sense.
    """
    backend = _library()
    log = backend.log_open(path)
    if log["handle"] == backend.ffi.NULL:
        raise UnreadableError("Darshan's library cannot open it")
    modules = backend.log_get_modules(log)
    with Path(path).open("rb") as file:
        end = end_of_regions(file.read(HEADER_BYTES), [facts["len"] for facts in modules.values()])
    if end > Path(path).stat().st_size:
        raise UnreadableError(f"it is shorter than the {end:,} bytes that its header says; it was cut")
    yield Message("job", _job(backend, log, modules))
    yield from _names(backend, log)
    for module in modules:
        if module in GENERIC:
            yield from _some(module, _generic(backend, log, module))
        elif module == "LUSTRE":
            yield from _some(module, _lustre(backend, log))
        elif module == "HEATMAP":
            yield from _some(module, _heatmap(backend, log))
    if dxt := next((module for module in ("DXT_POSIX", "DXT_MPIIO") if module in modules), None):
        yield from _some(dxt, _segments(backend, log, modules, dxt))
    yield Message("end")


def end_of_regions(head: bytes, modules: Sequence[int]) -> int:
    """Return where a log ends by its header: the place and length of its names, then of each module, without gaps.

    That is the `name_map` and `mod_map` of `struct darshan_header` (darshan-log-format.h); they begin where the version
    of the format has them.  Where they are not found, it is at least the sum of the modules.

    Args:
        head: the first bytes of the log.
        modules: lengths of the modules, as the library tells them.
    """
    order = "<" if head[8:16] == MAGIC.to_bytes(8, "little") else ">"
    for begin in range(16, 64, 8):
        regions = list(struct.iter_unpack(f"{order}QQ", head[begin : begin + (len(head) - begin) // 16 * 16]))
        end, lengths = sum(regions[0]) if regions else 0, []
        for offset, length in regions[1:]:
            if length and offset == end:
                end += length
                lengths.append(length)
        if lengths and sorted(lengths) == sorted(modules):
            return end
    return sum(modules)


def _some(module: str, messages: Iterator[Message]) -> Iterator[Message]:
    """Yield a module's messages; the library says of what cannot be unpacked only that there are no more.

    Raises:
        UnreadableError: there is none, although the header lists the module.
    """
    first = next(messages, None)
    if first is None:
        raise UnreadableError(f"no record of its module {module} can be read; it was cut or damaged")
    yield first
    yield from messages


def _library() -> Any:
    """Return the wrapper of Darshan's library, without what its package imports for tables and plots.

    That is pandas above all, which takes four times as long as the rest and which no call here needs.
    """
    spec = importlib.util.find_spec("darshan")
    assert spec
    assert spec.submodule_search_locations
    package = ModuleType("darshan")
    package.__path__ = list(spec.submodule_search_locations)
    package.__dict__["__darshanutil_version__"] = version("darshan")  # the wrapper holds the library against it
    sys.modules |= {"darshan": package, "pandas": ModuleType("pandas")}
    backend: Any = importlib.import_module("darshan.backend.cffi_backend")
    backend.libdutil = _Noting(backend.libdutil)
    return backend


class _Noting:
    """The library, and what it said last when it was asked for a record: its wrapper takes errors for the end."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.record = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def darshan_log_get_record(self, *arguments: Any) -> int:
        self.record = self._library.darshan_log_get_record(*arguments)
        return self.record


def _text(backend: Any, chars: Any) -> str:
    raw: bytes = backend.ffi.string(chars)
    return raw.decode("utf-8", "surrogateescape")


def _job(backend: Any, log: dict[str, Any], modules: dict[str, Any]) -> dict[str, Any]:
    job = backend.ffi.new("struct darshan_job *")
    if backend.libdutil.darshan_log_get_job(log["handle"], job) < 0:
        raise UnreadableError("no facts of the job are in it")
    runtime = backend.ffi.new("double *")
    backend.libdutil.darshan_log_get_job_runtime(log["handle"], job[0], runtime)
    command = backend.ffi.new("char[]", 1 << 14)
    backend.libdutil.darshan_log_get_exe(log["handle"], command)
    return {
        "uid": job.uid,
        "start_ns": job.start_time_sec * 1_000_000_000 + job.start_time_nsec,
        "seconds": runtime[0],
        "ranks": job.nprocs,
        "job": job.jobid,
        "command": _text(backend, command),
        "format": _text(backend, backend.ffi.cast("char *", log["handle"])),
        "partial": [name for name, facts in modules.items() if facts["partial_flag"]],
        "modules": list(modules),
    }


def _names(backend: Any, log: dict[str, Any]) -> Iterator[Message]:
    records = backend.ffi.new("struct darshan_name_record **")
    count = backend.ffi.new("int *")
    backend.libdutil.darshan_log_get_name_records(log["handle"], records, count)
    names: dict[str, str] = {}
    for index in range(count[0]):
        names[str(records[0][index].id)] = _text(backend, records[0][index].name)
        if len(names) == NAMES_TOGETHER:
            yield Message("names", names)
            names = {}
    yield Message("names", names)


def _records(backend: Any, log: dict[str, Any], module: str) -> Iterator[dict[str, Any]]:
    while (record := backend.log_get_record(log, module, dtype="dict")) is not None:
        yield record
    _check_ended(backend, module)


def _check_ended(backend: Any, module: str) -> None:
    """Raise UnreadableError where the library found no more records because of an error."""
    if backend.libdutil.record < 0:
        raise UnreadableError(f"records of its module {module} cannot be read to their end; it was cut or damaged")


def _generic(backend: Any, log: dict[str, Any], module: str) -> Iterator[Message]:
    for record in _records(backend, log, module):
        values: dict[str, float] = {name: int(value) for name, value in record["counters"].items() if value}
        values |= {name: float(value) for name, value in record["fcounters"].items() if value}
        yield Message("counters", _facts(module, record, values))


def _lustre(backend: Any, log: dict[str, Any]) -> Iterator[Message]:
    """A layout has components; the first one's counters have their own names, those after it a number before."""
    for record in _records(backend, log, "LUSTRE"):
        values: dict[str, float] = {}
        for index, component in enumerate(record["components"]):
            before = f"{index}:" if index else ""
            values |= {before + name: int(value) for name, value in component["counters"].items() if value}
            values |= {f"{before}LUSTRE_OST_{place}": int(ost) for place, ost in enumerate(component["ost_ids"])}
        yield Message("counters", _facts("LUSTRE", record, values))


def _heatmap(backend: Any, log: dict[str, Any]) -> Iterator[Message]:
    for record in _records(backend, log, "HEATMAP"):
        if record["nbins"] > MAX_BINS:
            raise UnreadableError(f"a heat map of {record['nbins']:,} bins")
        values: dict[str, float] = {"HEATMAP_BIN_SECONDS": record["bin_width_seconds"]}
        for what in ("read", "write"):
            values |= {f"HEATMAP_{what.upper()}_BIN_{i}": int(v) for i, v in enumerate(record[f"{what}_bins"]) if v}
        yield Message("counters", _facts("HEATMAP", record, values))


def _facts(module: str, record: dict[str, Any], values: dict[str, float]) -> dict[str, Any]:
    return {"module": module, "id": str(record["id"]), "rank": int(record["rank"]), "values": values}


def _segments(backend: Any, log: dict[str, Any], modules: dict[str, Any], module: str) -> Iterator[Message]:
    """DXT records without a Python object for each segment, of which there may be millions."""
    record = backend.ffi.new("void **")
    header_bytes = backend.ffi.sizeof("struct dxt_file_record")
    while backend.libdutil.darshan_log_get_record(log["handle"], modules[module]["idx"], record) >= 1:
        file = backend.ffi.cast("struct dxt_file_record *", record[0])
        facts = {
            "module": module, "id": str(file.base_rec.id), "rank": file.base_rec.rank,
            "host": _text(backend, file.hostname),
        }  # fmt: skip
        start = backend.ffi.cast("char *", record[0]) + header_bytes
        for op, count in (("write", file.write_count), ("read", file.read_count)):
            if count < 0:
                raise UnreadableError(f"a DXT record of {count:,} accesses")
            for first in range(0, count, SEGMENTS_TOGETHER):
                some = min(SEGMENTS_TOGETHER, count - first)
                payload = bytes(backend.ffi.buffer(start + first * SEGMENT.itemsize, some * SEGMENT.itemsize))
                yield Message("segments", facts | {"op": op}, payload)
            start += count * SEGMENT.itemsize
        if not file.write_count + file.read_count:
            yield Message("segments", facts | {"op": "read"})
        backend.libdutil.darshan_free(record[0])
        record[0] = backend.ffi.NULL  # or the library takes it for a buffer to fill
    _check_ended(backend, module)


def main(path: str, out: BinaryIO) -> None:
    """Write all messages of a log; what is wrong with it is the last one."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        out.writelines(map(pack, _read(path)))
    except BrokenPipeError:
        return
    except Exception as error:  # the library's wrapper raises whatever a damaged log makes it raise
        out.write(pack(Message("failed", {"why": f"{error or type(error).__name__}"})))
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.stdout.buffer)
