"""Plans: what to do about a profile, with the gain that is predicted and the numbers it was predicted from.

Here belong the one form of a plan (`model`; the same on a command line, in a file, in the store and in a cluster), its
text (`text`), and the pure functions that make a plan of what analysis knows (`make`).  Nothing here reads a file of
anybody's data or starts anything: `stepwell.prefetch` and `stepwell run` act on plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.analysis.plans.model import Budget, Figure, Gain, Plan, PlanError, Setting, Target
from stepwell.trace.ondemand import on_demand

if TYPE_CHECKING:
    from stepwell.analysis.plans.rows import Carried, plans, table
    from stepwell.analysis.plans.text import dump, load, schema
else:  # whoever carries out a plan needs its form alone, and at once
    __getattr__ = on_demand(__name__, {"rows": ("Carried", "plans", "table"), "text": ("dump", "load", "schema")})

__all__ = [
    "Budget", "Carried", "Figure", "Gain", "Plan", "PlanError", "Setting", "Target", "dump", "load", "plans", "schema",
    "table",
]  # fmt: skip
