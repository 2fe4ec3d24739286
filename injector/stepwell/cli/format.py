"""Numbers and text as people read them, under the name that the command line knows them by."""

from __future__ import annotations

from stepwell.trace.format import count, duration, octets, percent, plural, printable, rate, size, throughput

__all__ = ["count", "duration", "octets", "percent", "plural", "printable", "rate", "size", "throughput"]
