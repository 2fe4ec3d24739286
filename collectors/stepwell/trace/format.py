"""Numbers and text as people read them: the same in every line, table and page Stepwell prints."""

from __future__ import annotations

import re

_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_TIME_UNITS = ((1, "ns"), (1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))
_MINUTE_NS = 60 * 1_000_000_000


def count(number: int) -> str:
    """Return a count with thousands separators: ``40,960``."""
    return f"{number:,}"


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: what is not printable becomes its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun: ``1 file``, ``40,960 accesses`` (with `nouns` ``accesses``)."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def size(octets: float) -> str:
    """Return bytes in binary units, three significant digits: ``512 B``, ``1.21 GiB``, ``-4 KiB``."""
    value, unit = float(octets), 0
    while unit < len(_BINARY_UNITS) - 1 and abs(value) >= 999.5:
        value /= 1024
        unit += 1
    return f"{_significant(value)} {_BINARY_UNITS[unit]}"


def octets(text: str) -> int:
    """Return the bytes that a size says, the inverse of `size`: ``4096``, ``64KiB``, ``1.5 GiB``, ``2G``, ``500MB``.

    K, M, G, T, P and E are binary, alone or followed by iB; followed by B they are powers of 1,000.

    Raises:
        ValueError: it says no size.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([KMGTPE]?)(I?B)?\s*", text.upper())
    if not found or (found[3] == "IB" and not found[2]):
        raise ValueError(text)
    base = 1000 if found[3] == "B" and found[2] else 1024
    power = " KMGTPE".index(found[2] or " ")
    return round(float(found[1]) * float(base**power))


def duration(nanoseconds: float) -> str:
    """Return a time given in nanoseconds: ``850 ns``, ``12.4 us``, ``3.2 s``, ``2 min 5 s``, ``3 h 2 min``."""
    if nanoseconds < 0:
        return "-" + duration(-nanoseconds)
    if nanoseconds >= _MINUTE_NS - 500_000_000:
        return _clock(round(nanoseconds / 1_000_000_000))
    # A unit is left for the next one where three digits would round up to 1000 of it.
    scale, unit = next((s, u) for s, u in _TIME_UNITS if nanoseconds / s < 999.5 or u == "s")
    return f"{_significant(nanoseconds / scale)} {unit}"


def rate(per_second: float) -> str:
    """Return events per second, in thousands and millions: ``940/s``, ``52.3k/s``, ``1.2M/s``."""
    value, unit = float(per_second), 0
    while unit < 3 and abs(value) >= 999.5:
        value /= 1000
        unit += 1
    return f"{_significant(value)}{('', 'k', 'M', 'G')[unit]}/s"


def throughput(bytes_per_second: float) -> str:
    """Return bytes per second in binary units: ``1.2 GiB/s``."""
    return f"{size(bytes_per_second)}/s"


def percent(share: float) -> str:
    """Return a share of 1 as a percentage that is 0 or 100 only when it is exactly that: ``12.5 %``, ``<0.1 %``."""
    value = share * 100
    if 0 < value < 0.05:
        return "<0.1 %"
    if 99.95 <= value < 100:
        return ">99.9 %"
    return f"{_significant(value)} %"


def _significant(value: float) -> str:
    """Return three significant digits at most, without trailing zeros and never in exponent form."""
    magnitude = abs(value)
    digits = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if digits else text
    return "0" if text == "-0" else text


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = ((days, "d"), (hour, "h"), (minute, "min"), (second, "s"))
    first = next(i for i, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)
