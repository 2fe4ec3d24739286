"""Which ones a sample takes: a hash that every SQL engine computes alike."""

from __future__ import annotations

_PRIME = 2**31 - 1
_FACTORS = (48271, 69621)
"""Multipliers for that prime that mix well (Fishman and Moore, "An Exhaustive Analysis of Multiplicative Congruential
Random Number Generators with Modulus 2^31 - 1", 1986; Park and Miller, "Random number generators: good ones are hard to
find", 1988)."""


def mixed(first: str, second: str) -> str:
    """Return the SQL for a hash of two 64-bit integers: a BIGINT from 0 to 2^31 - 2.

    The square of a linear form modulo a prime: numbers at equal distances, such as chunks of a file, come out of step.
    """
    linear = " + ".join(
        f"({value}) % {_PRIME} * {factor}" for value, factor in zip((first, second), _FACTORS, strict=True)
    )
    linear = f"(({linear} + 1) % {_PRIME})"
    return f"({linear} * {linear} % {_PRIME})"
