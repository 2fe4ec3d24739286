"""Plans as what an engine is told, and what an engine did as a plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import PurePath

from stepwell.analysis.plans import Budget, Plan, PlanError, Target
from stepwell.analysis.plans.model import VERSION
from stepwell.prefetch import protocol
from stepwell.prefetch.protocol import Head, Message, Mount, Policy, Status
from stepwell.steer.tune import Tuning
from stepwell.trace.format import size

MOST_TARGETS = 1_000
"""As many as a plan may have."""


BY_FILES = frozenset({Policy.WHOLE_FILE, Policy.DIRECTORY, Policy.RANDOM})
"""Policies of many files: once an epoch has been seen, its order is the better guide, whatever the plan began with."""


def messages(plan: Plan, *, ordered: bool = False) -> list[Message]:
    """Return what an engine is told of a plan: its budgets, and its datasets, also those that are to be left alone.

    Args:
        plan: the plan.
        ordered: an order is known, which may lead through any of them.
    """
    budget = plan.budget
    told: list[Message] = [
        protocol.Budget(budget.memory_bytes, budget.bandwidth_bytes_s, budget.in_flight, budget.cpu_permille)
    ]
    always = (Policy.ORDER,) if ordered else ()
    policies: dict[str, tuple[Policy, ...]] = {}
    first: dict[str, Target] = {}
    for target in plan.targets:
        if target.policy != Policy.NONE:
            policy = Policy(target.policy)
            more = (policy, Policy.EPOCH) if policy in BY_FILES else (policy,)
            policies[target.path] = policies.get(target.path, always) + more
            first.setdefault(target.path, target)  # where most is to be won
    alone = {target.path for target in plan.targets} - first.keys()
    told += [protocol.Root(path, always) for path in sorted(alone)]
    for path, one in first.items():
        told.append(protocol.Root(path, policies[path], one.block_bytes, one.in_flight, one.window_bytes))
    return told


def order_of(plan: Plan) -> str | None:
    """Return the order that a plan has, if one is to be followed.

    Raises:
        PlanError: it has several.
    """
    orders = {target.order_file for target in plan.targets if target.policy == Policy.ORDER}
    if len(orders) > 1:
        raise PlanError(f"the plan has {len(orders)} orders; join their files to one, for all its targets")
    return next(iter(orders), None)


class Done:
    """Remembers by which policies an engine read ahead, and why."""

    def __init__(self) -> None:
        self._accesses: Counter[tuple[str, Policy]] = Counter()
        self._heads: dict[tuple[str, Policy], Head] = {}
        self._mounts: dict[str, Mount] = {}

    def see(self, status: Status) -> None:
        """Take in a status."""
        self._mounts |= {mount.root: mount for mount in status.mounts}
        for head in (*status.heads, *status.ended):
            if head.policy is not Policy.NONE and head.path:  # an order without steps has none
                key = str(PurePath(head.path).parent), head.policy
                self._accesses[key] += head.accesses
                self._heads[key] = head

    def plan(self, budget: Budget, order: str | None, tuning: Tuning) -> Plan:
        """Return what was done as a plan: the datasets with the policy that most of their accesses met.

        Args:
            budget: the budget that held.
            order: where the known order came from, if there was one.
            tuning: which block size and concurrency were found to be best.
        """
        targets: dict[str, Target] = {}
        for (directory, policy), _ in self._accesses.most_common():
            head = self._heads[directory, policy]
            lacking = (policy is Policy.STRIDED and not head.stride) or (policy is Policy.ORDER and not order)
            if directory not in targets and not lacking and len(targets) < MOST_TARGETS:
                found = tuning.found(directory)
                block = found.block_bytes if found else None
                best = f"; {size(found.block_bytes)}, {found.in_flight} at once, were best" if found else ""
                targets[directory] = Target(
                    directory,
                    policy.value,
                    f"{head.why or 'found while it ran'}{self._how(directory)}{best}",
                    block_bytes=block,
                    in_flight=found.in_flight if found else None,
                    window_bytes=max(min(head.window_bytes, budget.memory_bytes), block or 0) or None,
                    stride_bytes=head.stride or None,
                    order_file=order if policy is Policy.ORDER else None,
                )
        return Plan(VERSION, "auto", budget, tuple(targets.values()))

    def _how(self, directory: str) -> str:
        """Return by which mechanism its storage was read, in words; of roots on one storage it is known of one."""
        within = (root for root in self._mounts if f"{directory}/".startswith(f"{root.rstrip('/')}/"))
        root = max(within, key=len, default=next(iter(self._mounts), None) if len(self._mounts) == 1 else None)
        return f"; {self._mounts[root].mechanism}" if root else ""


def limited(budget: Budget, memory: int | None, bandwidth: int | None, in_flight: int | None) -> Budget:
    """Return a budget with what the user gave in place of its own."""
    given = {"memory_bytes": memory, "bandwidth_bytes_s": bandwidth, "in_flight": in_flight}
    return replace(budget, **{name: value for name, value in given.items() if value is not None})
