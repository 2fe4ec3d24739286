"""How a reader's progress becomes the tuner's windows."""

from __future__ import annotations

from stepwell.analysis.plans import Budget
from stepwell.analysis.thresholds import steer as limits
from stepwell.prefetch.protocol import Mount, Root
from stepwell.steer.tune import Tuning

TICK = limits.SECOND_NS // 10
MOUNT = Mount("/d", "by reading", 1 << 17, 0, 0)


def tuned(seconds: int, rest: int = 0) -> Tuning:
    """Read more with larger blocks and more requests at once; the tenth `rest` ticks of every 50 are a rest."""
    tuning = Tuning(Budget(1 << 30, 64))
    octets = 0
    for tick in range(1, 10 * seconds + 1):
        acting = tick % 50 >= rest
        if tick == 3:
            tuning.start(MOUNT)
        root = tuning.set(Root("/d"))
        octets += (root.block_bytes or 1 << 17) * (root.in_flight or 1) if acting else 0
        tuning.step(tick * TICK, octets, tick * TICK, acting=acting)
    return tuning


def test_the_best_setting_is_found_within_30_seconds_rests_and_all() -> None:
    for rest in (0, 7):
        assert tuned(30, rest).set(Root("/d")) == Root("/d", block_bytes=1 << 22, in_flight=64)


def test_it_begins_with_the_engines_block_and_half_of_what_may_be() -> None:
    tuning = Tuning(Budget(1 << 30, 64))
    assert tuning.set(Root("/d")) == Root("/d", in_flight=32)
    tuning.start(MOUNT)
    assert tuning.set(Root("/d")) == Root("/d", block_bytes=1 << 17, in_flight=32)


def test_what_a_plan_sets_is_not_tuned() -> None:
    planned = Root("/d", block_bytes=1 << 16, in_flight=3)
    assert tuned(60).set(planned) == planned


def test_rests_are_not_measured() -> None:
    tuning = Tuning(Budget(1 << 30, 64))
    tuning.start(MOUNT)
    assert tuning.tuner is not None
    for tick in range(1, 600):
        acting = tick % 11 != 0
        assert not tuning.step(tick * TICK, 10**9 if acting else 0, tick * TICK, acting=acting)
    assert tuning.tuner.why == "measuring the start"
