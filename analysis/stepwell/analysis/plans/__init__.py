"""Plans: what to do about a profile, with the gain that is predicted and the numbers it was predicted from.

Here belong the one form of a plan (`model`; the same on a command line, in a file, in the store and in a cluster), its
text (`text`), and the pure functions that make a plan of what analysis knows and that tune it while it runs.  Nothing
here reads a file of anybody's data or starts anything: `stepwell.prefetch` and `stepwell run` act on plans.
"""

from __future__ import annotations

from stepwell.analysis.plans.make import make
from stepwell.analysis.plans.model import Budget, Figure, Gain, Plan, PlanError, Setting, Target
from stepwell.analysis.plans.rows import Carried, plans, table
from stepwell.analysis.plans.text import dump, load, schema

__all__ = [
    "Budget", "Carried", "Figure", "Gain", "Plan", "PlanError", "Setting", "Target", "dump", "load", "make", "plans",
    "schema", "table",
]  # fmt: skip
