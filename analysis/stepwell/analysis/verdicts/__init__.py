"""Verdicts: what acting on a plan gained, measured against the same reading without it.

Here belong the earlier recording to compare with (`baseline`), the statistics of paired windows (`effect`) and of
others (`on_the_whole`), what is concluded from them (`judge`), and the rows of the view `verdicts`. Who acts measures
the windows.
"""

from __future__ import annotations

from stepwell.analysis.verdicts.baseline import Baseline, baseline
from stepwell.analysis.verdicts.effect import Effect, alternating, recorded
from stepwell.analysis.verdicts.judge import judge
from stepwell.analysis.verdicts.model import Ahead, Deeds, Verdict, Window
from stepwell.analysis.verdicts.on_the_whole import before_after
from stepwell.analysis.verdicts.rows import table, verdicts

__all__ = [
    "Ahead", "Baseline", "Deeds", "Effect", "Verdict", "Window", "alternating", "baseline", "before_after", "judge",
    "recorded", "table", "verdicts",
]  # fmt: skip
