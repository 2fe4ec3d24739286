"""Replay: the accesses of a trace, issued again on other files, with their order, times and concurrency.

Here belongs what turns a trace into a plan (`selection`, `places`, `schedule`), what the plan needs on disk (`files`)
and what carries it out (`engine`, and in C `native`).  A plan holds runs; accesses are rebuilt one by one when their
time has come, so that memory does not grow with them.

Recorded processes and threads alike become threads of one process: the page cache is the same for both.
"""

from __future__ import annotations

from stepwell.replay.engine import replay
from stepwell.replay.errors import ReplayError
from stepwell.replay.files import Files
from stepwell.replay.model import Replay
from stepwell.replay.schedule import Schedule, schedule
from stepwell.replay.selection import Selection, select

__all__ = ["Files", "Replay", "ReplayError", "Schedule", "Selection", "replay", "schedule", "select"]
