"""Plans as what an engine is told, and what an engine did as a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath

from stepwell.analysis.plans import Budget, Plan, Target
from stepwell.analysis.plans.model import VERSION
from stepwell.prefetch import protocol
from stepwell.prefetch.protocol import Head, Message, Policy

MOST_TARGETS = 1_000
"""As many as a plan may have."""


BY_FILES = frozenset({Policy.WHOLE_FILE, Policy.DIRECTORY, Policy.RANDOM})
"""Policies of many files: once an epoch has been seen, its order is the better guide, whatever the plan began with."""


def messages(plan: Plan) -> list[Message]:
    """Return what an engine is told of a plan: its budgets, and its datasets but those that are to be left alone."""
    budget = plan.budget
    told: list[Message] = [
        protocol.Budget(budget.memory_bytes, budget.bandwidth_bytes_s, budget.in_flight, budget.cpu_permille)
    ]
    for target in plan.targets:
        if target.policy != Policy.NONE:
            policy = Policy(target.policy)
            policies = (policy, Policy.EPOCH) if policy in BY_FILES else (policy,)
            told.append(protocol.Root(target.path, policies, target.block_bytes, target.in_flight, target.window_bytes))
    return told


class Done:
    """Remembers by which policies an engine read ahead, and why."""

    def __init__(self) -> None:
        self._accesses: Counter[tuple[str, Policy]] = Counter()
        self._heads: dict[tuple[str, Policy], Head] = {}

    def see(self, heads: Iterable[Head]) -> None:
        """Take in the heads of a status."""
        for head in heads:
            if head.policy is not Policy.NONE:
                key = str(PurePath(head.path).parent), head.policy
                self._accesses[key] += head.accesses
                self._heads[key] = head

    def plan(self, budget: Budget, order: str | None) -> Plan:
        """Return what was done as a plan: the datasets with the policy that most of their accesses met.

        Args:
            budget: the budget that held.
            order: where the known order came from, if there was one.
        """
        targets: dict[str, Target] = {}
        for (directory, policy), _ in self._accesses.most_common():
            head = self._heads[directory, policy]
            lacking = (policy is Policy.STRIDED and not head.stride) or (policy is Policy.ORDER and not order)
            if directory not in targets and not lacking and len(targets) < MOST_TARGETS:
                targets[directory] = Target(
                    directory,
                    policy.value,
                    head.why or "found while it ran",
                    window_bytes=min(head.window_bytes, budget.memory_bytes) or None,
                    stride_bytes=head.stride or None,
                    order_file=order if policy is Policy.ORDER else None,
                )
        return Plan(VERSION, "auto", budget, tuple(targets.values()))


def limited(budget: Budget, memory: int | None, bandwidth: int | None, in_flight: int | None) -> Budget:
    """Return a budget with what the user gave in place of its own."""
    given = {"memory_bytes": memory, "bandwidth_bytes_s": bandwidth, "in_flight": in_flight}
    return replace(budget, **{name: value for name, value in given.items() if value is not None})
