"""What would help, by how much, and why: findings out of facts.

Here belong pure functions from what other analyses found (`Facts`) to `Finding`s: one rule each in `reads` and
`habits`, the models behind their predictions in `gains`, their order and the top line in `advise`.
"""

from __future__ import annotations

from stepwell.analysis.advice.advise import advise, headline, nothing_to_win
from stepwell.analysis.advice.gather import facts, known
from stepwell.analysis.advice.model import Cache, Facts, Finding, Input, Order, Span

__all__ = [
    "Cache", "Facts", "Finding", "Input", "Order", "Span", "advise", "facts", "headline", "known", "nothing_to_win",
]  # fmt: skip
