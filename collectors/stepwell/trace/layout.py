"""What is derived from the definition: numpy types, Arrow schemas, the C header, the documentation table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stepwell.trace.definition import (
    FORMAT_VERSION,
    HISTOGRAM_BUCKETS,
    HISTOGRAM_SHIFT,
    RECORDS,
    EventKind,
    Field,
    Op,
    OpenFlag,
    Record,
    RunFlag,
)

_NUMPY = {"u8": "u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "s32": "<i4", "s64": "<i8"}
_ARROW = {
    "u8": pa.uint8(),
    "u16": pa.uint16(),
    "u32": pa.uint32(),
    "u64": pa.uint64(),
    "s32": pa.int32(),
    "s64": pa.int64(),
}
_C = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "s32": "int32_t",
    "s64": "int64_t",
    "char": "char",
}


def dtype(record: Record) -> np.dtype[np.void]:
    """Return the numpy type of one record: the C struct's members at the C struct's offsets."""
    members: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for field in record.fields:
        if field.ctype == "char":
            members.append((field.name, f"S{field.length}"))
        elif field.length == 1:
            members.append((field.name, _NUMPY[field.ctype]))
        else:
            members.append((field.name, _NUMPY[field.ctype], (field.length,)))
    return np.dtype(members)


def schema(record: Record) -> pa.Schema:
    """Return the Arrow schema of one record's members."""
    return pa.schema([pa.field(field.name, _arrow_type(field)) for field in record.fields])


def _arrow_type(field: Field) -> pa.DataType:
    if field.ctype == "char":
        return pa.binary()
    scalar = _ARROW[field.ctype]
    return scalar if field.length == 1 else pa.list_(scalar, field.length)


DTYPES: dict[int, np.dtype[np.void]] = {record.kind: dtype(record) for record in RECORDS}
"""numpy type of each record kind."""

BY_KIND: dict[int, Record] = {record.kind: record for record in RECORDS}
"""Definition of each record kind."""


ENUMS = (
    ("sw_op", "SW_", tuple(Op)),
    ("sw_run_flag", "SW_", tuple(RunFlag)),
    ("sw_open_flag", "SW_OPEN_", tuple(OpenFlag)),
    ("sw_event_kind", "SW_EVENT_", tuple(EventKind)),
)
"""The C header's enums: name, prefix, members."""


def c_header() -> str:
    """Return `record.h`: the numbers, and one struct per record of plain C types without implicit padding."""
    lines = [
        "/* Generated from definition.py by `make docs`; do not edit. */",
        "#ifndef STEPWELL_RECORD_H",
        "#define STEPWELL_RECORD_H",
        "",
        "#include <stdint.h>",
        "",
        f"#define SW_FORMAT_VERSION {FORMAT_VERSION}",
        f"#define SW_BUCKETS {HISTOGRAM_BUCKETS}",
        f"#define SW_BUCKET_SHIFT {HISTOGRAM_SHIFT}",
    ]
    for enum, prefix, members in ENUMS:
        lines += ["", f"enum {enum} {{"]
        lines += [f"\t{prefix}{member.name} = {int(member)}," for member in members]
        lines.append("};")
    for record in RECORDS:
        tag = record.name.upper()
        lines += [
            "",
            f"#define SW_{tag} {record.kind}",
            f"#define SW_{tag}_BYTES {dtype(record).itemsize}",
            f"struct sw_{record.name} {{",
        ]
        for field in record.fields:
            size = "" if field.length == 1 else f"[{field.length}]"
            lines.append(f"\t{_C[field.ctype]} {field.name}{size};")
        lines.append("};")
    lines += ["", "#endif", ""]
    return "\n".join(lines)


def markdown() -> str:
    """Return the documentation of all records as Markdown tables."""
    lines = [
        "# The records of a trace",
        "",
        "Generated from `stepwell/trace/definition.py` by `make docs`. Each record is a little-endian C struct",
        "without padding; times are CLOCK_MONOTONIC nanoseconds unless said otherwise.",
    ]
    for record in RECORDS:
        lines += ["", f"## {record.name} (kind {record.kind}, {dtype(record).itemsize} bytes)", ""]
        lines += [record.doc[0].upper() + record.doc[1:] + ".", ""]
        lines += ["| offset | field | type | meaning |", "| ---: | --- | --- | --- |"]
        layout: Mapping[str, Any] = dtype(record).fields or {}
        for field in record.fields:
            kind = field.ctype if field.length == 1 else f"{field.ctype}[{field.length}]"
            lines.append(f"| {layout[field.name][1]} | `{field.name}` | {kind} | {field.doc} |")
        if record.text:
            lines += ["", f"Followed by text: {record.text}."]
    return "\n".join(lines) + "\n"
