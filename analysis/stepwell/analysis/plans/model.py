"""The form of a plan.

All numbers are integers whose unit is in their name, so that no reader rounds them and a Kubernetes resource can carry
them (its API conventions forbid floats: kubernetes/community, contributors/devel/sig-architecture/api-conventions.md).
A field that is left out is left to whoever carries the plan out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from stepwell.analysis.form import FormError, Limits
from stepwell.trace.errors import StepwellError

VERSION = 1
"""Raised when a field changes its meaning or goes away; optional fields may be added without."""

MODES = ("observe", "recommend", "auto")
"""observe: do nothing but measure; recommend: say what would be done, too; auto: do it on evidence."""

POLICIES = (
    "none", "sequential", "backward", "strided", "whole-file", "directory", "epoch", "order", "random",
)  # fmt: skip
"""none: leave alone; sequential, backward, strided: ahead of each head in its file; whole-file: a file from its
opening on; directory: the files next by name; epoch: in the order of the last epoch; order: in the order of a file;
random: a working set that fits the budget, of files seen before those first that were opened most."""

_TEXT = Limits(longest=4096)  # PATH_MAX
_COUNT = Limits(1, 1 << 60)
_LIST = Limits(longest=1_000)


class PlanError(StepwellError):
    """A plan cannot be used; exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Gain:
    """A predicted gain: the elapsed time without the plan over that with it, in thousandths; 1000 changes nothing."""

    low_permille: Annotated[int, "lower bound, in thousandths: 1500 is 1.5 times as fast", Limits(1, 1 << 40)]
    high_permille: Annotated[int, "upper bound, in thousandths", Limits(1, 1 << 40)]

    def __post_init__(self) -> None:
        if self.low_permille > self.high_permille:
            raise FormError("gain.low_permille", f"is {self.low_permille}; it may be high_permille at most")


@dataclass(frozen=True)
class Figure:
    """A number that a prediction was made from."""

    name: Annotated[str, "what it is", _TEXT]
    value: Annotated[int, "the number", Limits(-(1 << 62), 1 << 62)]
    unit: Annotated[str, "its unit", Limits(among=("ns", "bytes", "bytes/s", "permille", "count"))]


@dataclass(frozen=True)
class Budget:
    """What acting may cost at most, all targets together."""

    memory_bytes: Annotated[int, "bytes brought in and not used yet", Limits(1 << 20, 1 << 60)]
    in_flight: Annotated[int, "requests under way at once", Limits(1, 256)]
    bandwidth_bytes_s: Annotated[int | None, "bytes a second; left out: no cap", _COUNT] = None
    cpu_permille: Annotated[int | None, "thousandths of one processor; left out: 500", Limits(1, 1_000)] = None


@dataclass(frozen=True)
class Target:
    """What to do about one dataset."""

    path: Annotated[str, "directory of the dataset", _TEXT]
    policy: Annotated[str, "what is fetched ahead; none: leave it alone", Limits(among=POLICIES)]
    reason: Annotated[str, "why, in words", _TEXT]
    workload: Annotated[str | None, "command line of the readers it is for; left out: all", _TEXT] = None
    files: Annotated[str | None, "pattern of their paths below `path`, such as *.npz; left out: all", _TEXT] = None
    block_bytes: Annotated[int | None, "bytes of one request", Limits(512, 1 << 30)] = None
    in_flight: Annotated[int | None, "requests under way at once", Limits(1, 256)] = None
    window_bytes: Annotated[int | None, "bytes kept ahead of a reader", _COUNT] = None
    stride_bytes: Annotated[
        int | None,
        "strided: from one start to the next, as found; negative: backward; strides are followed as they are read",
        Limits(-(1 << 60), 1 << 60),
    ] = None
    order_file: Annotated[str | None, "order: file that lists what is read in which order", _TEXT] = None
    cache_bytes: Annotated[int | None, "size of a cache that would serve what is read again", _COUNT] = None
    gain: Annotated[Gain | None, "what it would gain; left out: unknown"] = None
    model: Annotated[str | None, "how that was predicted, in words", _TEXT] = None
    inputs: Annotated[tuple[Figure, ...], "the numbers it was predicted from", _LIST] = ()

    def __post_init__(self) -> None:
        if self.policy == "order" and not self.order_file:
            raise FormError(f"order_file of {self.path!r}", "is missing; policy order needs it")
        if self.window_bytes is not None and self.block_bytes is not None and self.window_bytes < self.block_bytes:
            raise FormError(f"window_bytes of {self.path!r}", f"is {self.window_bytes}; it may be block_bytes at least")


@dataclass(frozen=True)
class Setting:
    """Something to set in what stands between a reader and its bytes: the kernel, or a cache engine."""

    engine: Annotated[str, "what is set: linux, juicefs ...", _TEXT]
    path: Annotated[str, "directory of the dataset that it is for", _TEXT]
    name: Annotated[str, "the setting, such as read_ahead_kb", _TEXT]
    value: Annotated[str, "its value", _TEXT]
    how: Annotated[str, "the command that sets it", _TEXT]
    reason: Annotated[str, "why, in words", _TEXT]
    source: Annotated[str, "where the engine's rule is to be read", _TEXT]
    gain: Annotated[Gain | None, "what it would gain by itself; left out: unknown"] = None


@dataclass(frozen=True)
class Plan:
    """What to do about the data of some readers."""

    version: Annotated[int, "version of this form", Limits(VERSION, VERSION)]
    mode: Annotated[str, "observe, recommend or auto (act on evidence)", Limits(among=MODES)]
    budget: Annotated[Budget, "what acting may cost"]
    targets: Annotated[tuple[Target, ...], "one entry a dataset and workload, the most time to win first", _LIST]
    settings: Annotated[tuple[Setting, ...], "what else to set, in the kernel and in cache engines", _LIST] = ()
    trace: Annotated[int | None, "number of the trace that it was made from", _COUNT] = None

    def __post_init__(self) -> None:
        for number, target in enumerate(self.targets):
            if target.window_bytes is not None and target.window_bytes > self.budget.memory_bytes:
                raise FormError(
                    f"targets[{number}].window_bytes",
                    f"is {target.window_bytes}; it may be budget.memory_bytes ({self.budget.memory_bytes}) at most",
                )

    def within(self, budget: Budget) -> Plan:
        """Return the plan under another budget, its windows and blocks no larger than that holds."""
        targets = (
            replace(
                one,
                window_bytes=_least(one.window_bytes, budget.memory_bytes),
                block_bytes=_least(one.block_bytes, budget.memory_bytes),
                in_flight=_least(one.in_flight, budget.in_flight),
            )
            for one in self.targets
        )
        return replace(self, budget=budget, targets=tuple(targets))


def _least(value: int | None, most: int) -> int | None:
    return None if value is None else min(value, most)
