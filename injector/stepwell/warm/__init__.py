"""Warming: brings files into the caches on the way to them by reading them once, through the path their readers use.

Here belong what is to be read (`find`, `listing`), in which pieces (`work`, pure), what was read before (`journal`)
and carrying it out (`engine`), which uses the prefetch engine's workers.
"""

from __future__ import annotations

from stepwell.warm.engine import Limits, Warmed, warm
from stepwell.warm.errors import WarmError
from stepwell.warm.find import Failure, File, Target, find, targets
from stepwell.warm.journal import Journal

__all__ = ["Failure", "File", "Journal", "Limits", "Target", "WarmError", "Warmed", "find", "targets", "warm"]
