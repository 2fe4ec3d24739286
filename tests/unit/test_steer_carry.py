"""What an engine is told of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.analysis.plans import Budget, Plan, PlanError, Target
from stepwell.prefetch import protocol
from stepwell.prefetch.protocol import Policy
from stepwell.prefetch.tuning import Knobs
from stepwell.steer.carry import Done, messages, order_of
from stepwell.steer.tune import Tuning

BUDGET = Budget(1 << 30, 23)


def told(*targets: Target) -> list[protocol.Message]:
    return messages(Plan(1, "auto", Budget(1 << 30, 23, 7_000_000), targets))


def status(**more: Any) -> protocol.Status:
    return protocol.Status(0, "acting", "", 0, 0, 0, protocol.Budget(), protocol.Totals(), **more)


def test_budgets_and_sizes_are_told_and_what_is_left_alone() -> None:
    strided = Target("/data", "strided", "", block_bytes=4096, in_flight=3, window_bytes=8192, stride_bytes=1 << 20)
    assert told(strided, Target("/other", "none", "")) == [
        protocol.Budget(1 << 30, 7_000_000, 23, None),
        protocol.Root("/other", ()),
        protocol.Root("/data", (Policy.STRIDED,), 4096, 3, 8192),
    ]


def test_of_several_workloads_on_one_dataset_all_policies_are_told_and_the_first_one_s_sizes() -> None:
    first, second = Target("/data", "strided", "", block_bytes=4096), Target("/data", "directory", "", block_bytes=512)
    _, *roots = told(first, second, Target("/data", "none", ""))
    assert roots == [protocol.Root("/data", (Policy.STRIDED, Policy.DIRECTORY, Policy.EPOCH), 4096)]


def test_an_order_may_lead_through_all_datasets_of_a_plan() -> None:
    targets = (Target("/data", "order", "", block_bytes=4096, order_file="a"), Target("/data/b", "strided", ""))
    _, *roots = messages(Plan(1, "auto", Budget(1 << 30, 23), targets), ordered=True)
    assert [root.path for root in roots if isinstance(root, protocol.Root)] == ["/data", "/data/b"]
    assert all(isinstance(root, protocol.Root) and Policy.ORDER in (root.policies or ()) for root in roots)


def test_a_plan_has_one_order_at_most() -> None:
    one, same, other = (Target(f"/{name}", "order", "", order_file=name) for name in ("a", "a", "b"))
    budget = Budget(1 << 30, 23)
    assert order_of(Plan(1, "auto", budget, (Target("/c", "random", ""),))) is None
    assert order_of(Plan(1, "auto", budget, (one, same))) == "a"
    with pytest.raises(PlanError, match="2 orders"):
        order_of(Plan(1, "auto", budget, (one, other)))


def test_what_was_done_says_by_which_mechanism() -> None:
    done = Done()
    head = protocol.Head("1", "/data/set/f", Policy.SEQUENTIAL, "17 accesses in line", 0, 0, 1 << 20, 17)
    mounts = tuple(protocol.Mount(root, f"by {root}", 4096, 0, 0) for root in ("/data", "/data/se", "/"))
    over = protocol.Head("order", "", Policy.ORDER, "the order was given", 17, 0, 0, 17)
    done.see(status(heads=(head, over), mounts=mounts))
    (target,) = done.plan(BUDGET, "17", Tuning(BUDGET)).targets
    assert (target.path, target.reason) == ("/data/set", "17 accesses in line; by /data")


def test_what_tuning_found_to_be_best_is_kept() -> None:
    done, tuning = Done(), Tuning(BUDGET)
    for path in ("/d", "/proc"):
        head = protocol.Head(path, f"{path}/f", Policy.STRIDED, "in strides", 0, 1 << 20, 1 << 16, 17)
        done.see(status(heads=(head,)))
    tuning.start(protocol.Mount("/d", "by reading", 1 << 17, 0, 0))
    assert tuning.tuner is not None
    tuning.tuner.found = Knobs(1 << 20, 7)
    one, other = done.plan(BUDGET, None, tuning).targets
    assert (one.block_bytes, one.in_flight, one.window_bytes) == (1 << 20, 7, 1 << 20)
    assert one.reason == "in strides; 1 MiB, 7 at once, were best"
    assert (other.path, other.block_bytes, other.in_flight, other.window_bytes) == ("/proc", None, None, 1 << 16)


@pytest.mark.parametrize("policy", ["whole-file", "directory", "random"])
def test_whatever_order_of_files_is_planned_epochs_are_followed_once_seen(policy: str) -> None:
    _, root = told(Target("/data", policy, ""))
    assert root == protocol.Root("/data", (Policy(policy), Policy.EPOCH))
