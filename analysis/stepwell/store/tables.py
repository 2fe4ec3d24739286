"""The stored tables, in DuckDB schema `stored`; users see them through the views only.

Numbers are kept as they compress best: what is nearly always equal to another
column is kept as the difference to it, so that it takes no space.  All times
are nanoseconds since the start of the trace.  No table has an index or a key:
both would cost more than all else at ingest; `ingest` alone writes.

Ids are those of the collector.  Who or what a record names without having been
described (the description was lost) gets a negative id, -1 - number.
"""

from __future__ import annotations

from stepwell.trace.definition import EventKind, Op

SCHEMA_VERSION = 4
"""Raised when a table changes; an older store is migrated, a newer one refused."""


def _enum(members: type[Op | EventKind]) -> str:
    return ", ".join(f"'{member.name.lower()}'" for member in members)


def enum_case(column: str, members: type[Op | EventKind], type_name: str) -> str:
    """Return the SQL that turns a member's number into DuckDB's enum; NULL for unknown numbers."""
    whens = " ".join(f"WHEN {int(member)} THEN '{member.name.lower()}'::{type_name}" for member in members)
    return f"CASE {column} {whens} END"


_ACTS = """
CREATE TABLE stored.plan (
    trace BIGINT, start_ns BIGINT, dataset VARCHAR, workload VARCHAR, mode VARCHAR, policy VARCHAR,
    block_bytes BIGINT, in_flight BIGINT, window_bytes BIGINT, stride_bytes BIGINT, gain_low_permille BIGINT,
    gain_high_permille BIGINT, reason VARCHAR, plan JSON);
CREATE TABLE stored.verdict (
    trace BIGINT, dataset VARCHAR, verdict VARCHAR, action VARCHAR, sentence VARCHAR, because VARCHAR,
    design VARCHAR, ratio DOUBLE, low DOUBLE, high DOUBLE, pairs BIGINT, waited_ns BIGINT, expected_ns BIGINT,
    baseline BIGINT, files BIGINT, requests BIGINT, brought_bytes BIGINT, used_bytes BIGINT, late_bytes BIGINT,
    wasted_bytes BIGINT, stopped VARCHAR, windows JSON);
"""

TABLES = f"""
CREATE SCHEMA stored;
CREATE TYPE stored.op AS ENUM ({_enum(Op)});
CREATE TYPE stored.event AS ENUM ({_enum(EventKind)});
CREATE TYPE stored.status AS ENUM ('complete', 'interrupted');
CREATE SEQUENCE stored.trace_id;
CREATE TABLE stored.version (version INTEGER);
INSERT INTO stored.version VALUES ({SCHEMA_VERSION});
CREATE TABLE stored.trace (
    trace BIGINT, uuid VARCHAR, command VARCHAR, scope VARCHAR, cwd VARCHAR, host VARCHAR, kernel VARCHAR,
    collector VARCHAR, version VARCHAR, started TIMESTAMPTZ, duration_ns BIGINT, status stored.status,
    exit_code INTEGER, accesses BIGINT, bytes HUGEINT, lost BIGINT, coverage JSON, degraded JSON, meta JSON,
    analysis INTEGER);
CREATE TABLE stored.reader (
    trace BIGINT, reader BIGINT, pid UINTEGER, ppid UINTEGER, comm VARCHAR, command VARCHAR, uid UINTEGER,
    start_ns BIGINT, end_ns BIGINT, user_ns BIGINT, system_ns BIGINT, exit_code INTEGER);
CREATE TABLE stored.thread (
    trace BIGINT, reader BIGINT, thread BIGINT, tid UINTEGER, comm VARCHAR, start_ns BIGINT, end_ns BIGINT,
    user_ns BIGINT, system_ns BIGINT, async_wait_ns BIGINT, accesses BIGINT, queued_ns BIGINT);
CREATE TABLE stored.file (
    trace BIGINT, file BIGINT, dev UINTEGER, ino UBIGINT, generation UINTEGER, path VARCHAR, size BIGINT,
    dataset VARCHAR, filesystem VARCHAR, deleted BOOLEAN, mtime_ns BIGINT);
CREATE TABLE stored.open (
    trace BIGINT, open BIGINT, reader BIGINT, thread BIGINT, file BIGINT, flags UINTEGER, state UINTEGER,
    start_ns BIGINT, latency_ns BIGINT);
CREATE TABLE stored.run (
    trace BIGINT, reader BIGINT, thread BIGINT, file BIGINT, open BIGINT, op stored.op, flags UTINYINT,
    seq BIGINT, seq_span BIGINT, count UINTEGER, "offset" BIGINT, stride BIGINT, requested UBIGINT,
    size BIGINT, size_minus_tail BIGINT, start_ns BIGINT, span_ns BIGINT, latency_ns BIGINT,
    latency_minus_max_ns BIGINT, wait_ns BIGINT, waited UINTEGER, filled UINTEGER, histogram UINTEGER[]);
CREATE TABLE stored.event (
    trace BIGINT, reader BIGINT, thread BIGINT, file BIGINT, open BIGINT, event stored.event, op stored.op,
    path VARCHAR, start_ns BIGINT, latency_ns BIGINT, value BIGINT);
CREATE TABLE stored.pattern (
    trace BIGINT, scope VARCHAR, subject VARCHAR, path VARCHAR, op stored.op, pattern VARCHAR, stride BIGINT,
    request_size BIGINT, reuse VARCHAR, reuse_period BIGINT, confidence DOUBLE, accesses BIGINT, bytes HUGEINT,
    evidence JSON);
CREATE TABLE stored.counter (
    trace BIGINT, reader BIGINT, file BIGINT, module VARCHAR, counter VARCHAR, value DOUBLE);
CREATE TABLE stored.loss (trace BIGINT, hop VARCHAR, count BIGINT);
{_ACTS}"""

NAMES = ("trace", "reader", "thread", "file", "open", "run", "event", "pattern", "counter", "loss", "plan", "verdict")
"""The tables that hold traces, each with a column `trace`."""

MIGRATIONS = {
    1: """
ALTER TABLE stored.trace ADD COLUMN analysis INTEGER;
ALTER TABLE stored.file ADD COLUMN mtime_ns BIGINT;
ALTER TABLE stored.pattern ADD COLUMN evidence JSON;
CREATE TABLE stored.counter (
    trace BIGINT, reader BIGINT, file BIGINT, module VARCHAR, counter VARCHAR, value DOUBLE);
""",
    2: _ACTS,
    3: "ALTER TABLE stored.thread ADD COLUMN queued_ns BIGINT;",
}
"""By schema version: what brings a store to the next one. Views are made anew after it."""
